// Nodes that have lost what they held: see the port.
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import type { LostShard } from '../store-losses.js';
import { bumpEpoch } from './cluster.js';
import { spoilCopies } from './copies.js';
import { one, type Tx } from './driver.js';
import { advanceTasks } from './progress.js';
import { leaveInSync, requireGeneration } from './streams.js';

const MARK = `${DIVERGED}lost`;

export async function readLoss(tx: Tx, node: NodeId): Promise<{ reason: string; accepted: boolean } | null> {
  const row = await one<{ lost: string | null; loss_accepted: number }>(
    tx,
    'SELECT lost, loss_accepted FROM streams WHERE node = ?',
    [node],
  );
  return row?.lost == null ? null : { reason: row.lost, accepted: row.loss_accepted === 1 };
}

export async function declareLoss(
  tx: Tx,
  node: NodeId,
  generation: number,
  reason: string,
): Promise<LostShard[]> {
  await requireGeneration(tx, node, generation);
  if ((await readLoss(tx, node)) === null) {
    await tx.run('UPDATE streams SET lost = ?, loss_accepted = 0 WHERE node = ?', [reason, node]);
    await renameAway(tx, node);
    await bumpEpoch(tx, `node ${node} has lost what it held`);
  }
  const cause = `node ${node} ${reason}`;
  await leaveInSync(tx, node, cause, MARK, null);
  await tx.run(
    `UPDATE replicas SET move_id = ?, awaited = 0 WHERE node = ? AND state = 'joined' AND move_id IS NULL`,
    [MARK, node],
  );
  await restartCopies(tx, node, cause);
  // There is nothing left that one could roll back to.
  await tx.run(`UPDATE replicas SET state = 'deleting' WHERE node = ? AND state = 'retained'`, [node]);
  await spoilCopies(tx, node, null, cause);
  await advanceTasks(tx);
  return readLastOnes(tx, node);
}

/** The next fence, which no index of the node bears: whoever asks for it is told that it is not there. */
async function renameAway(tx: Tx, node: NodeId): Promise<void> {
  const rows = await tx.all<{ incarnation: number; name: string }>(
    'SELECT incarnation, name FROM physical_names WHERE node = ?',
    [node],
  );
  for (const { incarnation, name } of rows) {
    const next = name.replace(/\d+$/, (fence) => String(Number(fence) + 1));
    await tx.run('UPDATE physical_names SET name = ? WHERE node = ? AND incarnation = ?', [
      next,
      node,
      incarnation,
    ]);
  }
}

/** What had arrived of copies to this node is gone. */
async function restartCopies(tx: Tx, node: NodeId, cause: string): Promise<void> {
  await tx.run(
    `UPDATE moves SET spoiled = ? WHERE target_node = ? AND flipped_epoch IS NULL AND finished_at IS NULL
       AND attempt > 0 AND kind = 'copy'`,
    [cause, node],
  );
  await tx.run(`UPDATE replicas SET state = 'joined', awaited = 0 WHERE node = ? AND state = 'verified'`, [
    node,
  ]);
}

async function readLastOnes(tx: Tx, node: NodeId): Promise<LostShard[]> {
  const rows = await tx.all<{ uid: string; shard: number }>(
    `SELECT i.uid, r.shard FROM replicas r JOIN indexes i ON i.incarnation = r.incarnation
     WHERE r.node = ? AND r.state = 'in-sync' AND i.deleted_seq IS NULL ORDER BY i.uid, r.shard`,
    [node],
  );
  return rows.map(({ uid, shard }) => ({ indexUid: uid, shard }));
}

export async function finishRebuild(tx: Tx, node: NodeId, generation: number): Promise<void> {
  await requireGeneration(tx, node, generation);
  await tx.run(
    'UPDATE streams SET lost = NULL, loss_accepted = 0, last_task_uid = NULL, last_error = NULL WHERE node = ?',
    [node],
  );
}

/** Other replicas of the shards that only the node has in-sync: what they hold is older, but it is something. */
const OTHERS = `state = 'joined' AND move_id IS NULL AND node <> ? AND EXISTS (
  SELECT 1 FROM replicas o WHERE o.incarnation = replicas.incarnation AND o.shard = replicas.shard AND o.node = ?
    AND o.state = 'in-sync')`;

export async function acceptLoss(tx: Tx, node: NodeId, force: boolean): Promise<LostShard[]> {
  const loss = await readLoss(tx, node);
  if (loss === null)
    throw new StateConflict(
      'nothing_lost',
      `node "${node}" has not lost what it held: there is nothing to give up`,
    );
  const others = await tx.all<{ node: string }>(
    `SELECT DISTINCT node FROM replicas WHERE ${OTHERS} ORDER BY node`,
    [node, node],
  );
  if (others.length > 0 && !force)
    throw new StateConflict(
      'other_replicas',
      `${others.map((row) => row.node).join(', ')} may still have documents of the shards that node "${node}" has lost: ` +
        'bring these nodes back first, or give up their replicas too, with force',
    );
  await tx.run(`UPDATE replicas SET move_id = ? WHERE ${OTHERS}`, [MARK, node, node]);
  await tx.run('UPDATE streams SET loss_accepted = 1 WHERE node = ?', [node]);
  return readLastOnes(tx, node);
}
