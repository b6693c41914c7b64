// Marks on replicas that are wrong: out of in-sync where another one remains, and to be copied anew.
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import { bumpEpoch } from './cluster.js';
import { spoilCopies } from './copies.js';
import { one, type Tx } from './driver.js';

export async function markReplica(
  tx: Tx,
  node: NodeId,
  incarnation: number,
  shard: number,
  mark: string,
  cause: string,
): Promise<boolean> {
  const key = [incarnation, shard, node];
  const row = await one<{ state: string; move_id: string | null }>(
    tx,
    'SELECT state, move_id FROM replicas WHERE incarnation = ? AND shard = ? AND node = ?',
    key,
  );
  if (row?.move_id?.startsWith(DIVERGED)) return true;
  if (row?.move_id !== null) return false;
  const other = await one(
    tx,
    `SELECT 1 AS found FROM replicas WHERE incarnation = ? AND shard = ? AND node <> ? AND state = 'in-sync'`,
    key,
  );
  if (!other || (row.state !== 'in-sync' && row.state !== 'joined')) return false;
  const epoch = await bumpEpoch(tx, cause);
  await tx.run(
    `UPDATE replicas SET state = 'joined', move_id = ?, since_epoch = ?, left_epoch = COALESCE(left_epoch, ?),
       awaited = 0 WHERE incarnation = ? AND shard = ? AND node = ?`,
    [`${DIVERGED}${mark}`, epoch, epoch, ...key],
  );
  // A copy that was read from it may hold the same wrong documents.
  await spoilCopies(tx, node, incarnation, cause);
  return true;
}
