// Runs one move of a change as its child. Never throws: what becomes of the move is in the state.
import {
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  sleep,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { ChangeState } from './change-state.js';
import { rootMessage } from './failure-text.js';
import type { MoveResult, ValidatedChange } from './messages.js';
import { moveShard } from './move-shard.js';
import { meta } from './steps.js';

export async function runMove(state: ChangeState, change: ValidatedChange, moveId: string): Promise<void> {
  try {
    const result = await executeMove(change, moveId);
    state.end(moveId, result.outcome);
  } catch (error) {
    if (isCancellation(error)) {
      // Without the change being cancelled, an operator has cancelled this move alone.
      return state.end(moveId, CancellationScope.current().consideredCancelled ? 'cancelled' : 'skipped');
    }
    const message = rootMessage(error);
    await CancellationScope.nonCancellable(() => meta.markMove(moveId, 'failed', message));
    state.fail(moveId, message);
  }
}

/** A child of a run that was reset or replaced may still be at it: wait for its end, then do the move again. */
async function executeMove(change: ValidatedChange, moveId: string): Promise<MoveResult> {
  const { retentionMs, stepDeadlineMs, copyChunkDocuments, copyDocumentsPerSecond } = change.options;
  for (;;) {
    try {
      return await executeChild(moveShard, {
        workflowId: `miroir/move/${moveId}`,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `move ${moveId}`,
        args: [{ moveId, retentionMs, stepDeadlineMs, copyChunkDocuments, copyDocumentsPerSecond }],
      });
    } catch (error) {
      // The class is not exported to workflows.
      if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
      await sleep('1s');
    }
  }
}
