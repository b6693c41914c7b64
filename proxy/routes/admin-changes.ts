// The admin API's changes: add, remove and drain nodes, rebalance, and act on moves that wait. Each answers at once
// with the change's id; the work is Temporal's.
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ChangeOptions } from '../../shared/core/change-options.js';
import { ApiError } from '../../shared/core/errors.js';
import { findNode, type Topology } from '../../shared/core/topology.js';
import type { ChangeInput } from '../../shared/io/changes.js';
import type { ChangeRow, NodeSecrets, Store } from '../../shared/io/store.js';
import {
  type AddRequest,
  checkAddition,
  checkDeparture,
  type OptionsRequest,
  readAddRequest,
  readOptions,
  readOptionsQuery,
} from '../admin/requests.js';
import { nextStepsOf } from '../admin/status.js';
import { sumProgress } from '../admin/views.js';
import type { AdminContext } from './admin.js';

const bodyless = { config: { bodyless: true } };

export function registerChangeRoutes(admin: FastifyInstance, ctx: AdminContext): void {
  const { store, changes } = ctx;

  async function start(reply: FastifyReply, input: ChangeInput) {
    const started = await changes.start(input);
    ctx.log.info({ kind: input.kind, change: started.changeId }, 'a change was started');
    return reply.code(202).send({
      ...started,
      kind: input.kind,
      nextSteps: ['miroir-ctl rebalance status --watch'],
    });
  }

  admin.post('/nodes', async (request, reply) => {
    const { nodes, ...options } = readAddRequest(request.body);
    const topology = await store.readTopology();
    checkAddition(topology, nodes);
    const takeBack = await putKeys(store, topology, nodes);
    const open = nodes.map(({ key: _key, ...node }) => withoutUndefined(node));
    try {
      return await start(reply, withOptions({ kind: 'add', nodes: open }, options));
    } catch (error) {
      // The change that is in progress may be adding the same node.
      await takeBack();
      throw error;
    }
  });

  admin.delete<{ Params: { id: string } }>('/nodes/:id', async (request, reply) => {
    const { id } = request.params;
    const options = readOptionsQuery(request.query);
    checkDeparture(await store.readTopology(), id, 'remove');
    return start(reply, withOptions({ kind: 'remove', nodes: [id] }, options));
  });

  admin.post<{ Params: { id: string } }>('/nodes/:id/drain', bodyless, async (request, reply) => {
    const { id } = request.params;
    const options = readOptions(request.body);
    checkDeparture(await store.readTopology(), id, 'drain');
    return start(reply, withOptions({ kind: 'drain', nodes: [id] }, options));
  });

  admin.post('/rebalance', bodyless, async (request, reply) =>
    start(reply, withOptions({ kind: 'rebalance', nodes: [] }, readOptions(request.body))),
  );

  async function viewChange(change: ChangeRow | null, live: boolean) {
    if (change === null) return { change: null, progress: null, moves: [], nextSteps: [] };
    const moves = await store.listMoves(change.id);
    return {
      change,
      progress: sumProgress(change, moves, Date.now()),
      moves,
      control: await store.readControl(change.id),
      retention: await store.readRetention(change.id),
      nextSteps: nextStepsOf(change),
      ...(live && { workflow: await changes.progress() }),
    };
  }

  admin.get<{ Querystring: { live?: string } }>('/rebalance', async (request) =>
    viewChange(await store.readLatestChange(), request.query.live === 'true'),
  );

  admin.get<{ Params: { id: string } }>('/rebalance/:id', async (request) => {
    const { id } = request.params;
    const change = await store.readChange(id);
    const ended = change?.status === 'done' || change?.status === 'aborted';
    // Steps that are tried again, and a refusal before the change was opened, are known to Temporal only.
    const outcome = ended
      ? null
      : await changes.outcome(id).catch((error: unknown) => {
          if (change === null) throw error;
          return null;
        });
    const seen = { error: outcome?.message ?? null, pending: outcome?.pending ?? [] };
    if (change !== null) {
      const view = await viewChange(change, false);
      // The row is closed a moment before the run ends, and only the run knows why.
      const isEnding = change.status === 'failed' && outcome?.status === 'running';
      return { ...view, ...(isEnding && { change: { ...change, status: 'running' } }), ...seen };
    }
    if (outcome === null) throw new ApiError('miroir_change_not_found', `There is no change \`${id}\`.`);
    const { status, startedAt, finishedAt } = outcome;
    const run = { id, runId: id, status, startedAt, finishedAt };
    return { change: run, progress: null, moves: [], nextSteps: [], ...seen };
  });
}

/**
 * Keeps the nodes' keys, before the workflow starts and beside it: its input can be read by everyone who may see
 * workflows. Answers how to undo it.
 */
async function putKeys(
  store: Store,
  topology: Topology,
  nodes: AddRequest['nodes'],
): Promise<() => Promise<void>> {
  const known = await store.readNodeSecrets();
  const replaced: [string, NodeSecrets][] = [];
  for (const { id, key } of nodes) {
    const before = known[id] ?? { adminKey: null, dataKey: null };
    // Without a key: that of a node which is joining stays, one that an earlier attempt left behind does not.
    const adminKey = key ?? (findNode(topology, id) ? before.adminKey : null);
    if (adminKey === before.adminKey) continue;
    replaced.push([id, before]);
    await store.putNodeSecrets(id, { adminKey, dataKey: before.dataKey });
  }
  return async () => {
    for (const [id, before] of replaced) await store.putNodeSecrets(id, before);
  };
}

function withOptions(input: ChangeInput, options: OptionsRequest): ChangeInput {
  const chosen: ChangeOptions = withoutUndefined(options);
  return Object.keys(chosen).length === 0 ? input : { ...input, options: chosen };
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
