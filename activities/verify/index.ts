// The activities of verifications.
import type { VerificationInput, VerificationStatus } from '../../shared/io/store-verifications.js';
import { withBeat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { openVerification } from './open.js';
import { repairFindings } from './repair.js';
import { recheckFindings, runVerification } from './run.js';

export function verificationActivities(deps: ActivityDeps & { heartbeatIntervalMs: number }) {
  return {
    openVerification: (run: {
      workflowId: string;
      verificationId: string;
      input: unknown;
    }): Promise<VerificationInput> => openVerification(deps, run),

    runVerification: (verificationId: string) =>
      withBeat(deps.heartbeatIntervalMs, (beat) => runVerification(deps, verificationId, beat)),

    repairFindings: (verificationId: string, round: number) =>
      withBeat(deps.heartbeatIntervalMs, (beat) => repairFindings(deps, verificationId, round, beat)),

    recheckFindings: (verificationId: string) =>
      withBeat(deps.heartbeatIntervalMs, (beat) => recheckFindings(deps, verificationId, beat)),

    closeVerification: (id: string, status: VerificationStatus, lastError: string | null): Promise<void> =>
      deps.store.setVerificationStatus(id, status, lastError),
  };
}
