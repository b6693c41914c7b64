// Verifications: their comparisons, one row each, so that whoever comes after a crash goes on where the last one was.
import type {
  ItemDetail,
  ItemOutcome,
  ItemStatus,
  NewVerificationItem,
  Touches,
  VerificationInput,
  VerificationItem,
  VerificationRow,
  VerificationStatus,
  VerificationTotals,
} from '../store-verifications.js';
import { isoTime, marks, one, parseJson, type Tx } from './driver.js';

/** Older ones go when a new one is opened. */
const KEPT = 20;
const ROWS_AN_INSERT = 100;

export async function openVerification(
  tx: Tx,
  id: string,
  input: VerificationInput,
  items: NewVerificationItem[],
): Promise<VerificationRow> {
  const known = await readVerification(tx, id);
  if (known) return known;
  const at = isoTime(tx.nowMs);
  await tx.run(`UPDATE verifications SET status = 'failed', finished_at = ? WHERE status = 'running'`, [at]);
  await tx.run(
    `INSERT INTO verifications (id, input, status, started_at, finished_at, last_error)
     VALUES (?, ?, 'running', ?, NULL, NULL)`,
    [id, JSON.stringify(input), at],
  );
  for (let first = 0; first < items.length; first += ROWS_AN_INSERT) {
    const rows = items.slice(first, first + ROWS_AN_INSERT);
    await tx.run(
      `INSERT INTO verification_items (verification_id, ordinal, kind, index_uid, incarnation, shard, node, status,
         documents, missing, extra, different, undecided, detail)
       VALUES ${rows.map(() => `(?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, 0, 0, 0, '{}')`).join(', ')}`,
      rows.flatMap((item, at) => [
        id,
        first + at,
        item.kind,
        item.indexUid,
        item.incarnation,
        item.shard,
        item.node,
      ]),
    );
  }
  await dropOld(tx);
  return (await readVerification(tx, id))!;
}

async function dropOld(tx: Tx): Promise<void> {
  const rows = await tx.all<{ id: string }>(
    'SELECT id FROM verifications ORDER BY started_at DESC, id DESC LIMIT 1000',
  );
  for (const { id } of rows.slice(KEPT)) {
    await tx.run('DELETE FROM verification_items WHERE verification_id = ?', [id]);
    await tx.run('DELETE FROM verifications WHERE id = ?', [id]);
  }
}

interface VerificationRecord {
  id: string;
  input: string;
  status: VerificationStatus;
  started_at: string;
  finished_at: string | null;
  last_error: string | null;
}

async function toVerification(tx: Tx, row: VerificationRecord | undefined): Promise<VerificationRow | null> {
  if (!row) return null;
  return {
    id: row.id,
    input: JSON.parse(row.input) as VerificationInput,
    status: row.status,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    lastError: row.last_error,
    totals: await sumItems(tx, row.id),
  };
}

export async function readVerification(tx: Tx, id: string): Promise<VerificationRow | null> {
  return toVerification(
    tx,
    await one<VerificationRecord>(tx, 'SELECT * FROM verifications WHERE id = ?', [id]),
  );
}

export async function readLatestVerification(tx: Tx): Promise<VerificationRow | null> {
  return toVerification(
    tx,
    await one<VerificationRecord>(
      tx,
      'SELECT * FROM verifications ORDER BY started_at DESC, id DESC LIMIT 1',
    ),
  );
}

async function sumItems(tx: Tx, id: string): Promise<VerificationTotals> {
  const rows = await tx.all<Record<string, number | string>>(
    `SELECT status, COUNT(*) AS items, SUM(documents) AS documents, SUM(missing) AS missing, SUM(extra) AS extra,
       SUM(different) AS different, SUM(undecided) AS undecided
     FROM verification_items WHERE verification_id = ? GROUP BY status`,
    [id],
  );
  const sum = (column: string, ...statuses: ItemStatus[]) =>
    rows
      .filter((row) => statuses.length === 0 || statuses.includes(row.status as ItemStatus))
      .reduce((total, row) => total + Number(row[column] ?? 0), 0);
  return {
    items: sum('items'),
    checked: sum('items') - sum('items', 'pending'),
    different: sum('items', 'different'),
    repaired: sum('items', 'repaired'),
    unchecked: sum('items', 'unchecked'),
    undecided: sum('undecided', 'different'),
    documents: sum('documents'),
    missingDocuments: sum('missing'),
    extraDocuments: sum('extra'),
    differentDocuments: sum('different'),
  };
}

interface ItemRecord {
  ordinal: number;
  kind: VerificationItem['kind'];
  index_uid: string;
  incarnation: number;
  shard: number | null;
  node: string | null;
  status: ItemStatus;
  documents: number;
  missing: number;
  extra: number;
  different: number;
  undecided: number;
  detail: string;
}

export async function listVerificationItems(
  tx: Tx,
  id: string,
  statuses: ItemStatus[],
  limit: number,
): Promise<VerificationItem[]> {
  const rows = await tx.all<ItemRecord>(
    `SELECT * FROM verification_items WHERE verification_id = ? AND status IN (${marks(statuses.length)})
     ORDER BY ordinal LIMIT ?`,
    [id, ...statuses, limit],
  );
  return rows.map((row) => ({
    ordinal: row.ordinal,
    kind: row.kind,
    indexUid: row.index_uid,
    incarnation: row.incarnation,
    shard: row.shard,
    node: row.node,
    status: row.status,
    documents: row.documents,
    missing: row.missing,
    extra: row.extra,
    different: row.different,
    undecided: row.undecided === 1,
    detail: parseJson<ItemDetail>(row.detail) ?? {},
  }));
}

export async function saveVerificationItem(
  tx: Tx,
  id: string,
  ordinal: number,
  outcome: ItemOutcome,
): Promise<void> {
  await tx.run(
    `UPDATE verification_items SET status = ?, documents = ?, missing = ?, extra = ?, different = ?, undecided = ?,
       detail = ? WHERE verification_id = ? AND ordinal = ?`,
    [
      outcome.status,
      outcome.documents,
      outcome.missing,
      outcome.extra,
      outcome.different,
      outcome.undecided ? 1 : 0,
      JSON.stringify(outcome.detail),
      id,
      ordinal,
    ],
  );
}

export async function setVerificationStatus(
  tx: Tx,
  id: string,
  status: VerificationStatus,
  lastError: string | null,
): Promise<void> {
  await tx.run('UPDATE verifications SET status = ?, finished_at = ?, last_error = ? WHERE id = ?', [
    status,
    status === 'running' ? null : isoTime(tx.nowMs),
    lastError,
    id,
  ]);
}

/** More entries than this within a moment are not looked through. */
const MOST_ENTRIES = 2_000;

export async function readTouches(
  tx: Tx,
  incarnation: number,
  shard: number,
  after: number,
  upTo: number,
): Promise<Touches> {
  const entries = await tx.all<{ seq: number; kind: string; scope: string; parts: number }>(
    `SELECT j.seq, j.kind, j.scope, (SELECT COUNT(*) FROM parts d WHERE d.seq = j.seq) AS parts
     FROM journal j WHERE j.incarnation = ? AND j.seq > ? AND j.seq <= ? AND j.refused = 0 AND j.scope <> 'none'
     ORDER BY j.seq LIMIT ?`,
    [incarnation, after, upTo, MOST_ENTRIES],
  );
  const touches: Touches = { blind: entries.length === MOST_ENTRIES, parts: [] };
  for (const entry of entries) {
    if (entry.scope !== 'parts' || Number(entry.parts) === 0) {
      touches.blind = true;
      continue;
    }
    const parts = await tx.all<{ payload: Uint8Array }>(
      `SELECT b.payload FROM parts d JOIN payloads b ON b.part = d.id WHERE d.seq = ? AND d.shard = ?`,
      [entry.seq, shard],
    );
    const isIds = entry.kind === 'documentDeletion';
    touches.parts.push(...parts.map(({ payload }) => ({ isIds, payload })));
  }
  return touches;
}
