// Starting a change for the admin API: refused at once where the topology forbids it, keys kept beside the workflow.
import type { FastifyReply } from 'fastify';
import { type ChangeRequest, editsOf } from '../../shared/core/change-edits.js';
import type { ChangeOptions } from '../../shared/core/change-options.js';
import { ApiError } from '../../shared/core/errors.js';
import { basisOf, describeBasisChange } from '../../shared/core/plan-basis.js';
import { findNode, type Topology } from '../../shared/core/topology.js';
import type { NodeSecrets, Store } from '../../shared/io/store.js';
import type { SavedPlan } from '../../shared/io/store-plans.js';
import type { AdminContext } from '../routes/admin.js';
import { checkEdits, type OptionsRequest } from './requests.js';

interface KeyedNode {
  id: string;
  key?: string | null;
}

/** `keyed` are the nodes that the change brings, with the keys that the store gets. */
export async function startChange(
  ctx: AdminContext,
  reply: FastifyReply,
  input: ChangeRequest,
  options: OptionsRequest,
  keyed: readonly KeyedNode[] = [],
) {
  const topology = await ctx.store.readTopology();
  checkEdits(topology, editsOf(input), options);
  return startChecked(ctx, reply, topology, withOptions(input, options), keyed);
}

/** Runs a saved plan as it is, unless the topology has changed since. `key` is that of the nodes that it brings. */
export async function startPlan(
  ctx: AdminContext,
  reply: FastifyReply,
  id: string,
  options: OptionsRequest,
  key: string | null,
) {
  const topology = await ctx.store.readTopology();
  const plan = await readPlan(ctx.store, id);
  const changes = describeBasisChange(plan.basis, basisOf(topology, ctx.hash));
  if (changes.length > 0)
    throw new ApiError(
      'miroir_plan_outdated',
      `The topology has changed since the plan \`${plan.name}\` was made: ${changes.join('; ')}. Plan again.`,
    );
  checkEdits(topology, plan.edits, { ...plan.options, ...options });
  const coming = [...plan.edits.add, ...plan.edits.replace].map((node) => ({ id: node.id, key }));
  return startChecked(
    ctx,
    reply,
    topology,
    withOptions({ kind: 'rebalance', plan: plan.id }, options),
    coming,
  );
}

export async function readPlan(store: Store, id: string): Promise<SavedPlan> {
  const plan = await store.readPlan(id);
  if (plan === null)
    throw new ApiError(
      'miroir_plan_not_found',
      `There is no plan \`${id}\`. \`miroir-ctl rebalance plans\` lists them.`,
    );
  return plan;
}

async function startChecked(
  ctx: AdminContext,
  reply: FastifyReply,
  topology: Topology,
  input: ChangeRequest,
  keyed: readonly KeyedNode[],
) {
  const takeBack = await putKeys(ctx.store, topology, keyed);
  try {
    const started = await ctx.changes.start(input);
    ctx.log.info({ kind: input.kind, change: started.changeId }, 'a change was started');
    return reply.code(202).send({
      ...started,
      kind: input.kind,
      nextSteps: ['miroir-ctl rebalance status --watch'],
    });
  } catch (error) {
    // The change that is in progress may be adding the same node.
    await takeBack();
    throw error;
  }
}

/**
 * Keeps the nodes' keys, before the workflow starts and beside it: its input can be read by everyone who may see
 * workflows. Answers how to undo it.
 */
async function putKeys(
  store: Store,
  topology: Topology,
  nodes: readonly KeyedNode[],
): Promise<() => Promise<void>> {
  if (nodes.length === 0) return async () => undefined;
  const known = await store.readNodeSecrets();
  const replaced: [string, NodeSecrets][] = [];
  for (const { id, key } of nodes) {
    const before = known[id] ?? { adminKey: null, dataKey: null };
    // Without a key: that of a node which is known stays, one that an earlier attempt left behind does not.
    const adminKey = key ?? (findNode(topology, id) ? before.adminKey : null);
    if (adminKey === before.adminKey) continue;
    replaced.push([id, before]);
    await store.putNodeSecrets(id, { adminKey, dataKey: before.dataKey });
  }
  return async () => {
    for (const [id, before] of replaced) await store.putNodeSecrets(id, before);
  };
}

/** Nodes as a workflow may see them: without keys, and without what was not given. */
export function withoutKeys<N extends KeyedNode>(nodes: readonly N[]): Omit<N, 'key'>[] {
  return nodes.map(({ key: _key, ...node }) => withoutUndefined(node));
}

function withOptions(input: ChangeRequest, options: OptionsRequest): ChangeRequest {
  const { by, ...rest } = options;
  const chosen: ChangeOptions = withoutUndefined(rest);
  return {
    ...input,
    ...(Object.keys(chosen).length > 0 && { options: chosen }),
    ...(by !== undefined && { by }),
  };
}

export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
