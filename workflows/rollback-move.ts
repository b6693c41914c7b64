// Takes one flipped move back: its source is compared with what the fleet has, becomes readable in one flip, and the
// former target goes. Until that flip everything stays as it is; after it the rollback goes forward.
import {
  CancellationScope,
  CancelledFailure,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { failureType } from './failure-text.js';
import { gateSignal, waitForGate } from './gate.js';
import type { Gate, MoveResult } from './messages.js';
import { meta, moveSteps } from './steps.js';

export interface RollbackInput {
  moveId: string;
  stepDeadlineMs: number;
  gate: Gate;
}

export async function rollbackMove(input: RollbackInput): Promise<MoveResult> {
  const { moveId, stepDeadlineMs } = input;
  const steps = moveSteps(stepDeadlineMs);
  const say = (text: string) => setCurrentDetails(`Rollback of move ${moveId}: ${text}`);
  let { gate } = input;
  setHandler(gateSignal, (next) => {
    gate = next;
  });
  const compare = async () => {
    say('comparing the source with what the fleet has');
    return steps.compareSource.executeWithOptions({ summary: 'compare' }, [moveId]);
  };
  try {
    let { documents } = await compare();
    if (await waitForGate(moveId, () => gate, say)) documents = (await compare()).documents;
    say('flipping back: the source becomes readable once every proxy knows');
    await steps.flipBack.executeWithOptions({ summary: 'flip back' }, [moveId]);
    await endRollback(moveId, stepDeadlineMs);
    say('done');
    return { outcome: 'rolled-back', documents };
  } catch (error) {
    if (isCancellation(error) || CancellationScope.current().consideredCancelled) {
      say('cancelled');
      if (await CancellationScope.nonCancellable(() => settleRollback(moveId, stepDeadlineMs)))
        return { outcome: 'rolled-back', documents: 0 };
      throw isCancellation(error) ? error : new CancelledFailure('the rollback was cancelled');
    }
    if (failureType(error) === 'IndexDeleted') return { outcome: 'skipped', documents: 0 };
    throw error;
  }
}

/** Deletes the former target after the flip back. */
async function endRollback(moveId: string, deadlineMs: number): Promise<void> {
  const steps = moveSteps(deadlineMs);
  await steps.deleteReplica.executeWithOptions({ summary: 'delete the former target' }, [moveId, 'target']);
  await meta.markMove(moveId, 'rolled-back', null);
}

/** Ends a rollback that does not go on; answers whether the source is read again, whatever became of the answer. */
export async function settleRollback(moveId: string, deadlineMs: number): Promise<boolean> {
  if (await meta.cancelRollback(moveId)) return false;
  await endRollback(moveId, deadlineMs);
  return true;
}
