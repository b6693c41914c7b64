// What an operator decides about failed moves, as updates: retry, skip, abort; and the query that tells the truth.
import { CancellationScope, defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import type { ChangeState } from './change-state.js';
import { rootMessage } from './failure-text.js';
import type { ChangeProgress } from './messages.js';
import { flippedSignal, settleMove } from './move-shard.js';

export const progressQuery = defineQuery<ChangeProgress>('progress');
export const retryUpdate = defineUpdate<string, [{ moveId?: string }?]>('retry');
export const skipUpdate = defineUpdate<string, [{ moveId?: string }?]>('skip');
export const abortUpdate = defineUpdate<string, [{ moveId?: string }?]>('abort');

/** Within which a move that is given up must be cleaned up; if not, it stays failed. */
const CLEAN_UP_MS = 60_000;

export function registerDecisions(state: ChangeState): void {
  setHandler(progressQuery, () => state.progress(), { description: 'how far the change is' });
  const validator = (input?: { moveId?: string }) => state.requireFailed(input?.moveId);
  setHandler(flippedSignal, (moveId) => state.retain(moveId), {
    description: 'a move waits for its retention only',
  });
  setHandler(retryUpdate, (input) => state.retry(input?.moveId), {
    validator,
    description: 'tries failed moves again from their snapshot',
  });
  setHandler(skipUpdate, (input) => skip(state, input?.moveId), {
    validator,
    description: 'gives failed moves up; their shards stay where they were',
  });
  setHandler(
    abortUpdate,
    (input?: { moveId?: string }) => {
      if (input?.moveId !== undefined) return skip(state, input.moveId);
      state.abort();
      return 'no further moves start; those that run are finished, failed ones are cleaned up';
    },
    {
      validator: (input?: { moveId?: string }) => {
        if (input?.moveId === undefined) state.requireOpen();
        else state.requireFailed(input.moveId);
      },
      description: 'ends the change: moves that run are finished, failed ones cleaned up',
    },
  );
}

async function skip(state: ChangeState, moveId: string | undefined): Promise<string> {
  const ids = state.takeFailed(moveId);
  const ends = await Promise.all(ids.map((id) => giveUp(state, id)));
  const left = ends.filter((end) => end === 'failed').length;
  const skipped = `${ids.length - left} moves skipped: their shards stay where they were`;
  return left === 0 ? skipped : `${skipped}; ${left} could not be cleaned up yet and stay failed`;
}

/**
 * Cleans up after a failed move that was taken out for it. Never throws: one that cannot be cleaned up is failed
 * again and says why.
 */
export async function giveUp(state: ChangeState, moveId: string): Promise<'done' | 'skipped' | 'failed'> {
  try {
    const side = await CancellationScope.nonCancellable(() => settleMove(moveId, CLEAN_UP_MS, 'skipped'));
    const outcome = side === 'source' ? 'done' : 'skipped';
    state.end(moveId, outcome);
    return outcome;
  } catch (error) {
    state.fail(moveId, `could not be cleaned up: ${rootMessage(error)}`);
    return 'failed';
  }
}
