// Starts and ends verifications through Temporal, one at a time.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../core/errors.js';
import { cancelRunning, type TemporalChanges } from './changes.js';
import type { VerificationInput } from './store-verifications.js';

export interface StartedVerification {
  verificationId: string;
  workflowId: string;
}

export interface VerificationStarter {
  /** Throws ApiError miroir_verification_in_progress while another one runs. */
  start(input: Partial<VerificationInput>): Promise<StartedVerification>;
  /** Ends the running one after the comparison it is at. */
  abort(): Promise<void>;
}

/** How long a new verification waits for one that is over in the store and not yet as a workflow. */
const ENDING_MS = 10_000;
const CALL_MS = 4_000;

export class TemporalVerifications implements VerificationStarter {
  private readonly workflowId: string;

  constructor(
    private readonly temporal: Pick<TemporalChanges, 'call'>,
    private readonly target: { taskQueue: string; clusterId: string },
    /** Whether the store knows of one that runs. */
    private readonly isRunning: () => Promise<boolean>,
  ) {
    this.workflowId = `miroir/verify/${target.clusterId}`;
  }

  async start(input: Partial<VerificationInput>): Promise<StartedVerification> {
    const untilMs = performance.now() + ENDING_MS;
    for (;;) {
      try {
        return await this.startOnce(input);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 'miroir_change_in_progress')) throw error;
        if (performance.now() > untilMs || (await this.isRunning()))
          throw new ApiError(
            'miroir_verification_in_progress',
            'A verification is in progress, and there can be only one. ' +
              'Follow it with `miroir-ctl verify status`, or end it with `miroir-ctl verify abort`.',
          );
        await sleep(100);
      }
    }
  }

  private startOnce(input: Partial<VerificationInput>): Promise<StartedVerification> {
    return this.temporal.call(CALL_MS, async (client) => {
      const handle = await client.workflow.start('verifyCluster', {
        workflowId: this.workflowId,
        taskQueue: this.target.taskQueue,
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        args: [input],
        staticSummary: `verify ${input.index ?? 'all indexes'}${input.repair ? ' and repair' : ''}`.slice(
          0,
          200,
        ),
      });
      return { verificationId: handle.firstExecutionRunId, workflowId: this.workflowId };
    });
  }

  async abort(): Promise<void> {
    try {
      await this.temporal.call(CALL_MS, (client) =>
        cancelRunning(client.workflow.getHandle(this.workflowId)),
      );
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'miroir_change_not_found')) throw error;
      throw new ApiError('miroir_verification_not_found', 'No verification is in progress.');
    }
  }
}
