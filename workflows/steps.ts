// The activities as workflows call them: how long each may take, how it is tried again.
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';

/** No retry mends these. */
const FINAL = ['InvalidInput', 'VerifyFailed', 'IndexDeleted', 'Conflict', 'StaleEpoch', 'Stalled'];
const HEARTBEAT = '10s';

/** Short steps that change state: tried until they succeed. */
export const meta = proxyActivities<Activities>({
  // A worker that was stopped may have been given the step: nobody should wait long for it.
  startToCloseTimeout: '15s',
  retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: FINAL },
});

/** Long steps of a change: nodes are probed and given their indexes, large plans are made. */
export const long = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: FINAL },
});

/** The steps of one move: tried again until `deadlineMs` is over, then the move needs attention. */
export function moveSteps(deadlineMs: number) {
  return proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    scheduleToCloseTimeout: deadlineMs,
    heartbeatTimeout: HEARTBEAT,
    // Cleaning up beside a step that still runs would race with it.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: FINAL },
  });
}

/** Copies take as long as they get on; they watch their progress themselves. */
export const copy = proxyActivities<Activities>({
  startToCloseTimeout: '240h',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: FINAL },
});

/** A node's stream: an hour at a time, at once again wherever its worker died. */
export const stream = proxyActivities<Activities>({
  startToCloseTimeout: '2h',
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '100ms', maximumInterval: '2s', backoffCoefficient: 1.5 },
});

/** The end of a change: removed nodes are emptied. */
export const closing = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  retry: { initialInterval: '200ms', maximumInterval: '10s', nonRetryableErrorTypes: FINAL },
});
