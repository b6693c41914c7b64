// The edits of a change: node states, weights, zones and replication factors, made once and taken back when the change
// is given up.
import { type ChangeEdits, leavingNodes } from '../../core/change-edits.js';
import type { NodeId, NodeState } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import { bumpEpoch, readCluster } from './cluster.js';
import { one, parseJson, type SqlValue, type Tx } from './driver.js';

interface NodeFields {
  state: NodeState;
  zone: string | null;
  weight: number;
  placement_key: string | null;
}

/** What was before and what was made of it: taken back only where it is still so. */
interface Undo {
  nodes: Record<NodeId, { before: NodeFields; after: NodeFields }>;
  indexes: { incarnation: number; before: number; after: number }[];
  replicationFactor: { before: number; after: number } | null;
  isTakenBack: boolean;
}

export async function makeEdits(tx: Tx, changeId: string, edits: ChangeEdits): Promise<void> {
  const change = await one<{ status: string; finished_at: string | null; undo: string | null }>(
    tx,
    'SELECT status, finished_at, undo FROM changes WHERE id = ?',
    [changeId],
  );
  if (!change || change.finished_at !== null)
    throw new StateConflict('change_over', `change ${changeId} is ${change?.status ?? 'unknown'}`);
  if (change.undo !== null) return;
  const undo: Undo = { nodes: {}, indexes: [], replicationFactor: null, isTakenBack: false };
  for (const [id, fields] of wantedFields(edits)) await editNode(tx, undo, id, fields);
  for (const { id, replaces } of edits.replace) await takePlace(tx, undo, id, replaces);
  for (const { index, factor } of edits.replication) await editReplication(tx, undo, index, factor);
  await tx.run('UPDATE changes SET undo = ? WHERE id = ?', [JSON.stringify(undo), changeId]);
  const edited = Object.keys(undo.nodes).length + undo.indexes.length + (undo.replicationFactor ? 1 : 0);
  if (edited > 0) await bumpEpoch(tx, `change ${changeId} begins`);
}

function wantedFields(edits: ChangeEdits): Map<NodeId, Partial<NodeFields>> {
  const wanted = new Map<NodeId, Partial<NodeFields>>();
  for (const { id, zone, weight } of [...edits.add, ...edits.replace, ...edits.set])
    wanted.set(id, { ...(zone !== undefined && { zone }), ...(weight !== undefined && { weight }) });
  for (const { id } of edits.add) wanted.set(id, { ...wanted.get(id), placement_key: null });
  for (const id of leavingNodes(edits)) wanted.set(id, { ...wanted.get(id), state: 'draining' });
  return wanted;
}

async function readFields(tx: Tx, id: NodeId): Promise<NodeFields | undefined> {
  return one<NodeFields & Record<string, SqlValue>>(
    tx,
    'SELECT state, zone, weight, placement_key FROM nodes WHERE id = ?',
    [id],
  );
}

async function writeFields(tx: Tx, id: NodeId, fields: NodeFields): Promise<void> {
  await tx.run('UPDATE nodes SET state = ?, zone = ?, weight = ?, placement_key = ? WHERE id = ?', [
    fields.state,
    fields.zone,
    fields.weight,
    fields.placement_key,
    id,
  ]);
}

async function editNode(tx: Tx, undo: Undo, id: NodeId, fields: Partial<NodeFields>): Promise<void> {
  const before = await readFields(tx, id);
  if (!before) throw new StateConflict('unknown_node', `node "${id}" is not in the topology`);
  const after = { ...before, ...fields };
  if (JSON.stringify(after) === JSON.stringify(before)) return;
  await writeFields(tx, id, after);
  undo.nodes[id] = { before, after };
}

/** The replacement is placed as the node that it replaces; given up, it is kept aside, for that node is placed so again. */
async function takePlace(tx: Tx, undo: Undo, id: NodeId, replaces: NodeId): Promise<void> {
  const before = await readFields(tx, id);
  const old = await readFields(tx, replaces);
  if (!before) throw new StateConflict('unknown_node', `node "${id}" is not in the topology`);
  const after = { ...before, placement_key: old?.placement_key ?? replaces };
  await writeFields(tx, id, after);
  undo.nodes[id] = { before: { ...before, state: 'drained', placement_key: null }, after };
}

async function editReplication(tx: Tx, undo: Undo, uid: string | null, factor: number): Promise<void> {
  if (uid === null) {
    const { replication_factor: before } = await readCluster(tx);
    await tx.run('UPDATE cluster SET replication_factor = ?', [factor]);
    if (before !== factor) undo.replicationFactor = { before, after: factor };
    return;
  }
  const index = await one<{ incarnation: number; replication_factor: number }>(
    tx,
    'SELECT incarnation, replication_factor FROM indexes WHERE uid = ? AND deleted_seq IS NULL',
    [uid],
  );
  if (!index) throw new StateConflict('unknown_index', `there is no index "${uid}"`);
  if (index.replication_factor === factor) return;
  await tx.run('UPDATE indexes SET replication_factor = ? WHERE incarnation = ?', [
    factor,
    index.incarnation,
  ]);
  undo.indexes.push({ incarnation: index.incarnation, before: index.replication_factor, after: factor });
}

export async function takeBackEdits(tx: Tx, changeId: string): Promise<void> {
  await exchange(tx, changeId, true);
}

export async function makeEditsAgain(tx: Tx, changeId: string): Promise<void> {
  await exchange(tx, changeId, false);
}

/** Puts what was before, or what was made of it, wherever the other is there now. */
async function exchange(tx: Tx, changeId: string, back: boolean): Promise<void> {
  const row = await one<{ undo: string | null }>(tx, 'SELECT undo FROM changes WHERE id = ?', [changeId]);
  const undo = parseJson<Undo>(row?.undo ?? null);
  if (!undo || undo.isTakenBack === back) return;
  const turn = <T>({ before, after }: { before: T; after: T }): [T, T] =>
    back ? [after, before] : [before, after];
  let edited = 0;
  for (const [id, edit] of Object.entries(undo.nodes)) {
    const [from, to] = turn(edit);
    const now = await readFields(tx, id);
    if (!now || !isSame(now, from)) continue;
    await writeFields(tx, id, !back && to.state === 'draining' ? { ...to, state: 'drained' } : to);
    edited += 1;
  }
  for (const { incarnation, ...edit } of undo.indexes) {
    const [from, to] = turn(edit);
    edited += await tx.run(
      'UPDATE indexes SET replication_factor = ? WHERE incarnation = ? AND replication_factor = ?',
      [to, incarnation, from],
    );
  }
  if (undo.replicationFactor) {
    const [from, to] = turn(undo.replicationFactor);
    edited += await tx.run('UPDATE cluster SET replication_factor = ? WHERE replication_factor = ?', [
      to,
      from,
    ]);
  }
  await tx.run('UPDATE changes SET undo = ? WHERE id = ?', [
    JSON.stringify({ ...undo, isTakenBack: back }),
    changeId,
  ]);
  if (edited > 0)
    await bumpEpoch(tx, `edits of change ${changeId} are ${back ? 'taken back' : 'made again'}`);
}

/** A node that was draining is drained at the end of its change. */
function isSame(now: NodeFields, then: NodeFields): boolean {
  const state = (fields: NodeFields) => (fields.state === 'drained' ? 'draining' : fields.state);
  return (
    state(now) === state(then) &&
    now.zone === then.zone &&
    now.weight === then.weight &&
    now.placement_key === then.placement_key
  );
}
