// All activities of Miroir, made from what they work with.
import type { NodeId } from '../shared/core/topology.js';
import type { MoveRow } from '../shared/io/store-changes.js';
import type { ChangeNode, MoveInput, ValidatedChange } from '../workflows/messages.js';
import { type Beat, withBeat } from './beat.js';
import { createDecisionActivities } from './changes/decisions.js';
import { abandonChange, finishChange } from './changes/finish.js';
import { addNodes, awaitProvisioned } from './changes/nodes.js';
import { planChange } from './changes/plan.js';
import { planRollback } from './changes/rollback.js';
import { type ChangeDefaults, validateChange } from './changes/validate.js';
import type { ActivityDeps } from './deps.js';
import { finalFailure, runStep } from './failures.js';
import { healthActivities } from './health/index.js';
import { copyShard } from './moves/copy.js';
import { deleteReplica } from './moves/delete.js';
import { flipShard } from './moves/flip.js';
import { joinShard } from './moves/join.js';
import { compareSource, flipBack } from './moves/rollback.js';
import { snapshotShard } from './moves/snapshot.js';
import { verifyShard } from './moves/verify.js';
import { runStream } from './stream/stream.js';
import { verificationActivities } from './verify/index.js';

export interface WorkerDeps extends ActivityDeps {
  /** Names this process in streams and logs. */
  holder: string;
  defaults: ChangeDefaults;
  heartbeatIntervalMs: number;
  /** True once this process is to stop: streams end between two groups. */
  isEnding: () => boolean;
  /** Starts the stream's workflow of a node unless it runs. */
  startStream: (node: NodeId) => Promise<void>;
}

export function createActivities(deps: WorkerDeps) {
  const { store } = deps;

  /** A step of a move: beaten, timed, and written into the move's audit with what came of it. */
  async function moveStep<T extends object>(
    step: string,
    moveId: string,
    work: (beat: Beat) => Promise<T>,
  ): Promise<T> {
    return withBeat(deps.heartbeatIntervalMs, async (beat) => {
      const begun = deps.clock.nowMs();
      const at = new Date().toISOString();
      const record = async (detail: Record<string, unknown>) => {
        const durationMs = deps.clock.nowMs() - begun;
        await store.recordStep({ moveId, step, attempt: beat.attempt, at, durationMs, detail });
      };
      try {
        const result = await runStep(() => work(beat));
        await record({ ...result } as Record<string, unknown>);
        return result;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (!beat.signal.aborted) {
          await store.updateMove(moveId, { lastError: message });
          await record({ error: message });
        }
        if (await isIndexGone(moveId)) throw finalFailure('IndexDeleted', 'the index has been deleted');
        throw error;
      }
    });
  }

  /** Then no retry of whatever failed can mend it, and there is nothing left to move. */
  async function isIndexGone(moveId: string): Promise<boolean> {
    const move = await store.readMove(moveId);
    const { indexes } = await store.readTopology();
    const index = indexes.find((candidate) => candidate.incarnation === move?.incarnation);
    return move !== null && (index === undefined || index.deletedSeq !== null);
  }

  return {
    ...createDecisionActivities(deps),

    async validateChange(run: {
      workflowId: string;
      changeId: string;
      input: unknown;
    }): Promise<ValidatedChange> {
      return validateChange(deps, deps.defaults, run);
    },

    /** Moves of dead runs that still own a target, which must go. */
    async listLeftovers(changeId: string): Promise<{ moveId: string }[]> {
      const moves = await store.adoptLeftovers(changeId);
      return moves.map((move: MoveRow) => ({ moveId: move.id }));
    },

    /** Which replica goes when the move ends now: before its flip the target (of a drop none), after it the source. */
    async sideToDelete(moveId: string): Promise<'source' | 'target' | 'none'> {
      const move = await store.readMove(moveId);
      if (move !== null && move.flippedEpoch !== null) return 'source';
      return move?.kind === 'drop' ? 'none' : 'target';
    },

    async addNodes(changeId: string, nodes: ChangeNode[]): Promise<void> {
      await withBeat(deps.heartbeatIntervalMs, async (beat) => {
        await runStep(() => addNodes(deps, changeId, nodes, beat));
        for (const node of nodes) await deps.startStream(node.id);
        await awaitProvisioned(
          deps,
          changeId,
          nodes.map((node) => node.id),
          beat,
        );
      });
    },

    async planChange(change: ValidatedChange): Promise<{ moves: number; documents: number }> {
      const { changeId, rollback } = change;
      const plan = await withBeat(deps.heartbeatIntervalMs, (beat) =>
        rollback === null
          ? runStep(() => planChange(deps, change, beat))
          : planRollback(deps, change, rollback),
      );
      await store.recordEvent({ changeId, event: 'planned', moveId: null, by: null, detail: plan });
      return plan;
    },

    async finishChange(change: ValidatedChange): Promise<void> {
      await runStep(() => finishChange(deps, change));
    },

    /** The nodes of a change that will not go on become ordinary members again. */
    async abandonChange(
      change: ValidatedChange,
      status: 'aborted' | 'failed',
      reason: string | null = null,
    ): Promise<void> {
      await runStep(() => abandonChange(deps, change, status, reason));
    },

    /** `retain`: the source stays until its time; a move without one is done. */
    async markMove(
      moveId: string,
      phase: 'failed' | 'skipped' | 'aborted' | 'done' | 'retain' | 'rolled-back',
      error: string | null,
    ): Promise<void> {
      const move = await store.readMove(moveId);
      // Its retention may have ended before anyone could say that it had begun.
      if (phase === 'retain' && move?.finishedAt !== null) return;
      const reached = phase === 'retain' && move?.retainUntil === null ? 'done' : phase;
      const over = reached === 'failed' || reached === 'retain' ? undefined : new Date().toISOString();
      await store.updateMove(moveId, {
        phase: reached,
        // A move that has flipped, or is done, has overcome whatever went wrong on its way.
        ...(error === null && ['skipped', 'aborted'].includes(reached) ? {} : { lastError: error }),
        finishedAt: over,
      });
    },

    snapshotShard: (moveId: string) =>
      moveStep('snapshot', moveId, (beat) => snapshotShard(deps, moveId, beat)),
    copyShard: (moveId: string, options: Pick<MoveInput, 'copyChunkDocuments' | 'stepDeadlineMs'>) =>
      moveStep('copy', moveId, (beat) =>
        copyShard(
          deps,
          moveId,
          {
            chunkDocuments: options.copyChunkDocuments,
            stallMs: options.stepDeadlineMs,
          },
          beat,
        ),
      ),
    joinShard: (moveId: string) => moveStep('join', moveId, (beat) => joinShard(deps, moveId, beat)),
    verifyShard: (moveId: string) => moveStep('verify', moveId, (beat) => verifyShard(deps, moveId, beat)),
    flipShard: (moveId: string, retentionMs: number) =>
      moveStep('flip', moveId, (beat) => flipShard(deps, moveId, beat, retentionMs)),
    compareSource: (moveId: string) =>
      moveStep('compare', moveId, (beat) => compareSource(deps, moveId, beat)),
    flipBack: (moveId: string) => moveStep('flip back', moveId, (beat) => flipBack(deps, moveId, beat)),
    deleteReplica: (moveId: string, side: 'source' | 'target') =>
      moveStep('delete', moveId, (beat) => deleteReplica(deps, moveId, side, beat)),

    ...verificationActivities(deps),
    ...healthActivities(deps),

    /** A node's stream, for as long as this worker holds it. */
    async deliver(node: NodeId): Promise<'over' | 'removed'> {
      return withBeat(deps.heartbeatIntervalMs, async (beat) => {
        const endMs = deps.clock.nowMs() + deps.options.streamMs;
        return runStream(deps, {
          node,
          holder: deps.holder,
          signal: beat.signal,
          isOver: () => deps.isEnding() || deps.clock.nowMs() > endMs,
          report: (progress) => beat.report(progress),
        });
      });
    },
  };
}

export type Activities = ReturnType<typeof createActivities>;
