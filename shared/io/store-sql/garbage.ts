// Retention: what nobody can need any more. Payloads stay from the minimum of all positions, open moves included.
import { isoTime, one, type Tx } from './driver.js';

/** Abandoned staging (a proxy that died while a body streamed in) is dropped after this. */
const STAGING_MS = 3_600_000;

export async function collectGarbage(tx: Tx): Promise<number> {
  const positions = await one<{ lowest: number | null }>(
    tx,
    `SELECT MIN(position) AS lowest FROM (
       SELECT position FROM streams
       UNION ALL SELECT held_position FROM replicas WHERE held_position IS NOT NULL
       UNION ALL SELECT m.snapshot_position FROM moves m JOIN replicas r ON r.move_id = m.id
         WHERE m.snapshot_position IS NOT NULL AND m.finished_at IS NULL AND m.flipped_epoch IS NULL) needed`,
  );
  const open = await one<{ first: number | null }>(
    tx,
    'SELECT MIN(seq) AS first FROM journal WHERE finished_at IS NULL',
  );
  let removed = 0;
  if (positions?.lowest !== null && positions?.lowest !== undefined) {
    const upTo = Math.min(positions.lowest, (open?.first ?? Number.MAX_SAFE_INTEGER) - 1);
    removed += await tx.run('DELETE FROM parts WHERE seq IS NOT NULL AND seq <= ?', [upTo]);
    await tx.run('DELETE FROM filter_matches WHERE seq <= ?', [upTo]);
    await tx.run(
      `DELETE FROM indexes WHERE deleted_seq IS NOT NULL AND deleted_seq <= ?
         AND NOT EXISTS (SELECT 1 FROM physical_names p WHERE p.incarnation = indexes.incarnation)`,
      [upTo],
    );
    await tx.run('DELETE FROM index_fields WHERE incarnation NOT IN (SELECT incarnation FROM indexes)');
  }
  removed += await tx.run('DELETE FROM parts WHERE staging_id IS NOT NULL AND staged_at < ?', [
    isoTime(tx.nowMs - STAGING_MS),
  ]);
  removed += await tx.run(
    `DELETE FROM controls WHERE status <> 'waiting' AND move_id IN (SELECT id FROM moves WHERE finished_at IS NOT NULL)`,
  );
  // Controls of no move: those who asked have long read the answer.
  removed += await tx.run(
    `DELETE FROM controls WHERE status <> 'waiting' AND move_id IS NULL
       AND id < (SELECT COALESCE(MAX(id), 0) FROM controls) - 1000`,
  );
  return removed;
}
