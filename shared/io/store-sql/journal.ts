// Staging, the numbering transaction, and tasks as clients list them.
import { type EntryMeta, type EntryPart, isBarrier, type TaskRow } from '../../core/entries.js';
import { mayFold } from '../../core/folded-ids.js';
import { mergeSettings } from '../../core/settings.js';
import type { AppendInput, AppendResult, TaskFilter } from '../store.js';
import { bumpEpoch, readCluster } from './cluster.js';
import { isoTime, marks, one, parseJson, type SqlValue, type Tx, toJson } from './driver.js';
import { addFields } from './fields.js';

export async function stageParts(tx: Tx, stagingId: string, parts: EntryPart[]): Promise<void> {
  for (const part of parts) {
    const [row] = await tx.all<{ id: number }>(
      `INSERT INTO parts (staging_id, shard, size_bytes, document_count, staged_at) VALUES (?, ?, ?, ?, ?)
       RETURNING id`,
      [stagingId, part.shard, part.payload.byteLength, part.documentCount, isoTime(tx.nowMs)],
    );
    await tx.run('INSERT INTO payloads (part, payload) VALUES (?, ?)', [row!.id, part.payload]);
  }
}

export async function dropStaging(tx: Tx, stagingId: string): Promise<void> {
  await tx.run('DELETE FROM parts WHERE staging_id = ?', [stagingId]);
}

interface LiveIndex {
  incarnation: number;
  primary_key: string | null;
  journaled_settings: string;
  id_kinds: number;
}

/**
 * The numbering transaction: re-checks what validation relied on, takes the next number, claims the staged parts.
 * A request id that was numbered before answers with its first number.
 */
export async function appendEntry(tx: Tx, input: AppendInput): Promise<AppendResult> {
  const before = await one<{ seq: number; enqueued_at: string }>(
    tx,
    'SELECT seq, enqueued_at FROM journal WHERE request_id = ?',
    [input.requestId],
  );
  if (before) return { ok: true, seq: before.seq, enqueuedAt: before.enqueued_at };

  const cluster = await readCluster(tx);
  const live = await one<LiveIndex>(
    tx,
    'SELECT incarnation, primary_key, journaled_settings, id_kinds FROM indexes WHERE uid = ? AND deleted_seq IS NULL',
    [input.indexUid],
  );
  if ((live?.incarnation ?? null) !== input.expected.incarnation) return { ok: false, conflict: 'index' };
  if (live && live.primary_key !== input.expected.primaryKey) return { ok: false, conflict: 'primary-key' };
  const { quietSince } = input.expected;
  if (live && quietSince !== undefined && !(await isQuiet(tx, live.incarnation, quietSince))) {
    return { ok: false, conflict: 'index' };
  }
  if (input.createIndex && input.createIndex.epoch !== cluster.epoch) return { ok: false, conflict: 'epoch' };

  const seq = cluster.next_seq;
  const enqueuedAt = isoTime(tx.nowMs);
  await tx.run('UPDATE cluster SET next_seq = next_seq + 1');
  let incarnation = live?.incarnation ?? null;
  let primaryKey = live?.primary_key ?? null;
  let effectEpoch: number | null = null;
  if (input.createIndex) {
    incarnation = cluster.next_incarnation;
    primaryKey = input.createIndex.primaryKey;
    await createIndex(tx, input, incarnation, seq, enqueuedAt);
  } else if (live && input.setPrimaryKey !== null && input.setPrimaryKey !== primaryKey) {
    primaryKey = input.setPrimaryKey;
    await tx.run('UPDATE indexes SET primary_key = ?, updated_at = ? WHERE incarnation = ?', [
      primaryKey,
      enqueuedAt,
      live.incarnation,
    ]);
    // The task succeeds when every proxy knows the key.
    effectEpoch = await bumpEpoch(tx, `task ${seq} sets the primary key of ${input.indexUid}`);
  }

  const kinds = (live?.id_kinds ?? 0) | (input.failure === null ? (input.idKinds ?? 0) : 0);
  if (live && kinds !== live.id_kinds) {
    await tx.run('UPDATE indexes SET id_kinds = ? WHERE incarnation = ?', [kinds, live.incarnation]);
    // As with the key: before its documents can be found, every proxy knows how their ids compare.
    if (mayFold(kinds) && !mayFold(live.id_kinds))
      effectEpoch = await bumpEpoch(tx, `task ${seq} brings ids to ${input.indexUid} that nodes sort as one`);
  }

  let settings: string | null = null;
  if (input.meta.kind === 'settingsUpdate' && incarnation !== null && input.failure === null) {
    const current = parseJson<Record<string, unknown>>(live?.journaled_settings ?? '{}') ?? {};
    settings = JSON.stringify(mergeSettings(current, input.meta.patch));
    await tx.run('UPDATE indexes SET journaled_settings = ? WHERE incarnation = ?', [settings, incarnation]);
  }
  if (input.meta.kind === 'indexDeletion' && incarnation !== null && input.failure === null) {
    // Gone for readers and later writers at once; nodes drop theirs when their stream comes to it.
    await tx.run('UPDATE indexes SET deleted_seq = ? WHERE incarnation = ?', [seq, incarnation]);
    await bumpEpoch(tx, `task ${seq} deletes the index ${input.indexUid}`);
  }

  // What fails leaves no field behind, as on one node.
  const names = input.failure === null ? (input.fields ?? []) : [];
  const newFields = incarnation === null ? 0 : await addFields(tx, incarnation, names);

  const parts = input.failure === null && input.stagingId !== null;
  const scope = parts ? 'parts' : input.failure !== null && !input.createIndex ? 'none' : 'index';
  await tx.run(
    `INSERT INTO journal (seq, request_id, kind, index_uid, incarnation, primary_key, creates_index, meta, settings,
      scope, barrier, refused, new_fields, status, outcome, error, details, effect_epoch, enqueued_at, started_at,
      finished_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'enqueued', ?, ?, ?, ?, ?, NULL, NULL)`,
    [
      seq,
      input.requestId,
      input.meta.kind,
      input.indexUid,
      incarnation,
      primaryKey,
      input.createIndex ? 1 : 0,
      JSON.stringify(input.meta),
      settings,
      scope,
      isBarrier(input.meta) && input.failure === null ? 1 : 0,
      input.failure === null ? 0 : 1,
      newFields,
      input.failure === null ? null : 'failed',
      toJson(input.failure),
      toJson(input.details),
      effectEpoch,
      enqueuedAt,
    ],
  );
  if (input.stagingId !== null) {
    if (parts)
      await tx.run('UPDATE parts SET seq = ?, staging_id = NULL WHERE staging_id = ?', [
        seq,
        input.stagingId,
      ]);
    else await dropStaging(tx, input.stagingId);
  }
  return { ok: true, seq, enqueuedAt };
}

async function isQuiet(tx: Tx, incarnation: number, since: number): Promise<boolean> {
  const later = await one(
    tx,
    'SELECT 1 AS found FROM journal WHERE incarnation = ? AND (seq > ? OR finished_at IS NULL) LIMIT 1',
    [incarnation, since],
  );
  return later === undefined;
}

async function createIndex(
  tx: Tx,
  input: AppendInput,
  incarnation: number,
  seq: number,
  at: string,
): Promise<void> {
  const create = input.createIndex!;
  const epoch = await bumpEpoch(tx, `task ${seq} creates the index ${input.indexUid}`);
  await tx.run('UPDATE cluster SET next_incarnation = next_incarnation + 1');
  await tx.run(
    `INSERT INTO indexes (incarnation, uid, primary_key, shard_count, replication_factor, settings,
      journaled_settings, visible, created_at, updated_at, created_seq, deleted_seq, watermark, id_kinds)
     VALUES (?, ?, ?, ?, ?, '{}', '{}', 0, ?, ?, ?, NULL, -1, ?)`,
    [
      incarnation,
      input.indexUid,
      create.primaryKey,
      create.assignment.length,
      create.assignment[0]?.length ?? 0,
      at,
      at,
      seq,
      input.failure === null ? (input.idKinds ?? 0) : 0,
    ],
  );
  for (const [shard, nodes] of create.assignment.entries()) {
    for (const node of nodes) {
      await tx.run(
        `INSERT INTO replicas (incarnation, shard, node, state, move_id, since_epoch, left_epoch, held_position)
         VALUES (?, ?, ?, 'in-sync', NULL, ?, NULL, NULL)`,
        [incarnation, shard, node, epoch],
      );
    }
  }
}

interface JournalRow {
  seq: number;
  index_uid: string;
  meta: string;
  status: TaskRow['status'];
  error: string | null;
  details: string | null;
  enqueued_at: string;
  started_at: string | null;
  finished_at: string | null;
}

const TASK_COLUMNS = 'seq, index_uid, meta, status, error, details, enqueued_at, started_at, finished_at';

function toTask(row: JournalRow): TaskRow {
  return {
    uid: row.seq,
    indexUid: row.index_uid,
    status: row.status,
    meta: JSON.parse(row.meta) as EntryMeta,
    // An outcome that is fixed before all nodes have confirmed is not shown before the task ends.
    error: row.finished_at === null ? null : parseJson(row.error),
    outcomeDetails: parseJson(row.details),
    enqueuedAt: row.enqueued_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

export async function readTask(tx: Tx, uid: number): Promise<TaskRow | null> {
  const row = await one<JournalRow>(tx, `SELECT ${TASK_COLUMNS} FROM journal WHERE seq = ?`, [uid]);
  return row ? toTask(row) : null;
}

export async function listTasks(
  tx: Tx,
  filter: TaskFilter,
): Promise<{ rows: TaskRow[]; total: number; next: number | null }> {
  const where: string[] = ['1 = 1'];
  const params: SqlValue[] = [];
  const among = (column: string, values: readonly (string | number)[] | undefined) => {
    if (values === undefined) return;
    where.push(values.length === 0 ? '1 = 0' : `${column} IN (${marks(values.length)})`);
    params.push(...values);
  };
  const bound = (column: string, operator: '<' | '>', value: string | undefined) => {
    if (value === undefined) return;
    where.push(`${column} ${operator} ?`);
    params.push(value);
  };
  among('seq', filter.uids);
  among('status', filter.statuses);
  among('kind', filter.types);
  among('index_uid', filter.indexUids);
  bound('enqueued_at', '<', filter.beforeEnqueuedAt);
  bound('enqueued_at', '>', filter.afterEnqueuedAt);
  bound('started_at', '<', filter.beforeStartedAt);
  bound('started_at', '>', filter.afterStartedAt);
  bound('finished_at', '<', filter.beforeFinishedAt);
  bound('finished_at', '>', filter.afterFinishedAt);
  const condition = where.join(' AND ');
  const total = await one<{ count: number }>(
    tx,
    `SELECT COUNT(*) AS count FROM journal WHERE ${condition}`,
    params,
  );
  const from = filter.from === undefined ? '' : ` AND seq ${filter.reverse ? '>=' : '<='} ?`;
  const rows = await tx.all<JournalRow>(
    `SELECT ${TASK_COLUMNS} FROM journal WHERE ${condition}${from}
     ORDER BY seq ${filter.reverse ? 'ASC' : 'DESC'} LIMIT ?`,
    [...params, ...(filter.from === undefined ? [] : [filter.from]), filter.limit + 1],
  );
  const next = rows.length > filter.limit ? rows[filter.limit]!.seq : null;
  return { rows: rows.slice(0, filter.limit).map(toTask), total: total?.count ?? 0, next };
}
