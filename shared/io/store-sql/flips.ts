// The steps of a move that change who may be read: verified, flip, delete; and what dead runs left behind.

import type { NodeId } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import type { MoveRow } from '../store-changes.js';
import { bumpEpoch } from './cluster.js';
import { readCopy, spoilReaders } from './copies.js';
import { isoTime, one, type Tx } from './driver.js';
import { refuseDrop, retainSurplus } from './drops.js';
import { dropWaitingControls, OPEN, readMove, readReplica, requireMove } from './moves.js';
import { oldestLeasedEpoch } from './progress.js';

export async function markVerified(tx: Tx, moveId: string): Promise<void> {
  const move = await requireMove(tx, moveId);
  const copy = await readCopy(tx, moveId);
  if (copy?.spoiled != null && move.flippedEpoch === null)
    throw new StateConflict('copy_spoiled', `move ${moveId} must copy again: ${copy.spoiled}`);
  const changed = await tx.run(
    `UPDATE replicas SET state = 'verified' WHERE incarnation = ? AND shard = ? AND node = ? AND move_id = ?
       AND state IN ('joined', 'verified')`,
    [move.incarnation, move.shard, move.targetNode, moveId],
  );
  if (changed === 0 && move.flippedEpoch === null)
    throw new StateConflict('replica_owned', `move ${moveId} has no joined replica to call verified`);
}

/** Without a retention time the move itself deletes its source at once. */
export async function flipMove(
  tx: Tx,
  moveId: string,
  retentionMs = 0,
): Promise<{ flipped: boolean; epoch: number; reason: string | null }> {
  const move = await requireMove(tx, moveId);
  if (move.flippedEpoch !== null) return { flipped: true, epoch: move.flippedEpoch, reason: null };
  const refuse = (reason: string) => ({ flipped: false, epoch: 0, reason });
  const index = await one<{ watermark: number; deleted_seq: number | null }>(
    tx,
    'SELECT watermark, deleted_seq FROM indexes WHERE incarnation = ?',
    [move.incarnation],
  );
  if (!index || index.deleted_seq !== null) return refuse('index-deleted');
  if (move.finishedAt !== null) return refuse('move-over');
  if (move.kind === 'drop') return retainSurplus(tx, move, retentionMs);
  if ((await readCopy(tx, moveId))?.spoiled != null) return refuse('spoiled');
  const target = await readReplica(tx, move, move.targetNode);
  if (target?.state !== 'verified' || target.move_id !== moveId) return refuse('not-verified');
  const stream = await one<{ position: number; last_error: string | null }>(
    tx,
    'SELECT position, last_error FROM streams WHERE node = ?',
    [move.targetNode],
  );
  if (!stream || stream.position < index.watermark) {
    // Tasks wait for it from now on, so that writes without a pause cannot hold up the flip; not for a node in trouble.
    if (stream?.last_error === null) await awaitReplica(tx, move);
    return refuse('below-watermark');
  }

  const epoch = await bumpEpoch(tx, `move ${moveId} flips`);
  const key = [move.incarnation, move.shard];
  await tx.run(
    `UPDATE replicas SET state = 'in-sync', move_id = NULL, since_epoch = ?, left_epoch = NULL, awaited = 0
     WHERE incarnation = ? AND shard = ? AND node = ?`,
    [epoch, ...key, move.targetNode],
  );
  if (move.sourceNode !== null) {
    // A source that was demoted meanwhile keeps its own left_epoch: it left in-sync earlier.
    await tx.run(
      `UPDATE replicas SET state = 'retained', move_id = ?, since_epoch = ?, left_epoch = COALESCE(left_epoch, ?)
       WHERE incarnation = ? AND shard = ? AND node = ? AND state IN ('in-sync', 'joined')`,
      [moveId, epoch, epoch, ...key, move.sourceNode],
    );
  }
  await tx.run(
    'UPDATE moves SET flipped_epoch = ?, flipped_at = ?, phase = ?, retain_until = ? WHERE id = ?',
    [
      epoch,
      isoTime(tx.nowMs),
      retentionMs > 0 ? 'retain' : 'delete',
      move.sourceNode === null ? null : isoTime(tx.nowMs + retentionMs),
      moveId,
    ],
  );
  await tx.run('DELETE FROM snapshots WHERE move_id = ?', [moveId]);
  return { flipped: true, epoch, reason: null };
}

async function awaitReplica(tx: Tx, move: MoveRow): Promise<void> {
  await tx.run(
    `UPDATE replicas SET awaited = 1 WHERE incarnation = ? AND shard = ? AND node = ? AND state = 'verified'`,
    [move.incarnation, move.shard, move.targetNode],
  );
}

/** The source has been promised to a rollback that has not flipped back yet. */
const ROLLING_BACK: ReadonlySet<string> = new Set(['rollback-verify', 'rollback-flip']);

/**
 * Commits `deleting`, so that no later step can make the replica readable again, nor copy from it. Refused while a proxy
 * may still read it, or a drop would leave too few. True also when it was committed before. Throws while the move is being
 * rolled back, or is to be.
 */
export async function beginDelete(
  tx: Tx,
  moveId: string,
  side: 'source' | 'target',
  isPlaceWanted = false,
): Promise<boolean> {
  const move = await requireMove(tx, moveId);
  const node = side === 'source' ? move.sourceNode : move.targetNode;
  if (node === null) return true;
  const row = await readReplica(tx, move, node);
  if (!row || row.move_id !== moveId) return true;
  if (row.state === 'deleting') return true;
  if (side === 'source' && (ROLLING_BACK.has(move.phase) || (await isToBeRolledBack(tx, moveId))))
    throw new StateConflict('rolling_back', `move ${moveId} is being rolled back: its source stays`);
  const wasRead = side === 'source' || move.rolledBackEpoch !== null;
  if (!(wasRead ? ['retained'] : ['copying', 'joined', 'verified']).includes(row.state)) return false;
  if (wasRead && row.left_epoch !== null && (await oldestLeasedEpoch(tx)) < row.left_epoch) return false;
  // What comes to its place raises the number of replicas again: waiting for that number would be waiting for itself.
  if (isPlaceWanted && !(await hasWellReplica(tx, move, node))) return false;
  if (!isPlaceWanted && move.kind === 'drop' && (await refuseDrop(tx, move)) !== null) return false;
  await dropWaitingControls(tx, moveId);
  const { incarnation, shard } = move;
  await spoilReaders(tx, { incarnation, shard, node }, `the replica on ${node} goes with move ${moveId}`);
  await tx.run(
    `UPDATE replicas SET state = 'deleting', held_position = NULL, awaited = 0
     WHERE incarnation = ? AND shard = ? AND node = ?`,
    [move.incarnation, move.shard, node],
  );
  return true;
}

/** A rollback has counted on the source, and may not have come to it yet: whoever found it due before may be late. */
async function isToBeRolledBack(tx: Tx, moveId: string): Promise<boolean> {
  const row = await one(
    tx,
    `SELECT 1 AS found FROM moves m JOIN changes b ON b.id = m.rollback_id WHERE m.id = ? AND b.status IN ${OPEN}`,
    [moveId],
  );
  return row !== undefined;
}

/** Whether the shard has an in-sync replica elsewhere, on a node that takes deliveries. */
async function hasWellReplica(tx: Tx, move: MoveRow, besides: NodeId): Promise<boolean> {
  const row = await one(
    tx,
    `SELECT 1 AS found FROM replicas r JOIN streams s ON s.node = r.node
     WHERE r.incarnation = ? AND r.shard = ? AND r.node <> ? AND r.state = 'in-sync' AND s.last_error IS NULL`,
    [move.incarnation, move.shard, besides],
  );
  return row !== undefined;
}

export async function finishDelete(tx: Tx, moveId: string, side: 'source' | 'target'): Promise<void> {
  const move = await requireMove(tx, moveId);
  const node = side === 'source' ? move.sourceNode : move.targetNode;
  if (node !== null) {
    await tx.run(
      `DELETE FROM replicas WHERE incarnation = ? AND shard = ? AND node = ? AND state = 'deleting' AND move_id = ?`,
      [move.incarnation, move.shard, node, moveId],
    );
  }
  await tx.run('DELETE FROM snapshots WHERE move_id = ?', [moveId]);
  await tx.run(`UPDATE moves SET finished_at = ? WHERE id = ?`, [isoTime(tx.nowMs), moveId]);
}

/** Moves of other changes that still own a replica's row and have not flipped: retained ones end by themselves. */
export async function adoptLeftovers(tx: Tx, changeId: string): Promise<MoveRow[]> {
  const rows = await tx.all<{ id: string }>(
    `SELECT DISTINCT m.id FROM moves m JOIN replicas r ON r.move_id = m.id
     WHERE m.change_id <> ? AND m.flipped_epoch IS NULL ORDER BY m.id`,
    [changeId],
  );
  const moves: MoveRow[] = [];
  for (const row of rows) {
    const move = await readMove(tx, row.id);
    if (move) moves.push(move);
  }
  return moves;
}
