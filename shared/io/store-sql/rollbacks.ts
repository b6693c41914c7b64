// The way back after a flip: under the rules of a flip, with its intent committed first, so that the end of the
// retention and another change of the same shard are decided by these rows and by nothing else.
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import type { MoveRow } from '../store-changes.js';
import type { MoveSelection } from '../store-control.js';
import { bumpEpoch } from './cluster.js';
import { isoTime, one, type Tx } from './driver.js';
import { readReplica, requireMove } from './moves.js';

/** Moves whose source is still there, and that nobody is taking back. */
const RETAINED = `flipped_epoch IS NOT NULL AND rolled_back_epoch IS NULL AND EXISTS (
  SELECT 1 FROM replicas r WHERE r.move_id = moves.id AND r.node = moves.source_node AND r.state = 'retained')`;

export async function planRollback(tx: Tx, rollbackId: string, which: MoveSelection): Promise<number> {
  const column = which.moveId === undefined ? 'change_id' : 'id';
  await tx.run(
    `UPDATE moves SET rollback_id = ? WHERE ${column} = ? AND ${RETAINED}
       AND phase NOT IN ('rollback-verify', 'rollback-flip')`,
    [rollbackId, which.moveId ?? which.changeId ?? ''],
  );
  const row = await one<{ count: number }>(tx, 'SELECT COUNT(*) AS count FROM moves WHERE rollback_id = ?', [
    rollbackId,
  ]);
  const count = row?.count ?? 0;
  await tx.run('UPDATE changes SET planned_moves = ? WHERE id = ?', [count, rollbackId]);
  return count;
}

function placeOf(move: MoveRow): string {
  return `shard ${move.shard} of ${move.indexUid}`;
}

export async function beginRollback(tx: Tx, moveId: string): Promise<MoveRow> {
  const move = await requireMove(tx, moveId);
  if (move.rolledBackEpoch !== null) return move;
  await requireIndex(tx, move);
  const source = move.sourceNode === null ? undefined : await readReplica(tx, move, move.sourceNode);
  if (source?.state !== 'retained' || source.move_id !== moveId)
    throw new StateConflict(
      'not_retained',
      `move ${moveId} cannot be rolled back: ${
        move.sourceNode === null
          ? 'it added a replica, and took none away'
          : move.flippedEpoch === null
            ? 'it has not flipped; skip or cancel it instead'
            : `its source on node ${move.sourceNode} is kept no longer (${source?.state ?? 'deleted'})`
      }`,
    );
  const target = await readReplica(tx, move, move.targetNode);
  if (move.kind !== 'drop' && !isOwn(target))
    throw new StateConflict(
      'moved_on',
      `move ${moveId} cannot be rolled back: ${placeOf(move)} on node ${move.targetNode} has been moved on` +
        (target?.move_id ? ` by move ${target.move_id}; roll that back first` : ''),
    );
  const other = await findMoving(tx, move);
  if (other)
    throw new StateConflict(
      'shard_moving',
      `move ${moveId} cannot be rolled back now: ${placeOf(move)} is being moved by move ${other}; wait for it or abort it first`,
    );
  await tx.run(`UPDATE moves SET phase = 'rollback-verify', last_error = NULL WHERE id = ?`, [moveId]);
  return requireMove(tx, moveId);
}

async function requireIndex(tx: Tx, move: MoveRow): Promise<{ watermark: number }> {
  const index = await one<{ watermark: number; deleted_seq: number | null }>(
    tx,
    'SELECT watermark, deleted_seq FROM indexes WHERE incarnation = ?',
    [move.incarnation],
  );
  if (!index || index.deleted_seq !== null)
    throw new StateConflict('index_deleted', `the index ${move.indexUid} has been deleted`);
  return index;
}

/**
 * In-sync, or out of it since (also as one that diverged or was lost, where the way back is needed most): the replica that
 * the move has made, and no other move has taken on.
 */
function isOwn(row: { state: string; move_id: string | null } | undefined): boolean {
  if (row?.state === 'in-sync') return row.move_id === null;
  return row?.state === 'joined' && (row.move_id === null || row.move_id.startsWith(DIVERGED));
}

/** A move that copies this shard now: it may read from the replica that the rollback takes away. */
async function findMoving(tx: Tx, move: MoveRow): Promise<string | null> {
  const row = await one<{ move_id: string }>(
    tx,
    `SELECT move_id FROM replicas WHERE incarnation = ? AND shard = ? AND move_id IS NOT NULL AND move_id <> ?
       AND state IN ('copying', 'joined', 'verified') AND EXISTS (SELECT 1 FROM moves m WHERE m.id = replicas.move_id)
     LIMIT 1`,
    [move.incarnation, move.shard, move.id],
  );
  return row?.move_id ?? null;
}

export async function markRollbackVerified(tx: Tx, moveId: string): Promise<void> {
  const move = await requireMove(tx, moveId);
  if (move.rolledBackEpoch !== null) return;
  const changed = await tx.run(
    `UPDATE moves SET phase = 'rollback-flip' WHERE id = ? AND phase IN ('rollback-verify', 'rollback-flip')
       AND ${RETAINED}`,
    [moveId],
  );
  if (changed === 0)
    throw new StateConflict('not_retained', `the rollback of move ${moveId} was given up meanwhile`);
}

export async function flipBack(
  tx: Tx,
  moveId: string,
): Promise<{ flipped: boolean; epoch: number; reason: string | null }> {
  const move = await requireMove(tx, moveId);
  if (move.rolledBackEpoch !== null) return { flipped: true, epoch: move.rolledBackEpoch, reason: null };
  const refuse = (reason: string) => ({ flipped: false, epoch: 0, reason });
  const { watermark } = await requireIndex(tx, move);
  const source = await readReplica(tx, move, move.sourceNode ?? '');
  if (move.phase !== 'rollback-flip' || source?.state !== 'retained' || source.move_id !== moveId)
    return refuse('not-verified');
  const target = await readReplica(tx, move, move.targetNode);
  if (move.kind !== 'drop' && !isOwn(target)) return refuse('moved-on');
  if ((await findMoving(tx, move)) !== null) return refuse('shard-is-moving');
  const stream = await one<{ position: number; last_error: string | null }>(
    tx,
    'SELECT position, last_error FROM streams WHERE node = ?',
    [move.sourceNode],
  );
  const key = [move.incarnation, move.shard];
  if (!stream || stream.last_error !== null) return refuse('node-in-trouble');
  if (stream.position < watermark) {
    // As in a flip: tasks wait for it, so that writes without a pause cannot hold it up.
    await tx.run('UPDATE replicas SET awaited = 1 WHERE incarnation = ? AND shard = ? AND node = ?', [
      ...key,
      move.sourceNode,
    ]);
    return refuse('below-watermark');
  }
  const epoch = await bumpEpoch(tx, `move ${moveId} is rolled back`);
  await tx.run(
    `UPDATE replicas SET state = 'in-sync', move_id = NULL, since_epoch = ?, left_epoch = NULL, awaited = 0
     WHERE incarnation = ? AND shard = ? AND node = ?`,
    [epoch, ...key, move.sourceNode],
  );
  // A drop had no target.
  if (move.kind !== 'drop')
    await tx.run(
      `UPDATE replicas SET state = 'retained', move_id = ?, since_epoch = ?, left_epoch = COALESCE(left_epoch, ?),
         awaited = 0 WHERE incarnation = ? AND shard = ? AND node = ?`,
      [moveId, epoch, epoch, ...key, move.targetNode],
    );
  await tx.run(`UPDATE moves SET rolled_back_epoch = ?, phase = 'rollback-delete' WHERE id = ?`, [
    epoch,
    moveId,
  ]);
  return { flipped: true, epoch, reason: null };
}

/** A source that was about to be read again is compared once more: its node has answered otherwise than was promised. */
export async function distrustRollbacks(tx: Tx, node: NodeId, incarnation: number): Promise<void> {
  await tx.run(
    `UPDATE moves SET phase = 'rollback-verify' WHERE phase = 'rollback-flip' AND source_node = ? AND incarnation = ?`,
    [node, incarnation],
  );
}

export async function cancelRollback(tx: Tx, moveId: string): Promise<boolean> {
  const move = await requireMove(tx, moveId);
  if (move.rolledBackEpoch !== null) return false;
  await tx.run(`UPDATE replicas SET awaited = 0 WHERE move_id = ? AND state = 'retained'`, [moveId]);
  await tx.run(
    `UPDATE moves SET phase = 'retain', rollback_id = NULL WHERE id = ? AND rolled_back_epoch IS NULL AND ${RETAINED}`,
    [moveId],
  );
  return true;
}

export async function closeRollback(tx: Tx, rollbackId: string): Promise<void> {
  const open = await tx.all<{ id: string }>(
    'SELECT id FROM moves WHERE rollback_id = ? AND rolled_back_epoch IS NULL',
    [rollbackId],
  );
  for (const { id } of open) await cancelRollback(tx, id);
  const rollback = await one<{ input: string }>(tx, 'SELECT input FROM changes WHERE id = ?', [rollbackId]);
  const { change } = JSON.parse(rollback?.input ?? '{}') as { change?: string };
  if (change === undefined) return;
  await tx.run(
    `UPDATE changes SET status = 'rolled-back', finished_at = ? WHERE id = ? AND status <> 'rolled-back'
       AND EXISTS (SELECT 1 FROM moves WHERE change_id = changes.id AND rolled_back_epoch IS NOT NULL)`,
    [isoTime(tx.nowMs), change],
  );
}
