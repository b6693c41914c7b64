// Taking surplus replicas away: the same way as the source of a flip goes, but nothing arrives in its place.
import { DIVERGED } from '../../core/replica-states.js';
import type { MoveRow } from '../store-changes.js';
import { bumpEpoch, readEpoch } from './cluster.js';
import { isoTime, one, type Tx } from './driver.js';
import { readReplica } from './moves.js';

/** Why a drop may not begin, or null: as many in-sync replicas as the index keeps must be left beside it. */
export async function refuseDrop(tx: Tx, move: MoveRow): Promise<'too-few-replicas' | null> {
  const row = await one<{ left: number; factor: number }>(
    tx,
    `SELECT i.replication_factor AS factor, (SELECT COUNT(*) FROM replicas r WHERE r.incarnation = i.incarnation
       AND r.shard = ? AND r.node <> ? AND r.state = 'in-sync') AS left
     FROM indexes i WHERE i.incarnation = ?`,
    [move.shard, move.sourceNode, move.incarnation],
  );
  return row && row.left >= Math.max(1, row.factor) ? null : 'too-few-replicas';
}

/** The flip of a drop: the replica leaves in-sync and is retained, in one new epoch. */
export async function retainSurplus(
  tx: Tx,
  move: MoveRow,
  retentionMs: number,
): Promise<{ flipped: boolean; epoch: number; reason: string | null }> {
  const row = move.sourceNode === null ? undefined : await readReplica(tx, move, move.sourceNode);
  if (row) {
    const isFree = row.move_id === null || row.move_id.startsWith(DIVERGED);
    if (!isFree || !['in-sync', 'joined'].includes(row.state))
      return { flipped: false, epoch: 0, reason: 'replica-owned' };
    const reason = await refuseDrop(tx, move);
    if (reason !== null) return { flipped: false, epoch: 0, reason };
  }
  // One that is gone already leaves nothing to do, but the move has to end.
  const epoch = row
    ? await bumpEpoch(tx, `move ${move.id} takes a surplus replica away`)
    : await readEpoch(tx);
  await tx.run(
    `UPDATE replicas SET state = 'retained', move_id = ?, since_epoch = ?, left_epoch = COALESCE(left_epoch, ?),
       awaited = 0 WHERE incarnation = ? AND shard = ? AND node = ?`,
    [move.id, epoch, epoch, move.incarnation, move.shard, move.sourceNode],
  );
  await tx.run(
    `UPDATE moves SET flipped_epoch = ?, flipped_at = ?, phase = ?, retain_until = ?,
       started_at = COALESCE(started_at, ?) WHERE id = ?`,
    [
      epoch,
      isoTime(tx.nowMs),
      retentionMs > 0 ? 'retain' : 'delete',
      row ? isoTime(tx.nowMs + retentionMs) : null,
      isoTime(tx.nowMs),
      move.id,
    ],
  );
  return { flipped: true, epoch, reason: null };
}
