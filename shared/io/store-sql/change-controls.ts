// How a running change is steered, at what rate its copies go on, and the record of what was decided.
import type { ChangeControl } from '../../core/change-control.js';
import type { ChangeEvent, CopyTurn } from '../store-control.js';
import { isoTime, one, parseJson, type Tx } from './driver.js';

/** A waiting copy looks again after so long at the latest: decisions take effect within it. */
const LOOK_MS = 500;
/** What copies may catch up on when they came late; more would be a burst. */
const CREDIT_MS = 1_000;

interface ControlRow {
  paused: number;
  concurrency: number;
  node_concurrency: number | null;
  documents_per_second: number | null;
  /** When the shared rate has been used up to: the next turn is then. */
  copied_until_ms: number;
}

async function readRow(tx: Tx, changeId: string): Promise<ControlRow | undefined> {
  return one<ControlRow>(tx, 'SELECT * FROM change_controls WHERE change_id = ?', [changeId]);
}

export async function readControl(tx: Tx, changeId: string): Promise<ChangeControl | null> {
  const row = await readRow(tx, changeId);
  if (!row) return null;
  return {
    paused: row.paused === 1,
    concurrency: row.concurrency,
    nodeConcurrency: row.node_concurrency,
    documentsPerSecond: row.documents_per_second,
  };
}

export async function saveControl(tx: Tx, changeId: string, control: ChangeControl): Promise<void> {
  await tx.run(
    `INSERT INTO change_controls (change_id, paused, concurrency, node_concurrency, documents_per_second, copied_until_ms)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (change_id) DO UPDATE SET paused = excluded.paused, concurrency = excluded.concurrency,
       node_concurrency = excluded.node_concurrency, documents_per_second = excluded.documents_per_second,
       copied_until_ms = excluded.copied_until_ms`,
    [
      changeId,
      control.paused ? 1 : 0,
      control.concurrency,
      control.nodeConcurrency,
      control.documentsPerSecond,
      tx.nowMs,
    ],
  );
}

/** A turn is about a second's worth, so that a new rate never waits long behind an old one. */
export async function takeCopyTurn(tx: Tx, changeId: string, documents: number): Promise<CopyTurn> {
  const row = await readRow(tx, changeId);
  if (row?.paused === 1) return { documents: 0, waitMs: LOOK_MS };
  const rate = row?.documents_per_second ?? null;
  if (!row || rate === null) return { documents, waitMs: 0 };
  const usedUntilMs = Math.max(row.copied_until_ms, tx.nowMs - CREDIT_MS);
  const waitMs = Math.ceil(usedUntilMs - tx.nowMs);
  if (waitMs > 0) return { documents: 0, waitMs: Math.min(waitMs, LOOK_MS) };
  const taken = Math.min(documents, Math.max(1, Math.floor(rate)));
  await tx.run('UPDATE change_controls SET copied_until_ms = ? WHERE change_id = ?', [
    Math.ceil(usedUntilMs + (taken * 1_000) / rate),
    changeId,
  ]);
  return { documents: taken, waitMs: 0 };
}

export async function recordEvent(tx: Tx, event: Omit<ChangeEvent, 'at'>): Promise<void> {
  await tx.run(
    'INSERT INTO change_events (change_id, at, event, move_id, decided_by, detail) VALUES (?, ?, ?, ?, ?, ?)',
    [event.changeId, isoTime(tx.nowMs), event.event, event.moveId, event.by, JSON.stringify(event.detail)],
  );
}

export async function listEvents(tx: Tx, changeId: string): Promise<ChangeEvent[]> {
  const rows = await tx.all<{
    at: string;
    event: string;
    move_id: string | null;
    decided_by: string | null;
    detail: string;
  }>('SELECT at, event, move_id, decided_by, detail FROM change_events WHERE change_id = ? ORDER BY id', [
    changeId,
  ]);
  return rows.map((row) => ({
    changeId,
    at: row.at,
    event: row.event,
    moveId: row.move_id,
    by: row.decided_by,
    detail: parseJson<Record<string, unknown>>(row.detail) ?? {},
  }));
}
