// The admin API under /_miroir/: what the fleet looks like. Changes are in admin-changes.ts. Its own key, or the
// master key where none is set; errors in Meilisearch's shape.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { indexNotFound } from '../../shared/core/field-errors.js';
import { readSearchBody } from '../../shared/core/search-request.js';
import { viewTask } from '../../shared/core/tasks.js';
import { findNode } from '../../shared/core/topology.js';
import type { ChangeStarter } from '../../shared/io/changes.js';
import { StateConflict } from '../../shared/io/store.js';
import type { VerificationStarter } from '../../shared/io/verifications.js';
import { explainSearch } from '../admin/explain.js';
import { readIndexPatch } from '../admin/requests.js';
import { judgeFleet, summarizeChange } from '../admin/status.js';
import { awayNodes, viewIndexes, viewNodes, viewTopology } from '../admin/views.js';
import { authorizeClient } from '../auth.js';
import type { ProxyContext } from '../context.js';
import { readScoring } from '../search/scoring.js';
import { registerChangeRoutes } from './admin-changes.js';
import { registerControlRoutes } from './admin-control.js';
import { registerPlanRoutes } from './admin-plans.js';
import { registerVerifyRoutes } from './admin-verify.js';

export type AdminContext = ProxyContext & { changes: ChangeStarter; verifications: VerificationStarter };

/** Registers the admin API. */
export async function registerAdminRoutes(app: FastifyInstance, ctx: AdminContext): Promise<void> {
  await app.register(
    async (admin) => {
      admin.addHook('onRequest', async (request) => {
        authorizeClient(request.headers.authorization, ctx.options.adminApiKey ?? ctx.options.masterKey);
      });
      registerViews(admin, ctx);
      registerChangeRoutes(admin, ctx);
      registerControlRoutes(admin, ctx);
      registerPlanRoutes(admin, ctx);
      registerVerifyRoutes(admin, ctx);
    },
    { prefix: '/_miroir' },
  );
}

function registerViews(admin: FastifyInstance, ctx: AdminContext): void {
  const { store } = ctx;

  async function readNodes(nowMs: number) {
    const [topology, streams, head, health] = await Promise.all([
      store.readTopology(),
      store.readStreams(),
      store.readHead(),
      store.readHealth(),
    ]);
    const waiting = [...new Set(streams.map((stream) => stream.position + 1))];
    const tasks = await Promise.all(
      waiting.filter((seq) => seq <= head.journalHead).map((seq) => store.readTask(seq)),
    );
    const enqueued = new Map(
      tasks.flatMap((task) => (task ? [[task.uid, Date.parse(task.enqueuedAt)]] : [])),
    );
    const journal = { head: head.journalHead, enqueuedAtMs: (seq: number) => enqueued.get(seq) };
    // A node that this proxy has not connected to yet is not down.
    const reachable = (id: string) =>
      ctx.nodes.client(id) === undefined || ctx.nodes.cost(id) !== Number.POSITIVE_INFINITY;
    return { topology, head, nodes: viewNodes(topology, streams, journal, nowMs, reachable, health) };
  }

  admin.get('/status', async () => {
    const nowMs = Date.now();
    const [{ topology, head, nodes }, leases, change, healingPause, verification] = await Promise.all([
      readNodes(nowMs),
      store.readLeases(),
      store.readLatestChange(),
      store.readHealingPause(),
      store.readLatestVerification(),
    ]);
    const moves = change ? await store.listMoves(change.id) : [];
    const events = change ? await store.listEvents(change.id) : [];
    return {
      clusterId: topology.clusterId,
      epoch: topology.epoch,
      replicationFactor: topology.replicationFactor,
      ...judgeFleet({ topology, nodes, change, moves, nowMs, healingPause, verification }),
      nodes,
      indexes: topology.indexes.filter((index) => index.deletedSeq === null).length,
      journal: { head: head.journalHead, payloadBytes: head.journalPayloadBytes },
      leases: leases.map(({ untilMs, ...lease }) => ({ ...lease, validForMs: Math.max(0, untilMs - nowMs) })),
      change: change ? summarizeChange(change, moves, events, nowMs) : null,
    };
  });

  admin.get('/topology', async () => viewTopology(await store.readTopology()));

  admin.get('/nodes', async () => ({ nodes: (await readNodes(Date.now())).nodes }));

  admin.post<{ Params: { id: string } }>(
    '/nodes/:id/forget-data',
    { config: { bodyless: true } },
    async (request) => {
      const { id } = request.params;
      if (!findNode(await store.readTopology(), id))
        throw new ApiError(
          'miroir_invalid_change',
          `There is no node \`${id}\`. \`miroir-ctl node list\` lists them.`,
        );
      const lost = await store.acceptLoss(id, readForce(request.body)).catch((error: unknown) => {
        throw error instanceof StateConflict ? new ApiError('miroir_invalid_change', error.message) : error;
      });
      ctx.log.warn({ node: id, shards: lost.length }, 'an operator gave up what a node had lost');
      return { node: id, lost, nextSteps: ['miroir-ctl status'] };
    },
  );

  admin.get('/indexes', async () => {
    const { topology, nodes } = await readNodes(Date.now());
    return { indexes: viewIndexes(topology, awayNodes(nodes)) };
  });

  admin.patch<{ Params: { uid: string } }>('/indexes/:uid', async (request) => {
    const { uid } = request.params;
    const { scoring } = readIndexPatch(request.body);
    const epoch = await store.setScoring(uid, scoring);
    if (epoch === null) throw indexNotFound(uid);
    return { uid, scoring, epoch };
  });

  admin.post('/explain', async (request) => {
    const { indexUid, scoring, ...body } = (request.body ?? {}) as Record<string, unknown>;
    const query = readSearchBody(body);
    if (typeof indexUid !== 'string' || query === null) {
      throw new ApiError(
        'bad_request',
        'Expected a JSON object with `indexUid` and the parameters of a search: what a search refuses, this does too.',
      );
    }
    return explainSearch(ctx, indexUid, query, readScoring(scoring));
  });

  admin.get<{ Params: { uid: string } }>('/tasks/:uid', async (request) => {
    const uid = Number(request.params.uid);
    if (!/^\d+$/.test(request.params.uid) || !Number.isSafeInteger(uid)) {
      throw new ApiError(
        'invalid_task_uid',
        `Task uid \`${request.params.uid}\` is invalid. It should be a number.`,
      );
    }
    const [row, streams] = await Promise.all([store.readTask(uid), store.readStreams()]);
    if (row === null) throw new ApiError('task_not_found', `Task \`${uid}\` not found.`);
    const delivery = streams.map(({ node, position, lastError }) => ({
      node,
      position,
      confirmed: position >= uid,
      lastError,
    }));
    return { ...viewTask(row), delivery };
  });
}

function readForce(body: unknown): boolean {
  const { force = false, ...unknown } = (body ?? {}) as Record<string, unknown>;
  if (typeof force === 'boolean' && Object.keys(unknown).length === 0) return force;
  throw new ApiError('miroir_invalid_change', 'Expected nothing, or `{"force": true}`.');
}
