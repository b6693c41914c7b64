// All activities of Miroir, made from what they work with.
import type { NodeId } from '../shared/core/topology.js';
import type { MoveRow } from '../shared/io/store.js';
import type { ChangeNode, MoveInput, ValidatedChange } from '../workflows/messages.js';
import { type Beat, withBeat } from './beat.js';
import { addNodes, awaitProvisioned, releaseNodes } from './changes/nodes.js';
import { planChange } from './changes/plan.js';
import { type ChangeDefaults, validateChange } from './changes/validate.js';
import type { ActivityDeps } from './deps.js';
import { finalFailure, runStep } from './failures.js';
import { copyShard } from './moves/copy.js';
import { deleteReplica } from './moves/delete.js';
import { flipShard } from './moves/flip.js';
import { joinShard } from './moves/join.js';
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
    async validateChange(run: {
      workflowId: string;
      changeId: string;
      input: unknown;
    }): Promise<ValidatedChange> {
      return validateChange(deps, deps.defaults, run);
    },

    /** Moves of dead runs that still own a replica, and which side of each must go. */
    async listLeftovers(changeId: string): Promise<{ moveId: string; side: 'source' | 'target' }[]> {
      const moves = await store.adoptLeftovers(changeId);
      return moves.map((move: MoveRow) => ({
        moveId: move.id,
        side: move.flippedEpoch === null ? 'target' : 'source',
      }));
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
      return withBeat(deps.heartbeatIntervalMs, (beat) => planChange(deps, change, beat));
    },

    async finishChange(change: ValidatedChange): Promise<void> {
      await runStep(async () => {
        if (change.kind === 'remove') await releaseNodes(deps, change.changeId, change.removed);
        if (change.kind === 'drain')
          for (const id of change.removed)
            await store.setNodeState(id, 'drained', `change ${change.changeId} drained ${id}`);
        await store.setChangeStatus(change.changeId, 'done');
        await store.collectGarbage();
      });
    },

    /** The nodes of a change that will not go on become ordinary members again. */
    async abandonChange(changeId: string, removed: NodeId[], status: 'aborted' | 'failed'): Promise<void> {
      for (const id of removed) {
        const topology = await store.readTopology();
        if (topology.nodes.find((node) => node.id === id)?.state === 'draining')
          await store.setNodeState(id, 'active', `change ${changeId} was ${status}`);
      }
      await store.setChangeStatus(changeId, status);
    },

    async reportAttention(changeId: string, needed: boolean): Promise<void> {
      await store.setChangeStatus(changeId, needed ? 'needs-attention' : 'running');
    },

    async markMove(moveId: string, phase: 'failed' | 'skipped' | 'aborted' | 'done', error: string | null) {
      const over = phase === 'failed' ? undefined : new Date().toISOString();
      await store.updateMove(moveId, {
        phase,
        // A move that is done has overcome whatever went wrong on its way.
        ...(error === null && phase !== 'done' ? {} : { lastError: error }),
        finishedAt: over,
      });
    },

    snapshotShard: (moveId: string) =>
      moveStep('snapshot', moveId, (beat) => snapshotShard(deps, moveId, beat)),
    copyShard: (
      moveId: string,
      options: Pick<MoveInput, 'copyChunkDocuments' | 'copyDocumentsPerSecond' | 'stepDeadlineMs'>,
    ) =>
      moveStep('copy', moveId, (beat) =>
        copyShard(
          deps,
          moveId,
          {
            chunkDocuments: options.copyChunkDocuments,
            documentsPerSecond: options.copyDocumentsPerSecond,
            stallMs: options.stepDeadlineMs,
          },
          beat,
        ),
      ),
    joinShard: (moveId: string) => moveStep('join', moveId, (beat) => joinShard(deps, moveId, beat)),
    verifyShard: (moveId: string) => moveStep('verify', moveId, (beat) => verifyShard(deps, moveId, beat)),
    flipShard: (moveId: string) => moveStep('flip', moveId, (beat) => flipShard(deps, moveId, beat)),
    deleteReplica: (moveId: string, side: 'source' | 'target') =>
      moveStep('delete', moveId, (beat) => deleteReplica(deps, moveId, side, beat)),

    ...verificationActivities(deps),

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
