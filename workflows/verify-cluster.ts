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
import { runHealing } from './run-healing.js';
import { long, meta } from './steps.js';

/** A second round meets what the first could not: a replica that was the last in-sync one until another was copied. */
const MOST_REPAIRS = 2;

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
    let result = await long.runVerification.executeWithOptions({ summary: 'compare' }, [verificationId]);
    for (let round = 1; input?.repair && result.different > 0 && round <= MOST_REPAIRS; round += 1)
      result = await repair(verificationId, round);
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

/** Repairs what evidence decides, and compares it again. */
async function repair(verificationId: string, round: number): Promise<{ items: number; different: number }> {
  setCurrentDetails('Repairs: sends settings again, deletes strays, marks replicas to be copied anew.');
  const { waiting } = await long.repairFindings.executeWithOptions({ summary: 'repair' }, [
    verificationId,
    round,
  ]);
  if (waiting > 0) await runHealing(`verification ${verificationId} found ${waiting} wrong replicas`);
  return long.recheckFindings.executeWithOptions({ summary: 'compare again' }, [verificationId]);
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
