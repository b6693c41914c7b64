// The activities of verifications.
import type { VerificationInput, VerificationStatus } from '../../shared/io/store-verifications.js';
import { withBeat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { openVerification } from './open.js';
import { runVerification } from './run.js';

export function verificationActivities(deps: ActivityDeps & { heartbeatIntervalMs: number }) {
  return {
    openVerification: (run: {
      workflowId: string;
      verificationId: string;
      input: unknown;
    }): Promise<VerificationInput> => openVerification(deps, run),

    runVerification: (verificationId: string) =>
      withBeat(deps.heartbeatIntervalMs, (beat) => runVerification(deps, verificationId, beat)),

    closeVerification: (id: string, status: VerificationStatus, lastError: string | null): Promise<void> =>
      deps.store.setVerificationStatus(id, status, lastError),
  };
}
