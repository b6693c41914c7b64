// The plan of a change: the smallest diff between the committed replicas and the target, or a saved plan as it is,
// written down as moves with what they are expected to bring.
import { isHealing } from '../../shared/core/healing.js';
import type { Plan } from '../../shared/core/plan.js';
import { basisOf, describeHolders } from '../../shared/core/plan-basis.js';
import { type PlanReport, predictionOf } from '../../shared/core/plan-report.js';
import type { Topology } from '../../shared/core/topology.js';
import { estimatePlan, planEdits } from '../../shared/io/plan-estimate.js';
import type { NewMove } from '../../shared/io/store-changes.js';
import { moveIdOf, type ValidatedChange } from '../../workflows/messages.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

/** Plans against one epoch; again when the topology changed before the plan was saved. Answers what stands planned. */
export async function planChange(
  deps: ActivityDeps,
  change: ValidatedChange,
  beat: Beat,
): Promise<{ moves: number; documents: number }> {
  for (;;) {
    // A change is planned once: what a dead worker planned stands, moves of it may be under way.
    const known = await deps.store.readChange(change.changeId);
    if (known !== null && known.plannedAt !== null)
      return { moves: known.plannedMoves, documents: known.plannedDocuments };
    if (known !== null && known.finishedAt !== null)
      throw finalFailure(
        'Conflict',
        `change ${change.changeId} is ${known.status}: it is not planned any more`,
      );
    await deps.store.makeEdits(change.changeId, change.edits);
    await demoteDead(deps, change);
    const topology = await deps.store.readTopology();
    const report = await reportFor(deps, change, topology);
    beat.report({ phase: 'planning', moves: report.moves.length });
    const moves = report.moves.map(
      ({ documents, bytes, why: _why, ...move }, ordinal): NewMove => ({
        id: moveIdOf(change.changeId, ordinal),
        ...move,
        plannedDocuments: documents,
        plannedBytes: bytes,
      }),
    );
    const documents = moves.reduce((sum, move) => sum + (move.plannedDocuments ?? 0), 0);
    await deps.store.planMoves(change.changeId, topology.epoch, moves, documents, predictionOf(report));
    await deps.faults.reach('plan.saved');
    await beat.sleep(20);
  }
}

async function reportFor(
  deps: ActivityDeps,
  change: ValidatedChange,
  topology: Topology,
): Promise<PlanReport> {
  if (change.planId !== null) return savedReport(deps, change.planId, topology);
  const whole: Plan = await planEdits(deps, topology, change.edits, await deps.store.readHealth());
  const plan = change.kind === 'heal' ? { ...whole, moves: whole.moves.filter(isHealing) } : whole;
  if (plan.refusal !== null) throw finalFailure('InvalidInput', plan.refusal);
  const client = (node: string) => deps.nodes.client(node);
  return estimatePlan({ ...deps, client }, topology, change.edits, plan, {
    concurrency: change.options.concurrency,
    documentsPerSecond: change.options.copyDocumentsPerSecond,
  });
}

/** The nodes were compared when the change was validated; since then the change itself has edited them. */
async function savedReport(deps: ActivityDeps, planId: string, topology: Topology): Promise<PlanReport> {
  const plan = await deps.store.readPlan(planId);
  if (plan === null) throw finalFailure('InvalidInput', `The plan \`${planId}\` was deleted.`);
  const changes = describeHolders(plan.basis, basisOf(topology, deps.hash));
  if (changes.length > 0)
    throw finalFailure(
      'InvalidInput',
      `The topology has changed while the plan \`${plan.name}\` began: ${changes.join('; ')}. Plan again.`,
    );
  return plan.report;
}

/** A node that leaves and does not answer is read from by nobody: its shards are copied from their other replicas. */
async function demoteDead(deps: ActivityDeps, change: ValidatedChange): Promise<void> {
  for (const id of change.removed) {
    const client = await deps.nodes.client(id);
    try {
      await client.request({ method: 'GET', path: '/health', headersTimeoutMs: 3_000 });
    } catch (error) {
      await deps.store.demoteNode(id, `change ${change.changeId}: ${(error as Error).message}`);
    }
  }
}
