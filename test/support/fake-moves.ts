// Activities without a fleet, for tests of the workflows alone: moves that hold, fail and flip as a test says.
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Activities } from '../../activities/index.js';
import type { ChangeControl } from '../../shared/core/change-control.js';
import { editsOf } from '../../shared/core/change-edits.js';
import { type ChangeNode, moveIdOf, type ValidatedChange } from '../../workflows/messages.js';

/** `copy` of any move, or `copy 1` of the move with that ordinal. */
export type Step = string;

export class FakeMoves {
  /** Every activity that changes something, as `step ordinal` or `step`, in order of their begin. */
  readonly calls: string[] = [];
  /** Those of them that Temporal gave again, because no worker had answered in time. */
  readonly repeated: string[] = [];
  readonly flipped = new Set<string>();
  /** Moves that own a replica of a dead run. */
  leftovers: string[] = [];
  moves = 3;
  /** Ordinals of moves that copy nothing. */
  readonly drops = new Set<number>();
  changeId = '';
  options: Partial<ValidatedChange['options']> = {};
  added: ChangeNode[] = [];
  removed: string[] = [];
  rollback: ValidatedChange['rollback'] = null;
  /** Nodes that a move reads from and writes to, by its ordinal. */
  nodes: (ordinal: number) => string[] = () => [];
  readonly decisions: { action: string; by: string; detail: Record<string, unknown> }[] = [];
  /** The newest that was saved. */
  control: ChangeControl | null = null;
  readonly rolledBack = new Set<string>();
  due: { moveId: string; side: 'source' | 'target' }[] = [];
  private readonly gates = new Map<Step, { open: Promise<void>; release: () => void }>();
  private readonly faults = new Map<Step, { message: string; type: string }>();
  private readonly reached = new Set<Step>();

  /** Holds a step until it is released. */
  hold(step: Step): void {
    let release = () => {};
    const open = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.gates.set(step, { open, release });
  }

  release(step: Step): void {
    this.gates.get(step)?.release();
    this.gates.delete(step);
  }

  /** Fails a step for good until it is mended. */
  break(step: Step, message: string, type = 'Conflict'): void {
    this.faults.set(step, { message, type });
  }

  mend(step: Step): void {
    this.faults.delete(step);
  }

  count(call: string): number {
    return this.calls.filter((one) => one === call).length;
  }

  /** Waits until a step has begun. */
  async begun(step: Step): Promise<void> {
    while (!this.reached.has(step)) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  private async pass(step: string, moveId?: string): Promise<void> {
    const ordinal = moveId?.split('-').at(-1);
    const name = ordinal === undefined ? step : `${step} ${ordinal}`;
    this.calls.push(name);
    if (Context.current().info.attempt > 1) this.repeated.push(name);
    this.reached.add(step).add(name);
    for (const key of [step, name]) {
      const fault = this.faults.get(key);
      if (fault) throw ApplicationFailure.nonRetryable(fault.message, fault.type);
      const gate = this.gates.get(key);
      if (gate) await this.wait(gate.open);
    }
  }

  private async wait(open: Promise<void>): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 200);
    try {
      await Promise.race([open, context.cancelled]);
    } finally {
      clearInterval(beat);
    }
  }

  private validated(changeId: string): ValidatedChange {
    this.changeId = changeId;
    return {
      changeId,
      kind: 'rebalance',
      edits: editsOf({ kind: 'rebalance' }),
      planId: null,
      added: this.added,
      removed: this.removed,
      rollback: this.rollback,
      searchable: true,
      options: {
        retentionMs: 0,
        concurrency: 2,
        stepDeadlineMs: 30_000,
        approve: false,
        nodeConcurrency: null,
        copyChunkDocuments: null,
        copyDocumentsPerSecond: null,
        ...this.options,
      },
    };
  }

  activities(more: Partial<Activities> = {}): Activities {
    return {
      openVerification: async () => unused(),
      runVerification: async () => unused(),
      watchHealth: async () => unused(),
      noteHealing: async () => unused(),
      repairFindings: async () => unused(),
      recheckFindings: async () => unused(),
      closeVerification: async () => unused(),
      validateChange: async ({ changeId }) => {
        await this.pass('validate');
        return this.validated(changeId);
      },
      listLeftovers: async () => this.leftovers.map((moveId) => ({ moveId })),
      sideToDelete: async (moveId) => {
        if (this.flipped.has(moveId)) return 'source';
        return this.drops.has(Number(moveId.split('-').at(-1))) ? 'none' : 'target';
      },
      addNodes: async () => this.pass('add nodes'),
      planChange: async () => {
        await this.pass('plan');
        return { moves: this.moves, documents: 0 };
      },
      finishChange: async () => this.pass('finish'),
      abandonChange: async (_change, status) => this.pass(`abandon as ${status}`),
      reportStanding: async (_changeId, status) => this.pass(status),
      saveControl: async (_changeId, control) => {
        this.control = control;
      },
      recordDecision: async (_changeId, { action, by, detail }, control) => {
        this.decisions.push({ action, by, detail });
        this.control = control;
      },
      listMovesToStart: async (changeId, first, limit) =>
        Array.from({ length: Math.min(limit, this.moves - first) }, (_, at) => ({
          moveId: moveIdOf(changeId, first + at),
          nodes: this.nodes(first + at),
        })),
      endRetention: async () => {
        await this.pass('end retention');
        return 1;
      },
      listDueRetentions: async () => [...this.due],
      closeRetained: async () => 0,
      requireRetained: async (_changeId, moveId) => this.pass('require retained', moveId),
      compareSource: async (moveId) => {
        await this.pass('compare', moveId);
        return { documents: 1, digest: '', rounds: 1 };
      },
      flipBack: async (moveId) => {
        await this.pass('flip back', moveId);
        this.rolledBack.add(moveId);
        await this.pass('flipped back', moveId);
        return { epoch: 2 };
      },
      cancelRollback: async (moveId) => {
        await this.pass('cancel rollback', moveId);
        return !this.rolledBack.has(moveId);
      },
      markMove: async (moveId, phase) => this.pass(`mark ${phase}`, moveId),
      snapshotShard: async (moveId) => {
        await this.pass('snapshot', moveId);
        return { documents: 1, position: 0, attempt: 1 };
      },
      copyShard: async (moveId) => {
        await this.pass('copy', moveId);
        return { documents: 1, bytes: 1 };
      },
      joinShard: async (moveId) => {
        await this.pass('join', moveId);
        return { joined: true };
      },
      verifyShard: async (moveId) => {
        await this.pass('verify', moveId);
        return { documents: 1, digest: '', rounds: 1 };
      },
      flipShard: async (moveId) => {
        await this.pass('flip', moveId);
        this.flipped.add(moveId);
        await this.pass('flipped', moveId);
        return { epoch: 1 };
      },
      deleteReplica: async (moveId, side) => {
        await this.pass(`delete ${side}`, moveId);
        return { deleted: 0 };
      },
      deliver: async () => {
        await this.pass('deliver');
        return 'over';
      },
      ...more,
    };
  }
}

function unused(): never {
  throw new Error('no move does this');
}

/** The activities of whatever moves a test has now, behind one worker for all tests. */
export function forwardTo(moves: () => FakeMoves): Activities {
  type Named = Record<string, (...args: unknown[]) => unknown>;
  const named = (of: FakeMoves) => of.activities() as unknown as Named;
  const names = Object.keys(named(new FakeMoves()));
  const forward =
    (name: string) =>
    (...args: unknown[]) =>
      named(moves())[name]!(...args);
  return Object.fromEntries(names.map((name) => [name, forward(name)])) as unknown as Activities;
}
