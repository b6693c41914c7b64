// What operators decide, as the activities of the workflows that hear it: the store knows, the record says who and when.
import type { ChangeControl } from '../../shared/core/change-control.js';
import { editsOf, releasedNodes } from '../../shared/core/change-edits.js';
import type { MoveSelection } from '../../shared/io/store-control.js';
import type { MoveToStart } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { releaseNodes } from './nodes.js';

export interface Decided {
  action: string;
  by: string;
  moveId: string | null;
  detail: Record<string, unknown>;
}

/** Deletions that one run of `endRetention` takes on. */
const DUE = 200;

export function createDecisionActivities(deps: ActivityDeps) {
  const { store } = deps;
  return {
    async saveControl(changeId: string, control: ChangeControl): Promise<void> {
      await store.saveControl(changeId, control);
    },

    async recordDecision(changeId: string, decided: Decided, control: ChangeControl): Promise<void> {
      await store.saveControl(changeId, control);
      const { action, by, moveId, detail } = decided;
      await store.recordEvent({ changeId, event: action, moveId, by, detail });
    },

    /** The moves of a change from `first` on, with the nodes that each reads from and writes to. */
    async listMovesToStart(changeId: string, first: number, limit: number): Promise<MoveToStart[]> {
      const moves = await store.listMovesFrom(changeId, first, limit);
      return moves.map(({ id, copyFrom, targetNode }) => ({ moveId: id, nodes: [copyFrom, targetNode] }));
    },

    async reportStanding(
      changeId: string,
      status: 'running' | 'paused' | 'awaiting-approval' | 'needs-attention',
    ): Promise<void> {
      await store.setChangeStatus(changeId, status);
      await store.recordEvent({ changeId, event: status, moveId: null, by: null, detail: {} });
    },

    async endRetention(which: MoveSelection): Promise<number> {
      return store.endRetention(which);
    },

    async listDueRetentions(): Promise<{ moveId: string; side: 'source' | 'target' }[]> {
      const moves = await store.listDueRetentions(DUE);
      return moves.map((move) => ({
        moveId: move.id,
        side: move.rolledBackEpoch === null ? 'source' : 'target',
      }));
    },

    /** Ends the changes that keep nothing any more; a removed node leaves the fleet here. Answers how many ended. */
    async closeRetained(): Promise<number> {
      let closed = 0;
      for (const { id, input } of await store.listRetainedOut()) {
        const leaving = releasedNodes(editsOf(input));
        const { kept, serving } = await store.countReplicas(leaving);
        if (kept + serving > 0) continue;
        await releaseNodes(deps, id, leaving);
        await store.setChangeStatus(id, 'done');
        await store.recordEvent({
          changeId: id,
          event: 'retention over',
          moveId: null,
          by: null,
          detail: {},
        });
        closed += 1;
      }
      return closed;
    },

    async cancelRollback(moveId: string): Promise<boolean> {
      return store.cancelRollback(moveId);
    },
  };
}
