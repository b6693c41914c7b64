// What activities work with. Built once in worker/main, or by a test.
import type { HealthLimits } from '../shared/core/node-health.js';
import type { Clock } from '../shared/io/clock.js';
import type { Faults } from '../shared/io/faults.js';
import type { NodeDirectory } from '../shared/io/node-directory.js';
import type { Store } from '../shared/io/store.js';

export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface ActivityOptions {
  /** How long a stream sleeps when it has nothing to do. */
  pollMs: number;
  /** A node that does not take deliveries for so long leaves in-sync. */
  demoteAfterMs: number;
  /** A stream's activity ends after this, and its workflow continues as new. */
  streamMs: number;
  groupEntries: number;
  groupBytes: number;
  /** Documents a copy chunk, unless the change says otherwise. */
  copyChunkDocuments: number;
  /** Documents that a verification reads a second, over all replicas, unless it says otherwise. */
  verifyDocumentsPerSecond: number;
  health: HealthLimits;
  /** Key of nodes for which the store has none. */
  nodeMasterKey: string | null;
}

export const DEFAULT_ACTIVITY_OPTIONS: ActivityOptions = {
  pollMs: 10,
  demoteAfterMs: 3_000,
  streamMs: 3_600_000,
  groupEntries: 500,
  groupBytes: 32 * 1024 * 1024,
  copyChunkDocuments: 2_000,
  verifyDocumentsPerSecond: 10_000,
  health: { downAfterMs: 10_000, lostAfterMs: 600_000, recoverAfterMs: 15_000, gapMs: 60_000 },
  nodeMasterKey: null,
};

export interface ActivityDeps {
  store: Store;
  nodes: NodeDirectory;
  hash: (text: string) => bigint;
  log: Log;
  options: ActivityOptions;
  faults: Faults;
  clock: Clock;
}
