// A restored store: marked so that nobody uses it, and set right by an operator's decision.
import { randomUUID } from 'node:crypto';
import { DIVERGED } from '../../core/replica-states.js';
import { StateConflict } from '../store.js';
import type { RestoreDecision, RestoredState } from '../store-restored.js';
import { bumpEpoch, readClusterRow, readNodeSecrets, readTopology } from './cluster.js';
import { isoTime, type Tx } from './driver.js';
import { OPEN } from './moves.js';
import { readStreams } from './streams.js';

/** Right after the rows were brought. Generations rise, so that whoever held a stream before is refused for good. */
export async function markRestored(tx: Tx): Promise<void> {
  await tx.run('UPDATE cluster SET restored_at = ?, journal_id = ?', [isoTime(tx.nowMs), randomUUID()]);
  await tx.run('DELETE FROM parts WHERE staging_id IS NOT NULL');
  await tx.run('UPDATE streams SET generation = generation + 1000, holder = NULL, unclean = 1');
}

export async function readRestored(tx: Tx): Promise<RestoredState> {
  const cluster = await readClusterRow(tx);
  return {
    restoredAt: cluster.restored_at,
    topology: await readTopology(tx, cluster),
    secrets: await readNodeSecrets(tx),
    streams: await readStreams(tx),
    journalHead: cluster.next_seq - 1,
  };
}

export async function acceptRestored(tx: Tx, decision: RestoreDecision): Promise<void> {
  const { restored_at: restoredAt } = await readClusterRow(tx);
  if (restoredAt === null)
    throw new StateConflict('not_restored', 'this state store does not wait for a decision');
  const at = isoTime(tx.nowMs);
  await tx.run('UPDATE cluster SET restored_at = NULL, next_seq = ?, next_incarnation = ?', [
    decision.head + 1,
    decision.nextIncarnation,
  ]);
  const epoch = await bumpEpoch(tx, `restored from a backup at ${restoredAt}`);
  await endOpenWork(tx, at);
  await setNodes(tx, decision);
  await setReplicas(tx, decision, epoch);
  for (const { incarnation } of decision.deletedIndexes) {
    await tx.run('DELETE FROM replicas WHERE incarnation = ?', [incarnation]);
    await tx.run('UPDATE indexes SET deleted_seq = ? WHERE incarnation = ? AND deleted_seq IS NULL', [
      decision.head,
      incarnation,
    ]);
  }
  for (const [incarnation, key] of decision.primaryKeys)
    await tx.run('UPDATE indexes SET primary_key = ? WHERE incarnation = ?', [key, incarnation]);
  for (const { seq, error } of decision.failures) {
    await tx.run(`UPDATE journal SET outcome = 'failed', error = ? WHERE seq = ? AND outcome IS NULL`, [
      JSON.stringify(error),
      seq,
    ]);
  }
  await writeNotice(tx, decision, at);
}

/** Changes and moves were carried on, or not, by workflows that knew another store. */
async function endOpenWork(tx: Tx, at: string): Promise<void> {
  await tx.run(`UPDATE changes SET status = 'failed', finished_at = ? WHERE status IN ${OPEN}`, [at]);
  await tx.run(`UPDATE moves SET phase = 'aborted', finished_at = ? WHERE finished_at IS NULL`, [at]);
  await tx.run('DELETE FROM snapshots');
  await tx.run(`DELETE FROM controls WHERE status = 'waiting'`);
  await tx.run(`UPDATE verifications SET status = 'failed', finished_at = ? WHERE finished_at IS NULL`, [at]);
}

async function setNodes(tx: Tx, { nodes }: RestoreDecision): Promise<void> {
  for (const { node, position, names, lastTaskUid } of nodes) {
    await tx.run('DELETE FROM physical_names WHERE node = ?', [node]);
    for (const [incarnation, name] of names) {
      await tx.run('INSERT INTO physical_names (incarnation, node, name) VALUES (?, ?, ?)', [
        incarnation,
        node,
        name,
      ]);
    }
    // Indexes that the node lacks are made again before it gets anything.
    await tx.run(
      'UPDATE streams SET position = ?, last_task_uid = COALESCE(?, last_task_uid), provisioned = 0 WHERE node = ?',
      [position, lastTaskUid, node],
    );
  }
}

async function setReplicas(tx: Tx, { shards }: RestoreDecision, epoch: number): Promise<void> {
  for (const { incarnation, shard, inSync, stale } of shards) {
    await tx.run('DELETE FROM replicas WHERE incarnation = ? AND shard = ?', [incarnation, shard]);
    for (const [nodes, state, owner] of [
      [inSync, 'in-sync', null],
      [stale, 'joined', `${DIVERGED}restore`],
    ] as const) {
      for (const node of nodes) {
        await tx.run(
          `INSERT INTO replicas (incarnation, shard, node, state, move_id, since_epoch, left_epoch, held_position)
           VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)`,
          [incarnation, shard, node, state, owner, epoch],
        );
      }
    }
  }
}

/** A task that failed before delivery: streams pass it over and so come to the journal's new head. */
async function writeNotice(tx: Tx, { head, notice }: RestoreDecision, at: string): Promise<void> {
  await tx.run(
    `INSERT INTO journal (seq, request_id, kind, index_uid, incarnation, primary_key, creates_index, meta, settings,
      scope, barrier, refused, status, outcome, error, details, effect_epoch, enqueued_at, started_at, finished_at)
     VALUES (?, ?, 'documentDeletion', 'miroir', NULL, NULL, 0, ?, NULL, 'none', 0, 1, 'failed', 'failed', ?, NULL,
      NULL, ?, ?, ?)`,
    [
      head,
      `restored-${at}`,
      JSON.stringify({ kind: 'documentDeletion', mode: 'ids', providedIds: 0, filter: null }),
      JSON.stringify(notice),
      at,
      at,
      at,
    ],
  );
}
