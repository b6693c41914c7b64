// Control entries: the steps of moves that a node's stream carries out between two groups; replay of held shards.
import type { NodeId } from '../../core/topology.js';
import { type Control, type ReplayStep, StateConflict } from '../store.js';
import { marks, one, parseJson, type Tx, toJson } from './driver.js';
import { type JournalEntryRow, toDelivery } from './groups.js';
import { requireGeneration } from './streams.js';

interface ControlRow {
  id: number;
  node: string;
  kind: Control['kind'];
  key: string;
  move_id: string | null;
  incarnation: number | null;
  shard: number | null;
  args: string;
  status: Control['status'];
  result: string | null;
}

function toControl(row: ControlRow): Control {
  return {
    id: row.id,
    node: row.node,
    kind: row.kind,
    key: row.key,
    moveId: row.move_id,
    incarnation: row.incarnation,
    shard: row.shard,
    args: parseJson<Control['args']>(row.args) ?? {},
    status: row.status,
    result: parseJson(row.result),
  };
}

export async function enqueueControl(
  tx: Tx,
  control: Omit<Control, 'id' | 'status' | 'result'>,
): Promise<number> {
  const known = await one<{ id: number }>(tx, 'SELECT id FROM controls WHERE key = ?', [control.key]);
  if (known) return known.id;
  if (!(await isWanted(tx, control)))
    throw new StateConflict(
      'replica_owned',
      `move ${control.moveId} no longer holds shard ${control.shard} on node ${control.node}`,
    );
  const [row] = await tx.all<{ id: number }>(
    `INSERT INTO controls (node, kind, key, move_id, incarnation, shard, args, status, result)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', NULL) RETURNING id`,
    [
      control.node,
      control.kind,
      control.key,
      control.moveId,
      control.incarnation,
      control.shard,
      JSON.stringify(control.args),
    ],
  );
  return row!.id;
}

/** Whether the control's move holds the replica in the state that the step is for, in the same attempt. */
async function isWanted(tx: Tx, control: Omit<Control, 'id' | 'status' | 'result'>): Promise<boolean> {
  if (control.moveId === null) return true;
  const row = await one<{ state: string; attempt: number; copy_end: number | null }>(
    tx,
    `SELECT r.state, m.attempt, m.copy_end FROM replicas r JOIN moves m ON m.id = r.move_id
     WHERE r.incarnation = ? AND r.shard = ? AND r.node = ? AND r.move_id = ?`,
    [control.incarnation, control.shard, control.node, control.moveId],
  );
  if (control.kind === 'delete') return row?.state === 'deleting';
  // A chunk that is asked for late would write over what has been replayed.
  if (control.kind === 'copy' && row?.copy_end != null) return false;
  return row?.state === 'copying' && row.attempt === (control.args.attempt ?? row.attempt);
}

/**
 * What a deletion is for outlives its move where the node was leaving and did not answer. It may be back and stay after
 * all: then the shard goes as long as nothing holds it there. What a later move brings is asked for behind this step.
 */
async function isLeftOver(tx: Tx, { kind, incarnation, shard, node }: Control): Promise<boolean> {
  if (kind !== 'delete') return false;
  const held = await one(
    tx,
    'SELECT 1 AS found FROM replicas WHERE incarnation = ? AND shard = ? AND node = ?',
    [incarnation, shard, node],
  );
  return held === undefined;
}

export async function startControl(tx: Tx, node: NodeId, generation: number, id: number): Promise<boolean> {
  await requireGeneration(tx, node, generation);
  const [control] = await readControls(tx, [id]);
  if (control?.status !== 'waiting') return false;
  if ((await isWanted(tx, control)) || (await isLeftOver(tx, control))) return true;
  await finishControl(tx, node, generation, id, 'failed', { message: 'its move no longer holds the shard' });
  return false;
}

export async function readControls(tx: Tx, ids: number[]): Promise<Control[]> {
  if (ids.length === 0) return [];
  const rows = await tx.all<ControlRow>(
    `SELECT * FROM controls WHERE id IN (${marks(ids.length)}) ORDER BY id`,
    ids,
  );
  return rows.map(toControl);
}

export async function nextControls(
  tx: Tx,
  node: NodeId,
  generation: number,
  limit: number,
): Promise<Control[]> {
  await requireGeneration(tx, node, generation);
  const rows = await tx.all<ControlRow>(
    `SELECT * FROM controls WHERE node = ? AND status = 'waiting' ORDER BY id LIMIT ?`,
    [node, limit],
  );
  return rows.map(toControl);
}

export async function finishControl(
  tx: Tx,
  node: NodeId,
  generation: number,
  id: number,
  status: 'done' | 'failed',
  result: Record<string, unknown> | null,
): Promise<void> {
  await requireGeneration(tx, node, generation);
  await tx.run('UPDATE controls SET status = ?, result = ? WHERE id = ?', [status, toJson(result), id]);
}

/** The entries that a held shard still needs, in order. Reads only what the stream itself has passed. */
export async function readReplay(
  tx: Tx,
  node: NodeId,
  generation: number,
  incarnation: number,
  shard: number,
  limits: { entries: number; bytes: number },
): Promise<ReplayStep> {
  const stream = await requireGeneration(tx, node, generation);
  const held = await one<{ held_position: number | null; move_id: string | null }>(
    tx,
    `SELECT held_position, move_id FROM replicas WHERE incarnation = ? AND shard = ? AND node = ? AND state = 'copying'`,
    [incarnation, shard, node],
  );
  if (held?.held_position === null || held?.held_position === undefined)
    throw new StateConflict(
      'replica_owned',
      `shard ${shard} is not held on node ${node}: its move was given up or began again`,
    );
  const move = await one<{
    copy_from: string;
    copy_end: number | null;
    spoiled: string | null;
    position: number | null;
  }>(
    tx,
    `SELECT m.copy_from, m.copy_end, m.spoiled, s.position
     FROM moves m LEFT JOIN streams s ON s.node = m.copy_from WHERE m.id = ?`,
    [held.move_id],
  );
  const spoiled = move?.spoiled != null;
  if (!spoiled && move?.copy_end == null)
    throw new StateConflict('replica_owned', `shard ${shard} on node ${node} is still being copied`);
  const rows = await tx.all<JournalEntryRow>(
    `SELECT j.seq, j.meta, j.index_uid, j.incarnation, j.primary_key, j.settings, j.scope, j.barrier, j.refused,
       j.status, j.outcome, j.new_fields, p.name
     FROM journal j LEFT JOIN physical_names p ON p.incarnation = j.incarnation AND p.node = ?
     WHERE j.incarnation = ? AND j.seq > ? AND j.seq <= ? AND j.refused = 0
       AND COALESCE(j.outcome, 'succeeded') = 'succeeded'
       AND (j.scope = 'index' OR EXISTS (SELECT 1 FROM parts d WHERE d.seq = j.seq AND d.shard = ?))
     ORDER BY j.seq LIMIT ?`,
    [node, incarnation, held.held_position, stream.position, shard, limits.entries],
  );
  const step: ReplayStep = {
    entries: [],
    shardPosition: held.held_position,
    streamPosition: stream.position,
    copyEnd: move?.copy_end ?? 0,
    restart: spoiled,
  };
  if (spoiled) return step;
  let bytes = 0;
  for (const row of rows) {
    const entry = { ...toDelivery(row), liveShards: [shard], recordedIds: null as string[] | null };
    if (entry.meta.kind !== 'documentAdditionOrUpdate' && entry.meta.kind !== 'documentDeletion') {
      step.restart = true;
      break;
    }
    const parts = await tx.all<{ payload: Uint8Array; size_bytes: number }>(
      `SELECT b.payload, d.size_bytes FROM parts d JOIN payloads b ON b.part = d.id
       WHERE d.seq = ? AND d.shard = ? ORDER BY d.id`,
      [row.seq, shard],
    );
    bytes += parts.reduce((sum, part) => sum + part.size_bytes, 0);
    if (step.entries.length > 0 && bytes > limits.bytes) break;
    entry.parts = parts.map((part) => ({ shard, payload: part.payload }));
    if (entry.meta.kind === 'documentDeletion' && entry.meta.mode === 'filter') {
      const match = await one<{ ids: string }>(
        tx,
        'SELECT ids FROM filter_matches WHERE seq = ? AND shard = ? AND node = ?',
        [row.seq, shard, move?.copy_from ?? ''],
      );
      entry.recordedIds = parseJson<string[]>(match?.ids);
      // The source is past it and had recorded nothing, for the shard was not held when it began to apply it (or the
      // source is gone): nobody will ever know what it matched.
      if (!match && (move?.position ?? row.seq) >= row.seq) {
        step.restart = true;
        break;
      }
    }
    step.entries.push(entry);
  }
  return step;
}

export async function advanceReplay(
  tx: Tx,
  node: NodeId,
  generation: number,
  incarnation: number,
  shard: number,
  position: number,
  join: boolean,
): Promise<boolean> {
  const stream = await requireGeneration(tx, node, generation);
  const where = `incarnation = ? AND shard = ? AND node = ? AND state = 'copying'`;
  const key = [incarnation, shard, node];
  const changed = await tx.run(
    `UPDATE replicas SET held_position = ? WHERE ${where} AND held_position <= ?`,
    [position, ...key, position],
  );
  if (changed === 0)
    throw new StateConflict('replica_owned', `shard ${shard} is no longer held on node ${node}`);
  if (!join || position !== stream.position) return false;
  const good = await one(
    tx,
    `SELECT 1 AS found FROM replicas r JOIN moves m ON m.id = r.move_id
     WHERE r.incarnation = ? AND r.shard = ? AND r.node = ? AND m.copy_end <= ? AND m.spoiled IS NULL`,
    [...key, position],
  );
  if (!good) return false;
  await tx.run(`UPDATE replicas SET state = 'joined', held_position = NULL WHERE ${where}`, key);
  return true;
}

/** Whose copies read from this node and may still need the ids that a filter matches. */
export async function readCopyingShards(tx: Tx, node: NodeId, incarnation: number): Promise<number[]> {
  const rows = await tx.all<{ shard: number }>(
    `SELECT DISTINCT m.shard FROM moves m JOIN replicas r ON r.move_id = m.id AND r.node = m.target_node
     WHERE m.copy_from = ? AND m.incarnation = ? AND r.state = 'copying' ORDER BY m.shard`,
    [node, incarnation],
  );
  return rows.map((row) => row.shard);
}

export async function recordFilterMatches(
  tx: Tx,
  node: NodeId,
  generation: number,
  seq: number,
  matches: { shard: number; ids: string[] }[],
): Promise<void> {
  await requireGeneration(tx, node, generation);
  for (const match of matches) {
    await tx.run(
      'INSERT INTO filter_matches (seq, shard, node, ids) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      [seq, match.shard, node, JSON.stringify(match.ids)],
    );
  }
}
