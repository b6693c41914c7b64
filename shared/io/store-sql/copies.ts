// Copies of moves: their progress, the head of the journal at their end, and sources that turned out wrong.
import type { NodeId } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import type { CopyState } from '../store-copies.js';
import { readCluster } from './cluster.js';
import { one, type Tx } from './driver.js';

export async function readCopy(tx: Tx, moveId: string): Promise<CopyState | null> {
  const row = await one<{ attempt: number; copy_end: number | null; spoiled: string | null }>(
    tx,
    'SELECT attempt, copy_end, spoiled FROM moves WHERE id = ?',
    [moveId],
  );
  return row ? { attempt: row.attempt, endSeq: row.copy_end, spoiled: row.spoiled } : null;
}

export async function recordCopied(
  tx: Tx,
  moveId: string,
  attempt: number,
  documents: number,
  bytes: number,
): Promise<void> {
  await tx.run(
    `UPDATE moves SET documents_copied = ?, bytes_copied = ?
     WHERE id = ? AND attempt = ? AND documents_copied <= ? AND copy_end IS NULL`,
    [documents, bytes, moveId, attempt, documents],
  );
}

export async function endCopy(tx: Tx, moveId: string, attempt: number): Promise<void> {
  const { next_seq } = await readCluster(tx);
  const changed = await tx.run(
    'UPDATE moves SET copy_end = COALESCE(copy_end, ?) WHERE id = ? AND attempt = ?',
    [next_seq - 1, moveId, attempt],
  );
  if (changed === 0) throw new StateConflict('replica_owned', `move ${moveId} has begun another attempt`);
}

/**
 * A replica is about to be deleted: moves of other replicas of its shard that still copy from it, or are compared with
 * it, would take what is left of it for the whole. They begin again from another one; a verified one needs it no more.
 */
export async function spoilReaders(
  tx: Tx,
  replica: { incarnation: number; shard: number; node: NodeId },
  cause: string,
): Promise<void> {
  await tx.run(
    `UPDATE moves SET spoiled = ? WHERE copy_from = ? AND incarnation = ? AND shard = ? AND flipped_epoch IS NULL
       AND finished_at IS NULL AND EXISTS (SELECT 1 FROM replicas r WHERE r.move_id = moves.id
         AND r.node = moves.target_node AND r.state IN ('copying', 'joined'))`,
    [cause, replica.node, replica.incarnation, replica.shard],
  );
}

/**
 * A node has lost what it held, or holds something else than was promised: what was copied from it is worth nothing.
 * Only where another replica can be read: what a lost one has left elsewhere must not be cleared away.
 */
export async function spoilCopies(
  tx: Tx,
  node: NodeId,
  incarnation: number | null,
  cause: string,
): Promise<void> {
  const own = incarnation === null ? '' : 'AND incarnation = ?';
  const params = incarnation === null ? [node, node] : [node, node, incarnation];
  const moves = await tx.all<{ id: string; incarnation: number; shard: number; target_node: string }>(
    `SELECT id, incarnation, shard, target_node FROM moves
     WHERE copy_from = ? AND flipped_epoch IS NULL AND finished_at IS NULL AND attempt > 0
       AND EXISTS (SELECT 1 FROM replicas r WHERE r.incarnation = moves.incarnation AND r.shard = moves.shard
         AND r.node <> ? AND r.state = 'in-sync') ${own}`,
    params,
  );
  for (const move of moves) {
    await tx.run('UPDATE moves SET spoiled = ? WHERE id = ?', [cause, move.id]);
    await tx.run(
      `UPDATE replicas SET state = 'joined', awaited = 0
       WHERE incarnation = ? AND shard = ? AND node = ? AND move_id = ? AND state = 'verified'`,
      [move.incarnation, move.shard, move.target_node, move.id],
    );
  }
}
