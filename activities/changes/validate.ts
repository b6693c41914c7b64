// The first step of a change: its input is judged before anything is touched, for the plain Temporal CLI starts
// workflows too. Every refusal says what is wrong and what to do.
import {
  type ChangeEdits,
  type ChangeRequest,
  comingNodes,
  describeEdits,
  editsOf,
  leavingNodes,
} from '../../shared/core/change-edits.js';
import type { ChangeOptions } from '../../shared/core/change-options.js';
import { judgeEdits } from '../../shared/core/judge-edits.js';
import { basisOf, describeBasisChange } from '../../shared/core/plan-basis.js';
import type { Topology } from '../../shared/core/topology.js';
import { changeSchema } from '../../shared/io/change-schema.js';
import type { SavedPlan } from '../../shared/io/store-plans.js';
import type { ValidatedChange } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { requireRollback } from './rollback.js';

const EXPECTED =
  'Expected {"kind":"add","nodes":[{"id":"n4","url":"http://…"}]}, {"kind":"remove"|"drain","nodes":["n4"]}, ' +
  '{"kind":"replace","nodes":[{"id":"n5","url":"http://…","replaces":"n2"}]}, ' +
  '{"kind":"set","nodes":[{"id":"n2","weight":2,"zone":"b"}]}, ' +
  '{"kind":"set-replication","replication":[{"index":"movies","factor":3}]}, {"kind":"heal"}, {"kind":"rebalance"}, ' +
  'the last with "plan" or "edits" if need be, or {"kind":"rollback","change":"…"} (or "move":"…")';

export interface ChangeDefaults {
  retentionMs: number;
  concurrency: number;
  stepDeadlineMs: number;
  /** Whether the Temporal server knows Miroir's search attributes. */
  searchable: boolean;
}

/** Judges the input and opens the change. Throws InvalidInput, which fails the workflow at once. */
export async function validateChange(
  deps: ActivityDeps,
  defaults: ChangeDefaults,
  run: { workflowId: string; changeId: string; input: unknown },
): Promise<ValidatedChange> {
  const topology = await deps.store.readTopology();
  const expectedId = `miroir/topology/${topology.clusterId}`;
  if (run.workflowId !== expectedId)
    throw invalid(
      `the workflow id must be "${expectedId}", for one change runs at a time; it is "${run.workflowId}"`,
    );
  const change = readInput(run.input);
  const plan = change.plan === undefined ? null : await readPlan(deps, topology, change.plan);
  const chosen: ChangeOptions = { ...plan?.options, ...change.options };
  const wanted: ChangeEdits = plan?.edits ?? editsOf(change);
  const refusal = judgeEdits(topology, wanted, chosen);
  if (refusal !== null) throw invalid(refusal);
  const rollback = change.kind === 'rollback' ? await requireRollback(deps, change) : null;
  await deps.store.openChange({
    id: run.changeId,
    kind: change.kind,
    input: plan === null ? change : { ...change, edits: wanted },
    runId: run.changeId,
  });
  await deps.store.recordEvent({
    changeId: run.changeId,
    event: 'opened',
    moveId: null,
    by: change.by ?? null,
    detail: describeRequest(topology.epoch, change, wanted, plan),
  });
  return {
    changeId: run.changeId,
    kind: change.kind,
    edits: wanted,
    planId: plan?.id ?? null,
    added: comingNodes(topology, wanted),
    removed: leavingNodes(wanted),
    rollback,
    searchable: defaults.searchable,
    options: {
      retentionMs: chosen.retentionMs ?? defaults.retentionMs,
      concurrency: chosen.concurrency ?? defaults.concurrency,
      stepDeadlineMs: chosen.stepDeadlineMs ?? defaults.stepDeadlineMs,
      approve: chosen.approve ?? false,
      nodeConcurrency: chosen.nodeConcurrency ?? null,
      copyChunkDocuments: chosen.copyChunkDocuments ?? null,
      copyDocumentsPerSecond: chosen.copyDocumentsPerSecond ?? null,
    },
  };
}

/** What was asked for, for the record. */
function describeRequest(
  epoch: number,
  change: ChangeRequest,
  wanted: ChangeEdits,
  plan: SavedPlan | null,
): Record<string, unknown> {
  const asked = describeEdits(wanted);
  const said = { plan: plan?.name, change: change.change, move: change.move, cause: change.cause };
  const given = Object.entries(said).filter(([, value]) => value !== undefined);
  return { epoch, ...(asked !== '' && { asked }), ...Object.fromEntries(given), ...change.options };
}

function readInput(given: unknown): ChangeRequest {
  const parsed = changeSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`);
  throw invalid(`${problems.join('; ')}. ${EXPECTED}`);
}

/** A saved plan is run as it is or not at all. */
async function readPlan(deps: ActivityDeps, topology: Topology, id: string): Promise<SavedPlan> {
  const plan = await deps.store.readPlan(id);
  if (plan === null) throw invalid(`There is no plan \`${id}\`. \`miroir-ctl rebalance plans\` lists them.`);
  const changes = describeBasisChange(plan.basis, basisOf(topology, deps.hash));
  if (changes.length === 0) return plan;
  throw invalid(
    `The topology has changed since the plan \`${plan.name}\` was made: ${changes.join('; ')}. Plan again.`,
  );
}

function invalid(message: string) {
  return finalFailure('InvalidInput', message);
}
