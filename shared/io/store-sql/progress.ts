// When is a task finished? Every in-sync replica of every shard that it touches has confirmed it, earlier tasks of
// its index are finished, and whatever it changes for proxies has been acknowledged by every live lease. A replica
// that only waits to become readable is awaited: the watermark stands still until its stream has come up to it.
import { bumpEpoch } from './cluster.js';
import { Confirmations, type Unfinished } from './confirmations.js';
import { cutBatches, isoTime, marks, one, type Tx } from './driver.js';

interface OpenEntry extends Unfinished {
  kind: string;
  creates_index: number;
  settings: string | null;
  outcome: 'succeeded' | 'failed' | null;
  effect_epoch: number | null;
}

/** The oldest epoch that a live proxy may still be answering with; Infinity when no proxy lives. */
export async function oldestLeasedEpoch(tx: Tx): Promise<number> {
  const row = await one<{ epoch: number | null }>(
    tx,
    'SELECT MIN(oldest_epoch) AS epoch FROM leases WHERE dead_ms > ?',
    [tx.nowMs],
  );
  return row?.epoch ?? Number.MAX_SAFE_INTEGER;
}

export async function advanceTasks(tx: Tx): Promise<number> {
  const head = await one<{ position: number | null }>(tx, 'SELECT MAX(position) AS position FROM streams');
  if (head?.position === null || head?.position === undefined) return 0;
  const open = await tx.all<OpenEntry>(
    `SELECT seq, kind, index_uid, incarnation, creates_index, scope, settings, outcome, effect_epoch
     FROM journal WHERE finished_at IS NULL AND seq <= ? ORDER BY seq LIMIT 2000`,
    [head.position],
  );
  if (open.length === 0) return 0;
  const leased = await oldestLeasedEpoch(tx);
  const awaited = await readAwaited(tx);
  const confirmations = new Confirmations(tx, open, leased);
  const finished: OpenEntry[] = [];
  for (const entry of open) {
    if (confirmations.isBlocked(entry)) continue;
    const isAwaited = entry.seq > (awaited.get(entry.incarnation) ?? Number.POSITIVE_INFINITY);
    const isFinished =
      !isAwaited && (await confirmations.has(entry)) && (await isSeen(tx, entry, leased, confirmations));
    if (isFinished) finished.push(entry);
    else confirmations.block(entry);
  }
  await finishEntries(tx, finished);
  return finished.length;
}

/** The position of the slowest awaited replica of each index. */
async function readAwaited(tx: Tx): Promise<Map<number | null, number>> {
  const rows = await tx.all<{ incarnation: number; position: number }>(
    `SELECT r.incarnation, MIN(s.position) AS position FROM replicas r JOIN streams s ON s.node = r.node
     WHERE r.awaited = 1 GROUP BY r.incarnation`,
  );
  return new Map(rows.map((row) => [row.incarnation, row.position]));
}

/** Whether every live proxy knows what a confirmed entry changes for it; makes the change where nobody has yet. */
async function isSeen(
  tx: Tx,
  entry: OpenEntry,
  leased: number,
  confirmations: Confirmations,
): Promise<boolean> {
  let epoch = entry.effect_epoch;
  if (epoch === null) {
    epoch = await applyEffect(tx, entry);
    if (epoch !== null) {
      await tx.run('UPDATE journal SET effect_epoch = ? WHERE seq = ?', [epoch, entry.seq]);
      confirmations.forget();
    }
  }
  return epoch === null || leased >= epoch;
}

async function finishEntries(tx: Tx, entries: readonly OpenEntry[]): Promise<void> {
  const at = isoTime(tx.nowMs);
  const watermarks = new Map<number, number>();
  for (const { incarnation, seq } of entries) if (incarnation !== null) watermarks.set(incarnation, seq);
  for (const batch of cutBatches(entries))
    await tx.run(
      `UPDATE journal SET status = COALESCE(outcome, 'succeeded'), outcome = COALESCE(outcome, 'succeeded'),
         started_at = COALESCE(started_at, ?), finished_at = ? WHERE seq IN (${marks(batch.length)})`,
      [at, at, ...batch.map(({ seq }) => seq)],
    );
  for (const [incarnation, seq] of watermarks)
    await tx.run('UPDATE indexes SET watermark = ?, updated_at = ? WHERE incarnation = ? AND watermark < ?', [
      seq,
      at,
      incarnation,
      seq,
    ]);
}

/** What a finished entry changes for proxies; answers the epoch that they must have seen, or null. */
async function applyEffect(tx: Tx, entry: OpenEntry): Promise<number | null> {
  let epoch: number | null = null;
  if (entry.creates_index === 1) {
    await tx.run('UPDATE indexes SET visible = 1 WHERE incarnation = ?', [entry.incarnation]);
    epoch = await bumpEpoch(tx, `task ${entry.seq} created the index ${entry.index_uid}`);
  }
  if (entry.kind === 'settingsUpdate' && entry.settings !== null && entry.outcome !== 'failed') {
    await tx.run('UPDATE indexes SET settings = ? WHERE incarnation = ?', [
      entry.settings,
      entry.incarnation,
    ]);
    epoch = await bumpEpoch(tx, `task ${entry.seq} changed the settings of ${entry.index_uid}`);
  }
  if (entry.kind === 'settingsUpdate' && entry.settings !== null && entry.outcome === 'failed') {
    // Nodes refused it: later patches build on what is really there.
    await tx.run(
      'UPDATE indexes SET journaled_settings = settings WHERE incarnation = ? AND journaled_settings = ?',
      [entry.incarnation, entry.settings],
    );
  }
  if (entry.kind === 'indexDeletion' && entry.incarnation !== null && entry.outcome !== 'failed') {
    await tx.run('DELETE FROM replicas WHERE incarnation = ?', [entry.incarnation]);
    epoch = await bumpEpoch(tx, `task ${entry.seq} deleted the index ${entry.index_uid}`);
  }
  return epoch;
}
