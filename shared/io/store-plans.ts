// What the state store keeps for planning: the edits of a change, saved plans, and what earlier moves took.
import type { ChangeEdits } from '../core/change-edits.js';
import type { ChangeOptions } from '../core/change-options.js';
import type { PlanBasis } from '../core/plan-basis.js';
import type { PlanReport } from '../core/plan-report.js';
import type { MoveSample } from '../core/plan-time.js';

export interface NewPlan {
  id: string;
  /** Unique among the saved plans; the id where it has none. */
  name: string;
  edits: ChangeEdits;
  options: ChangeOptions;
  basis: PlanBasis;
  report: PlanReport;
}

export interface SavedPlan extends NewPlan {
  createdAt: string;
}

export interface PlanStore {
  /**
   * Makes a change's edits of nodes and indexes, in one epoch, and keeps what was before. Once a change; refused when
   * the change is over, for whoever slept must not edit the topology of a later one. Nodes that come must be there.
   */
  makeEdits(changeId: string, edits: ChangeEdits): Promise<void>;
  /** Puts back what makeEdits changed, as far as it is still as it was left; a replacement becomes `drained`. */
  takeBackEdits(changeId: string): Promise<void>;
  /** The opposite, of a change whose rollback came to nothing: nodes that had left it are `drained`. */
  makeEditsAgain(changeId: string): Promise<void>;
  /** Throws StateConflict when the name is taken. */
  savePlan(plan: NewPlan): Promise<SavedPlan>;
  /** By id or name. */
  readPlan(id: string): Promise<SavedPlan | null>;
  /** The newest first, without moves. */
  listPlans(): Promise<Omit<SavedPlan, 'basis'>[]>;
  /** Answers whether there was one. */
  deletePlan(id: string): Promise<boolean>;
  /** The newest copies that have flipped, from their begin to their flip. */
  readMoveSamples(limit: number): Promise<MoveSample[]>;
}
