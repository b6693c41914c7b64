// The record of a change: what happened to it, who decided what, and every step of its moves.

import type { ChangeControl } from '../../shared/core/change-control.js';
import type { Store } from '../../shared/io/store.js';
import type { ChangeRow, MoveRow, MoveStep } from '../../shared/io/store-changes.js';
import type { ChangeEvent } from '../../shared/io/store-control.js';

export interface Retention {
  sources: number;
  /** Until when all that is kept can be rolled back; null when nothing is. */
  until: string | null;
}

export function viewChangeLine(change: ChangeRow, retention: Retention) {
  const { id, kind, status, startedAt, finishedAt, plannedMoves, plannedDocuments } = change;
  return { id, kind, status, startedAt, finishedAt, plannedMoves, plannedDocuments, retention };
}

export interface AuditView {
  change: ChangeRow;
  control: ChangeControl | null;
  retention: Retention;
  events: ChangeEvent[];
  /** One page of the moves, or the one that was asked for, each with its steps in order. */
  moves: (MoveRow & { steps: Omit<MoveStep, 'moveId'>[] })[];
  movesTotal: number;
  nextSteps: string[];
}

export async function viewAudit(
  store: Store,
  change: ChangeRow,
  { from, limit, move }: { from: number; limit: number; move: MoveRow | null },
): Promise<AuditView> {
  const [control, retention, events, moves, movesTotal] = await Promise.all([
    store.readControl(change.id),
    store.readRetention(change.id),
    store.listEvents(change.id),
    move === null ? store.listMovesFrom(change.id, from, limit) : [move],
    store.countMoves(change.id),
  ]);
  const withSteps = moves.map(async (move) => ({
    ...move,
    steps: (await store.listSteps(move.id)).map(({ moveId: _moveId, ...step }) => step),
  }));
  return {
    change,
    control,
    retention,
    events,
    moves: await Promise.all(withSteps),
    movesTotal,
    nextSteps: retention.sources > 0 ? [`miroir-ctl rebalance rollback ${change.id}`] : [],
  };
}
