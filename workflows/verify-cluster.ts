// Compares all replicas (`miroir/verify/<cluster>`, one at a time). What it finds is in the state store; the workflow is
// what keeps it going. `scheduledVerify` is what a schedule starts, for it gives every run an id of its own.
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { failureType, rootMessage } from './failure-text.js';
import { long, meta } from './steps.js';

export interface VerifyInput {
  index?: string | null;
  repair?: boolean;
  from?: string | null;
  documentsPerSecond?: number | null;
}

export interface VerifyResult {
  verificationId: string;
  items: number;
  different: number;
}

export async function verifyCluster(input?: VerifyInput): Promise<VerifyResult> {
  const { workflowId, firstExecutionRunId: verificationId } = workflowInfo();
  try {
    await meta.openVerification.executeWithOptions({ summary: 'write the comparisons down' }, [
      { workflowId, verificationId, input: input ?? {} },
    ]);
    setCurrentDetails('Compares settings, strays and every shard on all of its replicas.');
    const result = await long.runVerification.executeWithOptions({ summary: 'compare' }, [verificationId]);
    await meta.closeVerification(verificationId, 'done', null);
    setCurrentDetails(`${result.items} comparisons, ${result.different} with differences.`);
    return { verificationId, ...result };
  } catch (error) {
    const status = isCancellation(error) ? 'aborted' : 'failed';
    await CancellationScope.nonCancellable(() =>
      meta.closeVerification(verificationId, status, status === 'failed' ? rootMessage(error) : null),
    );
    if (error instanceof ActivityFailure && !isCancellation(error))
      throw ApplicationFailure.nonRetryable(rootMessage(error), failureType(error) ?? 'VerificationFailed');
    throw error;
  }
}

/** One run of the schedule: waits for the verification, or leaves it out when one runs already. */
export async function scheduledVerify(clusterId: string): Promise<string> {
  try {
    const result = await executeChild(verifyCluster, {
      workflowId: `miroir/verify/${clusterId}`,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: 'scheduled verification',
      args: [{}],
    });
    return `verification ${result.verificationId}: ${result.different} differences`;
  } catch (error) {
    if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    return 'left out: a verification is running';
  }
}
