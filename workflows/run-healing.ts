// A healing change, started by whoever found it necessary: it copies diverged and missing replicas anew and takes surplus
// ones away, through the one workflow id that changes have.
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  type ChildWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChangeInput } from './messages.js';
import { topologyChange } from './topology-change.js';

const LONGEST_PAUSE_MS = 30_000;

/** Starts a healing change; null while another change runs. */
export async function startHealing(
  cause: string,
): Promise<ChildWorkflowHandle<typeof topologyChange> | null> {
  const clusterId = workflowInfo().workflowId.split('/')[2];
  const input: ChangeInput = { kind: 'heal', nodes: [], cause, options: { retentionMs: 0 } };
  try {
    return await startChild(topologyChange, {
      workflowId: `miroir/topology/${clusterId}`,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      // It is everybody's: neither the end nor the cancellation of whoever asked for it stops it.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      staticSummary: `heal: ${cause}`.slice(0, 200),
      args: [input],
    });
  } catch (error) {
    if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    return null;
  }
}

/**
 * Runs a healing change once no other change runs, and waits for its end. One that an operator's change has taken the
 * place of is tried again after that one, which will mostly have left it nothing to do.
 */
export async function runHealing(cause: string): Promise<void> {
  for (let pauseMs = 1_000; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const child = await startHealing(cause);
    if (child !== null) {
      try {
        await child.result();
        return;
      } catch (error) {
        if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
      }
    }
    await sleep(pauseMs);
  }
}
