// The admin API's changes: add, remove, drain, replace and set nodes, set replication, rebalance, and act on moves that wait. Each answers at once
// with the change's id; the work is Temporal's.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import type { ChangeInput } from '../../shared/io/changes.js';
import type { ChangeRow } from '../../shared/io/store-changes.js';
import {
  readAddRequest,
  readOptions,
  readOptionsQuery,
  readRebalanceRequest,
  readReplaceRequest,
  readReplicationRequest,
  readSetRequest,
  refused,
} from '../admin/requests.js';
import { startChange, startPlan, withoutKeys } from '../admin/start-change.js';
import { nextStepsOf, reasonOf } from '../admin/status.js';
import { sumActual, sumProgress } from '../admin/views.js';
import type { AdminContext } from './admin.js';

const bodyless = { config: { bodyless: true } };

export function registerChangeRoutes(admin: FastifyInstance, ctx: AdminContext): void {
  const { store, changes } = ctx;

  admin.post('/nodes', async (request, reply) => {
    const { nodes, ...options } = readAddRequest(request.body);
    return startChange(ctx, reply, { kind: 'add', nodes: withoutKeys(nodes) }, options, nodes);
  });

  admin.delete<{ Params: { id: string } }>('/nodes/:id', async (request, reply) =>
    startChange(ctx, reply, { kind: 'remove', nodes: [request.params.id] }, readOptionsQuery(request.query)),
  );

  admin.post<{ Params: { id: string } }>('/nodes/:id/drain', bodyless, async (request, reply) =>
    startChange(ctx, reply, { kind: 'drain', nodes: [request.params.id] }, readOptions(request.body)),
  );

  admin.post<{ Params: { id: string } }>('/nodes/:id/replace', async (request, reply) => {
    const { id, url, zone, weight, key, ...options } = readReplaceRequest(request.body);
    const node = { id, url, zone, weight, replaces: request.params.id };
    const input: ChangeInput = { kind: 'replace', nodes: withoutKeys([node]) };
    return startChange(ctx, reply, input, options, [{ ...node, key }]);
  });

  admin.patch<{ Params: { id: string } }>('/nodes/:id', async (request, reply) => {
    const { zone, weight, ...options } = readSetRequest(request.body);
    const input: ChangeInput = { kind: 'set', nodes: withoutKeys([{ id: request.params.id, zone, weight }]) };
    return startChange(ctx, reply, input, options);
  });

  admin.post('/replication', async (request, reply) => {
    const { replication, ...options } = readReplicationRequest(request.body);
    return startChange(ctx, reply, { kind: 'set-replication', replication }, options);
  });

  admin.post('/rebalance', bodyless, async (request, reply) => {
    const { plan, edits, key, ...options } = readRebalanceRequest(request.body);
    if (plan !== undefined && edits !== undefined)
      throw refused('A plan brings its own `edits`: give one of both.');
    if (plan !== undefined) return startPlan(ctx, reply, plan, options, key ?? null);
    if (edits === undefined) return startChange(ctx, reply, { kind: 'rebalance', nodes: [] }, options);
    const coming = [...(edits.add ?? []), ...(edits.replace ?? [])];
    const open = { ...edits, add: withoutKeys(edits.add ?? []), replace: withoutKeys(edits.replace ?? []) };
    return startChange(ctx, reply, { kind: 'rebalance', edits: open }, options, coming);
  });

  async function viewChange(change: ChangeRow | null, live: boolean) {
    if (change === null) return { change: null, error: null, progress: null, moves: [], nextSteps: [] };
    const moves = await store.listMoves(change.id);
    const retention = await store.readRetention(change.id);
    return {
      change,
      error: reasonOf(change, await store.listEvents(change.id)),
      progress: sumProgress(change, moves, Date.now()),
      predicted: change.predicted,
      actual: sumActual(moves),
      moves,
      control: await store.readControl(change.id),
      retention,
      nextSteps: nextStepsOf(change, retention.sources),
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
      const error = view.error ?? seen.error;
      return { ...view, ...(isEnding && { change: { ...change, status: 'running' } }), ...seen, error };
    }
    if (outcome === null) throw new ApiError('miroir_change_not_found', `There is no change \`${id}\`.`);
    const { status, startedAt, finishedAt } = outcome;
    const run = { id, runId: id, status, startedAt, finishedAt };
    return { change: run, progress: null, moves: [], nextSteps: [], ...seen };
  });
}
