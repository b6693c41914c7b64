// Changes of the topology: the same steps in the same order as the workflows topologyChange and moveShard, with runs that
// die, moves that are cancelled and operators that try again.
import { ApplicationFailure } from '@temporalio/common';
import { createDecisionActivities } from '../../activities/changes/decisions.js';
import { abandonChange, finishChange } from '../../activities/changes/finish.js';
import { awaitProvisioned } from '../../activities/changes/nodes.js';
import { planChange } from '../../activities/changes/plan.js';
import { planRollback } from '../../activities/changes/rollback.js';
import { validateChange } from '../../activities/changes/validate.js';
import type { ActivityDeps } from '../../activities/deps.js';
import { copyShard } from '../../activities/moves/copy.js';
import { deleteReplica } from '../../activities/moves/delete.js';
import { flipShard } from '../../activities/moves/flip.js';
import { joinShard } from '../../activities/moves/join.js';
import { compareSource, flipBack } from '../../activities/moves/rollback.js';
import { snapshotShard } from '../../activities/moves/snapshot.js';
import { verifyShard } from '../../activities/moves/verify.js';
import type { ChangeRequest } from '../../shared/core/change-edits.js';
import type { ValidatedChange } from '../../workflows/messages.js';
import { type Activity, Cancelled, keepStream, Run } from './temporal.js';
import type { World } from './world.js';

const MOST_COPIES = 20;
const MOST_TRIES = 12;
const COPY = { chunkDocuments: null, stallMs: 20_000 };
const WINDOW = 2;
const DEFAULTS = { concurrency: WINDOW, stepDeadlineMs: 60_000, searchable: false };

const decisions = createDecisionActivities;

/** One run of topologyChange. */
export class ChangeRun {
  readonly run: Run;
  readonly moves = new Set<string>();
  over = false;
  readonly beganMs: number;

  constructor(
    readonly world: World,
    readonly id: string,
    private readonly request: ChangeRequest,
    private readonly retentionMs: number,
  ) {
    this.run = new Run(world, id);
    this.beganMs = world.scheduler.nowMs;
  }

  kill(): void {
    this.run.process.kill();
    this.over = true;
    this.world.say(`the run ${this.id} is terminated`);
  }

  async execute(): Promise<void> {
    const { world, run, id } = this;
    world.say(`${id}: ${JSON.stringify(this.request)}`);
    let change: ValidatedChange | null = null;
    try {
      const described = { workflowId: 'miroir/topology/main', changeId: id, input: this.request };
      const defaults = { ...DEFAULTS, retentionMs: this.retentionMs };
      change = await run.activity('validate', ({ deps }) => validateChange(deps, defaults, described));
      for (const move of await run.activity('leftovers', ({ deps }) => deps.store.adoptLeftovers(id)))
        await this.settle(move.id, 'aborted');
      await this.addNodes(change);
      const planned = change;
      const { rollback } = change;
      await run.activity('plan', ({ deps }, beat) =>
        rollback ? planRollback(deps, planned, rollback) : planChange(deps, planned, beat),
      );
      const moves = await run.activity('list', ({ deps }) => deps.store.listMovesFrom(id, 0, 1_000));
      const waiting = moves.map((move) => move.id);
      for (const moveId of waiting) this.moves.add(moveId);
      const work = (moveId: string) => (rollback ? this.takeBack(moveId) : this.carryOut(moveId));
      await Promise.all(
        Array.from({ length: WINDOW }, async () => {
          for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
        }),
      );
      await run.activity('finish', ({ deps }) => finishChange(deps, planned));
      world.say(`${id} is done`);
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) throw error;
      world.say(`${id} fails: ${error.message}`);
      const failed = change;
      if (failed) await run.activity('abandon', ({ deps }) => abandonChange(deps, failed, 'failed'));
    }
    this.over = true;
  }

  private async addNodes(change: ValidatedChange): Promise<void> {
    const { world, run, id } = this;
    const ids = change.added.map((node) => node.id);
    if (ids.length === 0) return;
    for (const node of ids) {
      if (world.nodes.has(node)) continue;
      await world.addNode(node);
      void keepStream(world, node);
    }
    await run.activity('provision', ({ deps }, beat) => awaitProvisioned(deps, id, ids, beat));
  }

  /** A move until it is over: an operator tries again what failed. */
  private async carryOut(moveId: string): Promise<void> {
    await this.persist(
      moveId,
      () => this.move(moveId),
      () => this.settle(moveId, 'aborted'),
    );
  }

  private async takeBack(moveId: string): Promise<void> {
    const { run } = this;
    await this.persist(
      moveId,
      async () => {
        await this.step('compare', moveId, ({ deps }, beat) => compareSource(deps, moveId, beat));
        await this.step('flip back', moveId, ({ deps }, beat) => flipBack(deps, moveId, beat));
        await this.endRollback(moveId);
      },
      async () => {
        const isCancelled = await run.activity('cancel', ({ deps }) =>
          decisions(deps).cancelRollback(moveId),
        );
        if (!isCancelled) await this.endRollback(moveId);
      },
    );
  }

  private async endRollback(moveId: string): Promise<void> {
    const { run } = this;
    await run.activity('delete', ({ deps }, beat) => deleteReplica(deps, moveId, 'target', beat));
    await run.activity('mark', ({ deps }) => markMove(deps, moveId, 'rolled-back'));
  }

  private async persist(
    moveId: string,
    work: () => Promise<void>,
    giveUp: () => Promise<void>,
  ): Promise<void> {
    const { world, run } = this;
    for (let count = 1; ; count += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (error instanceof Cancelled) {
          run.cancelled.delete(moveId);
          return giveUp();
        }
        if (!(error instanceof ApplicationFailure)) throw error;
        world.say(`move ${moveId} fails (${error.type}): ${error.message}`);
        if (error.type === 'IndexDeleted') {
          await run.activity('skip', ({ deps }) => markMove(deps, moveId, 'skipped'));
          return;
        }
        if (error.type === 'VerifyFailed') world.violate(`move ${moveId}: ${error.message}`);
        if (count >= MOST_TRIES) {
          world.violate(`move ${moveId} failed ${count} times, at last: ${error.message}`);
          return;
        }
        await run.process.sleep(world.random.between(200, 2_000));
      }
    }
  }

  private step<T>(name: string, moveId: string, work: Activity<T>): Promise<T> {
    return this.run.activity(`${name} ${moveId}`, work, moveId);
  }

  private async move(moveId: string): Promise<void> {
    const { run, retentionMs } = this;
    const side = await this.sideToDelete(moveId);
    for (let again = side !== 'source'; again; ) {
      if (side === 'target') await this.bringOver(moveId);
      const flip = await this.step('flip', moveId, ({ deps }, beat) =>
        flipShard(deps, moveId, beat, retentionMs),
      );
      again = flip.again === true;
    }
    if (retentionMs > 0) {
      await run.activity('mark', ({ deps }) => markMove(deps, moveId, 'retain'));
      return;
    }
    await this.step('delete', moveId, ({ deps }, beat) => deleteReplica(deps, moveId, 'source', beat));
    await run.activity('mark', ({ deps }) => markMove(deps, moveId, 'done'));
  }

  private async bringOver(moveId: string): Promise<void> {
    for (let count = 1; count <= MOST_COPIES; count += 1) {
      await this.step('snapshot', moveId, ({ deps }, beat) => snapshotShard(deps, moveId, beat));
      await this.step('copy', moveId, ({ deps }, beat) => copyShard(deps, moveId, COPY, beat));
      if (this.world.variant?.flipsEarly) return this.forceVerified(moveId);
      const { joined } = await this.step('join', moveId, ({ deps }, beat) => joinShard(deps, moveId, beat));
      if (!joined) continue;
      const { again } = await this.step('verify', moveId, ({ deps }, beat) =>
        verifyShard(deps, moveId, beat),
      );
      if (!again) return;
    }
    throw ApplicationFailure.nonRetryable('the copies were interrupted too often', 'Conflict');
  }

  /** Broken on purpose: what was copied counts as verified. */
  private async forceVerified(moveId: string): Promise<void> {
    await this.world.database.driver.transaction('write', (tx) =>
      tx.run(
        `UPDATE replicas SET state = 'verified', held_position = NULL WHERE move_id = ? AND state = 'copying'`,
        [moveId],
      ),
    );
  }

  private sideToDelete(moveId: string): Promise<'source' | 'target' | 'none'> {
    return this.run.activity('side', async ({ deps }) => {
      const move = await deps.store.readMove(moveId);
      if (move !== null && move.flippedEpoch !== null) return 'source';
      return move?.kind === 'drop' ? 'none' : 'target';
    });
  }

  /** Ends a move that does not go on, as settleMove does. */
  private async settle(moveId: string, undone: 'aborted' | 'skipped'): Promise<void> {
    const { run } = this;
    let side = await this.sideToDelete(moveId);
    if (side === 'target') {
      await run.activity('clean up', ({ deps }, beat) => deleteReplica(deps, moveId, 'target', beat));
      side = await this.sideToDelete(moveId);
    }
    if (side === 'none') {
      await run.activity('mark', ({ deps }) => markMove(deps, moveId, undone));
      side = await this.sideToDelete(moveId);
    }
    await run.activity('mark', ({ deps }) => markMove(deps, moveId, side === 'source' ? 'retain' : undone));
  }
}

/** Deletes what flipped moves have kept long enough, again and again, as endRetention does. */
export async function keepRetentions(world: World): Promise<void> {
  const run = new Run(world, 'retentions');
  for (;;) {
    await run.process.sleep(1_000);
    const [due] = await world.query<{ found: number }>(
      `SELECT 1 AS found FROM replicas WHERE state IN ('retained', 'deleting')
       UNION ALL SELECT 1 FROM changes WHERE status = 'retaining' LIMIT 1`,
    );
    if (!due) continue;
    for (const { moveId, side } of await run.activity('due', ({ deps }) =>
      decisions(deps).listDueRetentions(),
    )) {
      try {
        await run.activity('delete', ({ deps }, beat) => deleteReplica(deps, moveId, side, beat));
        await run.activity('mark', ({ deps }) =>
          markMove(deps, moveId, side === 'source' ? 'done' : 'rolled-back'),
        );
      } catch (error) {
        // A rollback may have come first; what is left is due again.
        if (!(error instanceof ApplicationFailure)) throw error;
      }
    }
    await run.activity('close', ({ deps }) => decisions(deps).closeRetained());
  }
}

/** As the activity of this name. */
async function markMove(
  deps: ActivityDeps,
  moveId: string,
  phase: 'skipped' | 'aborted' | 'done' | 'retain' | 'rolled-back',
): Promise<void> {
  const move = await deps.store.readMove(moveId);
  if (phase === 'retain' && move?.finishedAt !== null) return;
  const reached = phase === 'retain' && move?.retainUntil === null ? 'done' : phase;
  const finishedAt = reached === 'retain' ? undefined : new Date(1_800_000_000_000).toISOString();
  await deps.store.updateMove(moveId, { phase: reached, finishedAt });
}
