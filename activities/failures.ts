// Which errors no retry can mend: they end their step and, through the move, wait for an operator.
import { ApplicationFailure } from '@temporalio/activity';
import { StateConflict } from '../shared/io/store.js';

/** `InvalidInput` fails a change at once; the others put one move into needs-attention, or end it. */
export type FailureType =
  | 'InvalidInput'
  | 'VerifyFailed'
  | 'IndexDeleted'
  | 'Conflict'
  | 'StaleEpoch'
  | 'Stalled';

export function finalFailure(type: FailureType, message: string, ...details: unknown[]): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type, ...details);
}

/** Runs a step; a refusal by the state's rules becomes final, everything else is tried again by Temporal. */
export async function runStep<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StateConflict)
      throw finalFailure(error.code === 'index_deleted' ? 'IndexDeleted' : 'Conflict', error.message);
    throw error;
  }
}
