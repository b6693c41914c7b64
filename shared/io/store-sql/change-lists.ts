// Lists of changes and of their moves, for those who follow them, page by page.
import type { ChangeRow, MoveRow } from '../store-changes.js';
import { one, type Tx } from './driver.js';
import { type ChangeRecord, type MoveRecord, toChange, toMove } from './moves.js';

export async function listMoves(tx: Tx, changeId: string): Promise<MoveRow[]> {
  return listMovesFrom(tx, changeId, 0, Number.MAX_SAFE_INTEGER);
}

/** Of a rollback: the moves that it takes back, the newest first. */
export async function listMovesFrom(
  tx: Tx,
  changeId: string,
  first: number,
  limit: number,
): Promise<MoveRow[]> {
  const rows = await tx.all<MoveRecord>(
    `SELECT * FROM moves WHERE change_id = ? OR rollback_id = ?
     ORDER BY CASE WHEN change_id = ? THEN ordinal ELSE -ordinal END, id LIMIT ? OFFSET ?`,
    [changeId, changeId, changeId, limit, first],
  );
  return rows.map(toMove);
}

export async function countMoves(tx: Tx, changeId: string): Promise<number> {
  const row = await one<{ count: number }>(
    tx,
    'SELECT COUNT(*) AS count FROM moves WHERE change_id = ? OR rollback_id = ?',
    [changeId, changeId],
  );
  return row?.count ?? 0;
}

export async function listChanges(tx: Tx, limit: number): Promise<ChangeRow[]> {
  const rows = await tx.all<ChangeRecord>('SELECT * FROM changes ORDER BY started_at DESC, id DESC LIMIT ?', [
    limit,
  ]);
  return rows.map(toChange);
}
