// Streams: generations, groups to deliver, confirmations, demotion and promotion.
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import type { EntryOutcome, StreamPosition, StreamTakeover } from '../store.js';
import { StaleGeneration } from '../store.js';
import { bumpEpoch, readCluster, readEpoch } from './cluster.js';
import { spoilCopies } from './copies.js';
import { cutBatches, marks, one, parseJson, type SqlValue, type Tx, toJson } from './driver.js';
import { advanceTasks } from './progress.js';
import { distrustRollbacks } from './rollbacks.js';

export const LIVE = `('joined', 'verified', 'in-sync', 'retained')`;
/** A node's replicas that left in-sync and wait to be promoted: joined, and of no move. */
const DEMOTED = `node = ? AND state = 'joined' AND move_id IS NULL`;

interface StreamRow {
  node: string;
  generation: number;
  holder: string | null;
  position: number;
  unclean: number;
  provisioned: number;
  reported_at_ms: number;
  last_error: string | null;
  last_task_uid: number | null;
}

/** The stream's row, if the generation still holds it; throws StaleGeneration otherwise. */
export async function requireGeneration(tx: Tx, node: NodeId, generation: number): Promise<StreamRow> {
  const row = await one<StreamRow>(tx, 'SELECT * FROM streams WHERE node = ?', [node]);
  if (!row || row.generation !== generation) throw new StaleGeneration(node, generation);
  return row;
}

export async function takeOverStream(tx: Tx, node: NodeId, holder: string): Promise<StreamTakeover | null> {
  const [row] = await tx.all<{ generation: number; unclean: number }>(
    `UPDATE streams SET generation = generation + 1, holder = ?, reported_at_ms = ? WHERE node = ?
     RETURNING generation, unclean`,
    [holder, tx.nowMs, node],
  );
  return row ? { generation: row.generation, unclean: row.unclean === 1 } : null;
}

export async function setUnclean(
  tx: Tx,
  node: NodeId,
  generation: number,
  unclean: boolean,
  lastTaskUid?: number | null,
): Promise<void> {
  await requireGeneration(tx, node, generation);
  await tx.run('UPDATE streams SET unclean = ? WHERE node = ?', [unclean ? 1 : 0, node]);
  await setLastTaskUid(tx, node, lastTaskUid);
}

/** The newest node task that the stream has seen confirmed; a node that knows fewer has lost some. */
async function setLastTaskUid(tx: Tx, node: NodeId, uid: number | null | undefined): Promise<void> {
  if (uid === null || uid === undefined) return;
  await tx.run('UPDATE streams SET last_task_uid = ? WHERE node = ? AND COALESCE(last_task_uid, -1) < ?', [
    uid,
    node,
    uid,
  ]);
}

export async function reportStream(
  tx: Tx,
  node: NodeId,
  generation: number,
  lastError: string | null,
): Promise<void> {
  await requireGeneration(tx, node, generation);
  await tx.run('UPDATE streams SET reported_at_ms = ?, last_error = ? WHERE node = ?', [
    tx.nowMs,
    lastError,
    node,
  ]);
}

export async function setProvisioned(tx: Tx, node: NodeId, generation: number): Promise<void> {
  await requireGeneration(tx, node, generation);
  await tx.run('UPDATE streams SET provisioned = 1 WHERE node = ?', [node]);
}

export async function setPhysicalName(
  tx: Tx,
  node: NodeId,
  generation: number,
  incarnation: number,
  name: string | null,
): Promise<void> {
  await requireGeneration(tx, node, generation);
  if (name === null) {
    await tx.run('DELETE FROM physical_names WHERE node = ? AND incarnation = ?', [node, incarnation]);
  } else {
    await tx.run(
      `INSERT INTO physical_names (incarnation, node, name) VALUES (?, ?, ?)
       ON CONFLICT (incarnation, node) DO UPDATE SET name = excluded.name`,
      [incarnation, node, name],
    );
  }
  await bumpEpoch(tx, `node ${node} holds index ${incarnation} as ${name ?? 'nothing'}`);
}

export async function readSettingsAt(
  tx: Tx,
  incarnation: number,
  seq: number,
): Promise<Record<string, unknown>> {
  const row = await one<{ settings: string }>(
    tx,
    `SELECT settings FROM journal WHERE incarnation = ? AND seq <= ? AND settings IS NOT NULL
       AND COALESCE(outcome, 'succeeded') = 'succeeded' ORDER BY seq DESC LIMIT 1`,
    [incarnation, seq],
  );
  return parseJson<Record<string, unknown>>(row?.settings) ?? {};
}

export async function hasWork(tx: Tx, node: NodeId, generation: number): Promise<boolean> {
  const stream = await requireGeneration(tx, node, generation);
  const row = await one<{ found: number }>(
    tx,
    `SELECT 1 AS found FROM cluster WHERE next_seq - 1 > ?
     UNION ALL SELECT 1 FROM controls WHERE node = ? AND status = 'waiting' LIMIT 1`,
    [stream.position, node],
  );
  return row !== undefined;
}

/** Fixes outcomes at their first confirmation, moves the position, finishes what is now finished. */
export async function confirmEntries(
  tx: Tx,
  node: NodeId,
  generation: number,
  position: number,
  outcomes: EntryOutcome[],
  clean: boolean,
  lastTaskUid?: number | null,
): Promise<void> {
  const stream = await requireGeneration(tx, node, generation);
  if (position < stream.position)
    throw new Error(`the position of node ${node} would go back from ${stream.position} to ${position}`);
  await fixOutcomes(tx, node, outcomes);
  await tx.run(
    'UPDATE streams SET position = ?, unclean = ?, reported_at_ms = ?, last_error = NULL WHERE node = ?',
    [position, clean ? 0 : 1, tx.nowMs, node],
  );
  await setLastTaskUid(tx, node, lastTaskUid);
  await advanceTasks(tx);
  await promoteReplicas(tx, node, position, `node ${node} has caught up`);
  await awaitNearReplicas(tx, node, position);
}

interface OutcomeRow {
  seq: number;
  outcome: EntryOutcome['status'] | null;
  error: string | null;
  details: string | null;
  incarnation: number;
}

/** The first outcome of an entry stays; a node that answers another one is not trusted any more. */
async function fixOutcomes(tx: Tx, node: NodeId, outcomes: readonly EntryOutcome[]): Promise<void> {
  const rows = new Map<number, OutcomeRow>();
  for (const batch of cutBatches(outcomes)) {
    const found = await tx.all<OutcomeRow>(
      `SELECT seq, outcome, error, details, incarnation FROM journal WHERE seq IN (${marks(batch.length)})`,
      batch.map(({ seq }) => seq),
    );
    for (const row of found) rows.set(row.seq, row);
  }
  const changed = new Set<OutcomeRow>();
  for (const { seq, status, error, details } of outcomes) {
    const row = rows.get(seq);
    if (!row) continue;
    if (details) row.details = mergeDetails(row.details, details);
    if (details || row.outcome === null) changed.add(row);
    if (row.outcome === null) Object.assign(row, { outcome: status, error: toJson(error) });
    if (row.outcome === status) continue;
    const cause = `node ${node} answered ${status} to task ${seq}, which had ${row.outcome}`;
    await distrustReplicas(tx, node, cause, `${DIVERGED}${seq}`, row.incarnation);
  }
  for (const batch of cutBatches([...changed]))
    await tx.run(
      `WITH v (seq, outcome, error, details) AS (VALUES ${batch.map(() => '(CAST(? AS BIGINT), ?, ?, ?)').join(', ')})
       UPDATE journal SET outcome = v.outcome, error = v.error, details = v.details FROM v WHERE journal.seq = v.seq`,
      batch.flatMap(({ seq, outcome, error, details }) => [seq, outcome, error, details]),
    );
}

/** Counts that nodes report are summed over the primary answerers only: see deliver. */
function mergeDetails(known: string | null, more: Record<string, unknown>): string {
  const details = parseJson<Record<string, unknown>>(known) ?? {};
  for (const [key, value] of Object.entries(more)) {
    const before = details[key];
    details[key] = typeof value === 'number' && typeof before === 'number' ? before + value : value;
  }
  return JSON.stringify(details);
}

/**
 * Takes a node's replicas out of in-sync wherever another in-sync replica remains; the last one of a shard is never
 * demoted. They go on receiving deliveries. `mark` (or null) becomes the row's owner.
 */
export async function leaveInSync(
  tx: Tx,
  node: NodeId,
  cause: string,
  mark: string | null,
  incarnation: number | null,
): Promise<number> {
  const condition = `node = ? AND state = 'in-sync' ${incarnation === null ? '' : 'AND incarnation = ?'}
    AND EXISTS (SELECT 1 FROM replicas o WHERE o.incarnation = replicas.incarnation AND o.shard = replicas.shard
      AND o.node <> replicas.node AND o.state = 'in-sync')`;
  const params = incarnation === null ? [node] : [node, incarnation];
  if (!(await anyReplica(tx, condition, params))) return readEpoch(tx);
  const epoch = await bumpEpoch(tx, cause);
  await tx.run(
    `UPDATE replicas SET state = 'joined', move_id = ?, since_epoch = ?, left_epoch = ?, awaited = 0
     WHERE ${condition}`,
    [mark, epoch, epoch, ...params],
  );
  return epoch;
}

/**
 * The node's content differs from what was promised: nobody may read it before it has been copied anew. That holds for
 * replicas about to become readable too: a demoted one is not promoted, a verified one does not flip.
 */
async function distrustReplicas(
  tx: Tx,
  node: NodeId,
  cause: string,
  mark: string,
  incarnation: number,
): Promise<void> {
  await tx.run(`UPDATE replicas SET move_id = ?, awaited = 0 WHERE ${DEMOTED} AND incarnation = ?`, [
    mark,
    node,
    incarnation,
  ]);
  await tx.run(
    `UPDATE replicas SET state = 'joined', awaited = 0 WHERE node = ? AND state = 'verified' AND incarnation = ?`,
    [node, incarnation],
  );
  await distrustRollbacks(tx, node, incarnation);
  await leaveInSync(tx, node, cause, mark, incarnation);
  await spoilCopies(tx, node, incarnation, cause);
}

/** Whether a new epoch is due at all: one that changes nothing would make every proxy report for nothing. */
async function anyReplica(tx: Tx, condition: string, params: SqlValue[]): Promise<boolean> {
  return (await one(tx, `SELECT 1 AS found FROM replicas WHERE ${condition} LIMIT 1`, params)) !== undefined;
}

export async function demoteNode(tx: Tx, node: NodeId, cause: string, lost = false): Promise<number> {
  await tx.run('UPDATE replicas SET awaited = 0 WHERE node = ? AND awaited = 1', [node]);
  const epoch = await leaveInSync(tx, node, cause, null, null);
  if (lost) await spoilCopies(tx, node, null, cause);
  await advanceTasks(tx);
  return epoch;
}

export async function promoteNode(tx: Tx, node: NodeId, generation: number, cause: string): Promise<number> {
  const stream = await requireGeneration(tx, node, generation);
  return promoteReplicas(tx, node, stream.position, cause);
}

/** Demoted replicas are readable again where their stream is past everything that has succeeded. */
async function promoteReplicas(tx: Tx, node: NodeId, position: number, cause: string): Promise<number> {
  const condition = `${DEMOTED} AND incarnation IN (SELECT incarnation FROM indexes WHERE watermark <= ?)`;
  const params = [node, position];
  if (!(await anyReplica(tx, condition, params))) return readEpoch(tx);
  const epoch = await bumpEpoch(tx, cause);
  await tx.run(
    `UPDATE replicas SET state = 'in-sync', since_epoch = ?, left_epoch = NULL, awaited = 0 WHERE ${condition}`,
    [epoch, ...params],
  );
  return epoch;
}

/** From so few entries behind the head on, a demoted replica is awaited: about a group. */
const NEAR_ENTRIES = 500;

/**
 * Under writes without a pause faster nodes would move the watermark on for ever. Only near the head: tasks must not
 * wait for a node that has hours to catch up.
 */
async function awaitNearReplicas(tx: Tx, node: NodeId, position: number): Promise<void> {
  if (!(await anyReplica(tx, `${DEMOTED} AND awaited = 0`, [node]))) return;
  const { next_seq } = await readCluster(tx);
  if (next_seq - 1 - position > NEAR_ENTRIES) return;
  await tx.run(`UPDATE replicas SET awaited = 1 WHERE ${DEMOTED}`, [node]);
}

export async function readStreams(tx: Tx): Promise<StreamPosition[]> {
  const rows = await tx.all<StreamRow>('SELECT * FROM streams ORDER BY node');
  return rows.map((row) => ({
    node: row.node,
    position: row.position,
    generation: row.generation,
    holder: row.holder,
    reportedAtMs: row.reported_at_ms,
    lastError: row.last_error,
    provisioned: row.provisioned === 1,
    lastTaskUid: row.last_task_uid,
  }));
}
