// The admin API's plans: what a change would do, kept if asked for, to be run as it is later.
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { editsOf } from '../../shared/core/change-edits.js';
import { ApiError } from '../../shared/core/errors.js';
import { basisOf } from '../../shared/core/plan-basis.js';
import { estimatePlan, planEdits } from '../../shared/io/plan-estimate.js';
import { StateConflict } from '../../shared/io/store.js';
import type { SavedPlan } from '../../shared/io/store-plans.js';
import { checkEdits, readPlanRequest, refused } from '../admin/requests.js';
import { readPlan, withoutUndefined } from '../admin/start-change.js';
import type { AdminContext } from './admin.js';

/** What a worker takes unless it or the change is told otherwise. */
const DEFAULT_CONCURRENCY = 2;

export function registerPlanRoutes(admin: FastifyInstance, ctx: AdminContext): void {
  const { store, hash } = ctx;

  admin.post('/plans', { config: { bodyless: true } }, async (request, reply) => {
    const { edits: given, save, name, ...rest } = readPlanRequest(request.body);
    const edits = editsOf({ kind: 'rebalance', edits: given });
    const options = withoutUndefined(rest);
    const topology = await store.readTopology();
    checkEdits(topology, edits, options);
    const deps = {
      store,
      hash,
      client: (node: string) => ctx.nodes.client(node),
      pause: () => nextTurn(),
    };
    const plan = await planEdits(deps, topology, edits, await store.readHealth());
    if (plan.refusal !== null) throw refused(plan.refusal);
    const report = await estimatePlan(deps, topology, edits, plan, {
      concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
      documentsPerSecond: options.copyDocumentsPerSecond ?? null,
    });
    if (!save && name === undefined) return { plan: null, report, nextSteps: [] };
    const id = `plan-${randomUUID().slice(0, 8)}`;
    try {
      const saved = await store.savePlan({
        ...{ id, name: name ?? id, edits, options },
        ...{ basis: basisOf(topology, hash), report },
      });
      return reply.code(201).send({ plan: viewPlan(saved), report, nextSteps: nextSteps(saved) });
    } catch (error) {
      if (error instanceof StateConflict && error.code === 'plan_exists')
        throw refused(`There is a plan \`${name}\` already. Choose another name, or delete that one.`);
      throw error;
    }
  });

  admin.get('/plans', async () => ({
    plans: (await store.listPlans()).map(
      ({ report: { moves: _moves, nodes: _nodes, ...report }, ...plan }) => ({
        ...plan,
        report,
      }),
    ),
    nextSteps: [],
  }));

  admin.get<{ Params: { id: string } }>('/plans/:id', async (request) => {
    const plan = await readPlan(store, request.params.id);
    return { plan: viewPlan(plan), report: plan.report, nextSteps: nextSteps(plan) };
  });

  admin.delete<{ Params: { id: string } }>('/plans/:id', async (request) => {
    const { id } = request.params;
    if (!(await store.deletePlan(id)))
      throw new ApiError('miroir_plan_not_found', `There is no plan \`${id}\`.`);
    return { deleted: id, nextSteps: [] };
  });
}

function viewPlan({ id, name, createdAt, edits, options }: SavedPlan) {
  return { id, name, createdAt, edits, options };
}

function nextSteps(plan: SavedPlan): string[] {
  return [`miroir-ctl rebalance start --plan ${plan.name}`];
}
