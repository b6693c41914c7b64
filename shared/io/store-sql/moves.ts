// Changes and moves. Each (shard, node) row is owned by one move; every step commits its state before anyone acts.
import type { ChangeKind, ChangeRequest } from '../../core/change-edits.js';
import type { MoveKind, MoveReason } from '../../core/plan.js';
import type { Prediction } from '../../core/plan-report.js';
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import { StateConflict } from '../store.js';
import type { ChangeRow, ChangeStatus, MovePhase, MoveRow, MoveStep, NewMove } from '../store-changes.js';
import { readEpoch } from './cluster.js';
import { isoTime, one, parseJson, type SqlValue, type Tx, toJson } from './driver.js';
import { oldestLeasedEpoch } from './progress.js';

export interface ChangeRecord {
  id: string;
  kind: ChangeKind;
  input: string;
  run_id: string;
  status: ChangeStatus;
  started_at: string;
  finished_at: string | null;
  planned_moves: number;
  planned_documents: number;
  planned_at: string | null;
  predicted: string | null;
}

export function toChange(row: ChangeRecord): ChangeRow {
  return {
    id: row.id,
    kind: row.kind,
    input: { ...parseJson<Partial<ChangeRequest>>(row.input), kind: row.kind },
    runId: row.run_id,
    status: row.status,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    plannedMoves: row.planned_moves,
    plannedDocuments: row.planned_documents,
    plannedAt: row.planned_at,
    predicted: parseJson<Prediction>(row.predicted),
  };
}

/** Of changes that a workflow is at work on, or was until it died. */
export const OPEN = `('running', 'needs-attention', 'paused', 'awaiting-approval')`;

/**
 * Opens a change. The workflow id admits one run at a time, so that any other change still open belongs to a run that
 * is dead: it is closed, its rows are adopted.
 */
export async function openChange(
  tx: Tx,
  change: { id: string; kind: ChangeKind; input: Partial<ChangeRequest>; runId: string },
): Promise<ChangeRow> {
  await tx.run(`UPDATE changes SET status = 'failed', finished_at = ? WHERE id <> ? AND status IN ${OPEN}`, [
    isoTime(tx.nowMs),
    change.id,
  ]);
  await tx.run(
    `INSERT INTO changes (id, kind, input, run_id, status, started_at, finished_at, planned_moves, planned_documents)
     VALUES (?, ?, ?, ?, 'running', ?, NULL, 0, 0) ON CONFLICT (id) DO NOTHING`,
    [change.id, change.kind, JSON.stringify(change.input), change.runId, isoTime(tx.nowMs)],
  );
  return (await readChange(tx, change.id))!;
}

export async function readChange(tx: Tx, id: string): Promise<ChangeRow | null> {
  const row = await one<ChangeRecord>(tx, 'SELECT * FROM changes WHERE id = ?', [id]);
  return row ? toChange(row) : null;
}

export async function readLatestChange(tx: Tx): Promise<ChangeRow | null> {
  const row = await one<ChangeRecord>(tx, 'SELECT * FROM changes ORDER BY started_at DESC, id DESC LIMIT 1');
  return row ? toChange(row) : null;
}

/** What has ended stays so: a step that wakes late must not bring a change back that was given up meanwhile. */
export async function setChangeStatus(tx: Tx, id: string, status: ChangeStatus): Promise<void> {
  const over = ['done', 'failed', 'aborted', 'rolled-back'].includes(status);
  await tx.run('UPDATE changes SET status = ?, finished_at = ? WHERE id = ? AND finished_at IS NULL', [
    status,
    over ? isoTime(tx.nowMs) : null,
    id,
  ]);
}

export async function planMoves(
  tx: Tx,
  changeId: string,
  epoch: number,
  moves: NewMove[],
  plannedDocuments: number,
  predicted?: Prediction,
): Promise<boolean> {
  if ((await readEpoch(tx)) !== epoch) return false;
  // Whoever slept while another planned must not replace moves that are under way, nor plan for a change that is over.
  const first = await tx.run(
    `UPDATE changes SET planned_at = ? WHERE id = ? AND planned_at IS NULL AND status IN ('running', 'needs-attention')`,
    [isoTime(tx.nowMs), changeId],
  );
  if (first === 0) return false;
  for (const [ordinal, move] of moves.entries()) {
    await tx.run(
      `INSERT INTO moves (id, change_id, ordinal, index_uid, incarnation, shard, source_node, copy_from, target_node,
        kind, reason, planned_documents, planned_bytes, phase, attempt, snapshot_position, documents_total, documents_copied, bytes_copied, last_error,
        flipped_epoch, started_at, finished_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL)`,
      [
        move.id,
        changeId,
        ordinal,
        move.indexUid,
        move.incarnation,
        move.shard,
        move.sourceNode,
        move.copyFrom,
        move.targetNode,
        move.kind ?? 'copy',
        move.reason ?? 'placement',
        move.plannedDocuments ?? null,
        move.plannedBytes ?? null,
      ],
    );
  }
  await tx.run('UPDATE changes SET planned_moves = ?, planned_documents = ?, predicted = ? WHERE id = ?', [
    moves.length,
    plannedDocuments,
    toJson(predicted),
    changeId,
  ]);
  return true;
}

export interface MoveRecord {
  id: string;
  kind: MoveKind;
  reason: MoveReason;
  change_id: string;
  index_uid: string;
  incarnation: number;
  shard: number;
  source_node: string | null;
  copy_from: string;
  target_node: string;
  planned_documents: number | null;
  planned_bytes: number | null;
  phase: MovePhase;
  attempt: number;
  snapshot_position: number | null;
  documents_total: number;
  documents_copied: number;
  bytes_copied: number;
  last_error: string | null;
  flipped_epoch: number | null;
  flipped_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  retain_until: string | null;
  rolled_back_epoch: number | null;
}

export function toMove(row: MoveRecord): MoveRow {
  return {
    id: row.id,
    kind: row.kind,
    reason: row.reason,
    changeId: row.change_id,
    indexUid: row.index_uid,
    incarnation: row.incarnation,
    shard: row.shard,
    sourceNode: row.source_node,
    copyFrom: row.copy_from,
    targetNode: row.target_node,
    plannedDocuments: row.planned_documents,
    plannedBytes: row.planned_bytes,
    phase: row.phase,
    attempt: row.attempt,
    snapshotPosition: row.snapshot_position,
    documentsTotal: row.documents_total,
    documentsCopied: row.documents_copied,
    bytesCopied: row.bytes_copied,
    lastError: row.last_error,
    flippedEpoch: row.flipped_epoch,
    flippedAt: row.flipped_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    retainUntil: row.retain_until,
    rolledBackEpoch: row.rolled_back_epoch,
  };
}

export async function readMove(tx: Tx, id: string): Promise<MoveRow | null> {
  const row = await one<MoveRecord>(tx, 'SELECT * FROM moves WHERE id = ?', [id]);
  return row ? toMove(row) : null;
}

export async function requireMove(tx: Tx, id: string): Promise<MoveRow> {
  const move = await readMove(tx, id);
  if (!move) throw new StateConflict('unknown_move', `there is no move "${id}"`);
  return move;
}

const MOVE_COLUMNS: Record<string, string> = {
  phase: 'phase',
  attempt: 'attempt',
  lastError: 'last_error',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
};

export async function updateMove(
  tx: Tx,
  moveId: string,
  patch: Record<string, SqlValue | undefined>,
): Promise<MoveRow> {
  const fields = Object.entries(patch).filter(([key, value]) => value !== undefined && key in MOVE_COLUMNS);
  if (fields.length > 0) {
    await tx.run(
      `UPDATE moves SET ${fields.map(([key]) => `${MOVE_COLUMNS[key]} = ?`).join(', ')} WHERE id = ?`,
      [...fields.map(([, value]) => value!), moveId],
    );
  }
  return requireMove(tx, moveId);
}

export interface ReplicaRow {
  state: string;
  move_id: string | null;
  left_epoch: number | null;
}

export async function readReplica(tx: Tx, move: MoveRow, node: NodeId): Promise<ReplicaRow | undefined> {
  return one<ReplicaRow>(
    tx,
    'SELECT state, move_id, left_epoch FROM replicas WHERE incarnation = ? AND shard = ? AND node = ?',
    [move.incarnation, move.shard, node],
  );
}

/**
 * Steps that were asked for and not begun. A move that begins anew or is given up must never meet them again: a copy
 * of an older attempt would write over newer documents, a replay would join a shard that is not there.
 */
export async function dropWaitingControls(tx: Tx, moveId: string): Promise<void> {
  await tx.run(
    `UPDATE controls SET status = 'failed', result = '{"message":"its move was given up or began again"}'
     WHERE move_id = ? AND status = 'waiting' AND kind <> 'delete'`,
    [moveId],
  );
}

export async function holdReplica(tx: Tx, moveId: string): Promise<MoveRow> {
  const move = await requireMove(tx, moveId);
  if (move.finishedAt !== null) throw new StateConflict('move_over', `move ${moveId} is over: ${move.phase}`);
  if (move.kind === 'drop') throw new StateConflict('no_target', `move ${moveId} copies nothing`);
  const index = await one<{ deleted_seq: number | null }>(
    tx,
    'SELECT deleted_seq FROM indexes WHERE incarnation = ?',
    [move.incarnation],
  );
  if (!index || index.deleted_seq !== null)
    throw new StateConflict('index_deleted', `the index ${move.indexUid} has been deleted`);
  await dropWaitingControls(tx, moveId);
  const copyFrom = await chooseReadableSource(tx, move);
  const row = await readReplica(tx, move, move.targetNode);
  const key = [move.incarnation, move.shard, move.targetNode];
  // Payloads are kept from here on: the snapshot's position can only be later.
  const source = await one<{ position: number }>(tx, 'SELECT position FROM streams WHERE node = ?', [
    copyFrom,
  ]);
  const heldPosition = source?.position ?? null;
  const place = `shard ${move.shard} of ${move.indexUid} on node ${move.targetNode}`;
  if (!row) {
    await tx.run(
      `INSERT INTO replicas (incarnation, shard, node, state, move_id, since_epoch, left_epoch, held_position)
       VALUES (?, ?, ?, 'copying', ?, ?, NULL, ?)`,
      [...key, moveId, await readEpoch(tx), heldPosition],
    );
  } else {
    const mine = row.move_id === moveId || row.move_id === null || row.move_id.startsWith(DIVERGED);
    if (!mine || !['copying', 'joined', 'verified'].includes(row.state))
      throw new StateConflict('replica_owned', `${place} is ${row.state} under ${row.move_id ?? 'no move'}`);
    // It was demoted, and what is about to be emptied may still be answering. Soon it is not: the step is tried again.
    if (row.left_epoch !== null && (await oldestLeasedEpoch(tx)) < row.left_epoch)
      throw new Error(`a proxy may still read ${place}: the move begins when none does`);
    await tx.run(
      `UPDATE replicas SET state = 'copying', move_id = ?, held_position = ?, awaited = 0
       WHERE incarnation = ? AND shard = ? AND node = ?`,
      [moveId, heldPosition, ...key],
    );
  }
  await tx.run('DELETE FROM snapshots WHERE move_id = ?', [moveId]);
  await tx.run(
    `UPDATE moves SET attempt = attempt + 1, phase = 'snapshot', snapshot_position = NULL, documents_total = 0,
       documents_copied = 0, bytes_copied = 0, copy_end = NULL, spoiled = NULL, last_error = NULL,
       started_at = COALESCE(started_at, ?) WHERE id = ?`,
    [isoTime(tx.nowMs), moveId],
  );
  return requireMove(tx, moveId);
}

/** A copy source that has left in-sync since the plan is replaced by one that is there. */
async function chooseReadableSource(tx: Tx, move: MoveRow): Promise<NodeId> {
  const readable = await tx.all<{ node: string }>(
    `SELECT node FROM replicas WHERE incarnation = ? AND shard = ? AND state = 'in-sync' ORDER BY node`,
    [move.incarnation, move.shard],
  );
  const other = readable[0]?.node;
  if (other === undefined || readable.some((replica) => replica.node === move.copyFrom)) return move.copyFrom;
  await tx.run('UPDATE moves SET copy_from = ? WHERE id = ?', [other, move.id]);
  return other;
}

const SNAPSHOT_CHUNK = 10_000;

export async function saveSnapshot(
  tx: Tx,
  moveId: string,
  position: number,
  ids: string[],
  attempt?: number,
): Promise<void> {
  const move = await requireMove(tx, moveId);
  if (attempt !== undefined && attempt !== move.attempt)
    throw new StateConflict('replica_owned', `move ${moveId} has begun its attempt ${move.attempt}`);
  const changed = await tx.run(
    `UPDATE replicas SET held_position = ? WHERE incarnation = ? AND shard = ? AND node = ? AND state = 'copying'
       AND move_id = ?`,
    [position, move.incarnation, move.shard, move.targetNode, moveId],
  );
  if (changed === 0) throw new StateConflict('replica_owned', `move ${moveId} no longer holds its shard`);
  await tx.run('DELETE FROM snapshots WHERE move_id = ?', [moveId]);
  for (let first = 0; first < ids.length; first += SNAPSHOT_CHUNK) {
    await tx.run('INSERT INTO snapshots (move_id, first, ids) VALUES (?, ?, ?)', [
      moveId,
      first,
      JSON.stringify(ids.slice(first, first + SNAPSHOT_CHUNK)),
    ]);
  }
  await tx.run(
    `UPDATE moves SET snapshot_position = ?, documents_total = ?, documents_copied = 0, phase = 'copy' WHERE id = ?`,
    [position, ids.length, moveId],
  );
}

export async function readSnapshotIds(
  tx: Tx,
  moveId: string,
  offset: number,
  limit: number,
): Promise<string[]> {
  const rows = await tx.all<{ first: number; ids: string }>(
    'SELECT first, ids FROM snapshots WHERE move_id = ? AND first < ? AND first + ? > ? ORDER BY first',
    [moveId, offset + limit, SNAPSHOT_CHUNK, offset],
  );
  return rows.flatMap((row) => {
    const ids = JSON.parse(row.ids) as string[];
    return ids.slice(Math.max(0, offset - row.first), Math.max(0, offset + limit - row.first));
  });
}

export async function recordStep(tx: Tx, step: MoveStep): Promise<void> {
  await tx.run(
    'INSERT INTO steps (move_id, step, attempt, at, duration_ms, detail) VALUES (?, ?, ?, ?, ?, ?)',
    [step.moveId, step.step, step.attempt, step.at, Math.round(step.durationMs), JSON.stringify(step.detail)],
  );
}

export async function listSteps(tx: Tx, moveId: string): Promise<MoveStep[]> {
  const rows = await tx.all<{
    move_id: string;
    step: string;
    attempt: number;
    at: string;
    duration_ms: number;
    detail: string;
  }>('SELECT * FROM steps WHERE move_id = ? ORDER BY id', [moveId]);
  return rows.map((row) => ({
    moveId: row.move_id,
    step: row.step,
    attempt: row.attempt,
    at: row.at,
    durationMs: row.duration_ms,
    detail: parseJson<Record<string, unknown>>(row.detail) ?? {},
  }));
}
