// What operators decide, as the activities of the workflows that hear it: the store knows, the record says who and when.
import type { ChangeControl } from '../../shared/core/change-control.js';
import type { MoveSelection } from '../../shared/io/store-control.js';
import type { MoveToStart } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { releaseNodes } from './nodes.js';
import { listClosable } from './retained.js';
import { requireNobodyLeaves } from './rollback.js';

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
      const closable = await listClosable(store);
      for (const { id, leaving } of closable) {
        for (const node of leaving) await store.dropKept(node);
        await releaseNodes(deps, id, leaving);
        await store.setChangeStatus(id, 'done');
        await store.recordEvent({
          changeId: id,
          event: 'retention over',
          moveId: null,
          by: null,
          detail: {},
        });
      }
      return closable.length;
    },

    /** Refuses a move that this change cannot take back. */
    async requireRetained(changeId: string, moveId: string): Promise<void> {
      const move = await store.readMove(moveId);
      if (move?.changeId !== changeId)
        throw finalFailure('Conflict', `there is no move "${moveId}" in this change`);
      const change = await store.readChange(changeId);
      if (change !== null) requireNobodyLeaves(change, moveId);
      if (move.phase !== 'retain')
        throw finalFailure('Conflict', `no source of move "${moveId}" is kept: it is in ${move.phase}`);
    },

    async cancelRollback(moveId: string): Promise<boolean> {
      return store.cancelRollback(moveId);
    },
  };
}
