// Saved plans, and what earlier moves took.
import type { MoveSample } from '../../core/plan-time.js';
import { StateConflict } from '../store.js';
import type { NewPlan, SavedPlan } from '../store-plans.js';
import { isoTime, one, type Tx } from './driver.js';

interface PlanRecord {
  id: string;
  name: string;
  created_at: string;
  edits: string;
  options: string;
  basis: string;
  report: string;
  moves: string;
}

/** Moves are kept apart, so that a list of plans need not read them. */
export async function savePlan(tx: Tx, plan: NewPlan): Promise<SavedPlan> {
  const taken = await one<{ id: string }>(tx, 'SELECT id FROM plans WHERE id IN (?, ?) OR name IN (?, ?)', [
    plan.id,
    plan.name,
    plan.id,
    plan.name,
  ]);
  if (taken) throw new StateConflict('plan_exists', `there is a plan \`${plan.name}\` already`);
  const createdAt = isoTime(tx.nowMs);
  const { moves, ...report } = plan.report;
  await tx.run(
    `INSERT INTO plans (id, name, created_at, edits, options, basis, report, moves) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      plan.id,
      plan.name,
      createdAt,
      ...[plan.edits, plan.options, plan.basis, report, moves].map((value) => JSON.stringify(value)),
    ],
  );
  return { ...plan, createdAt };
}

export async function readPlan(tx: Tx, id: string): Promise<SavedPlan | null> {
  const row = await one<PlanRecord & Record<string, never>>(
    tx,
    'SELECT * FROM plans WHERE id = ? OR name = ?',
    [id, id],
  );
  if (!row) return null;
  return {
    ...toHead(row),
    basis: JSON.parse(row.basis),
    report: { ...JSON.parse(row.report), moves: JSON.parse(row.moves) },
  };
}

function toHead(row: Omit<PlanRecord, 'moves' | 'basis'>): Omit<SavedPlan, 'basis'> {
  return {
    id: row.id,
    name: row.name,
    createdAt: row.created_at,
    edits: JSON.parse(row.edits),
    options: JSON.parse(row.options),
    report: { ...JSON.parse(row.report), moves: [] },
  };
}

export async function listPlans(tx: Tx): Promise<Omit<SavedPlan, 'basis'>[]> {
  const rows = await tx.all<Omit<PlanRecord, 'moves' | 'basis'> & Record<string, never>>(
    'SELECT id, name, created_at, edits, options, report FROM plans ORDER BY created_at DESC, id DESC',
  );
  return rows.map(toHead);
}

export async function deletePlan(tx: Tx, id: string): Promise<boolean> {
  return (await tx.run('DELETE FROM plans WHERE id = ? OR name = ?', [id, id])) > 0;
}

export async function readMoveSamples(tx: Tx, limit: number): Promise<MoveSample[]> {
  const rows = await tx.all<{
    incarnation: number;
    documents_copied: number;
    bytes_copied: number;
    started_at: string;
    flipped_at: string;
  }>(
    `SELECT incarnation, documents_copied, bytes_copied, started_at, flipped_at FROM moves
     WHERE kind = 'copy' AND attempt = 1 AND flipped_at IS NOT NULL AND started_at IS NOT NULL ORDER BY flipped_at DESC LIMIT ?`,
    [limit],
  );
  return rows.map((row) => ({
    incarnation: row.incarnation,
    documents: row.documents_copied,
    bytes: row.bytes_copied,
    durationMs: Math.max(0, Date.parse(row.flipped_at) - Date.parse(row.started_at)),
  }));
}
