// Proxy leases: granted at the current epoch only.
import type { LeaseRow, RenewResult, Store } from '../store.js';
import { readEpoch } from './cluster.js';
import type { Tx } from './driver.js';
import { advanceTasks } from './progress.js';

/** Clocks of two hosts may drift apart by this much during a lease. */
const DRIFT_MS = 500;

export async function renewLease(tx: Tx, lease: Parameters<Store['renewLease']>[0]): Promise<RenewResult> {
  const epoch = await readEpoch(tx);
  if (lease.epoch !== epoch) return { granted: false, epoch };
  const untilMs = tx.nowMs + lease.ttlMs;
  await tx.run(
    `INSERT INTO leases (proxy_id, url, epoch, oldest_epoch, until_ms, dead_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (proxy_id) DO UPDATE SET url = excluded.url, epoch = excluded.epoch,
       oldest_epoch = excluded.oldest_epoch, until_ms = excluded.until_ms, dead_ms = excluded.dead_ms`,
    [
      lease.proxyId,
      lease.url,
      lease.epoch,
      lease.oldestEpoch,
      untilMs,
      untilMs + (lease.graceMs ?? lease.ttlMs) + DRIFT_MS,
    ],
  );
  await advanceTasks(tx);
  // Finishing a task may have begun a new epoch; the proxy learns of it at its next look.
  return { granted: true, epoch };
}

export async function dropLease(tx: Tx, proxyId: string): Promise<void> {
  await tx.run('DELETE FROM leases WHERE proxy_id = ?', [proxyId]);
  await advanceTasks(tx);
}

export async function readLeases(tx: Tx): Promise<LeaseRow[]> {
  await tx.run('DELETE FROM leases WHERE dead_ms < ?', [tx.nowMs - 3_600_000]);
  const rows = await tx.all<{
    proxy_id: string;
    url: string | null;
    epoch: number;
    oldest_epoch: number;
    until_ms: number;
  }>('SELECT * FROM leases WHERE dead_ms > ? ORDER BY proxy_id', [tx.nowMs]);
  return rows.map((row) => ({
    proxyId: row.proxy_id,
    url: row.url,
    epoch: row.epoch,
    oldestEpoch: row.oldest_epoch,
    untilMs: row.until_ms,
  }));
}
