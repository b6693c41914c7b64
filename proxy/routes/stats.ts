// Statistics: what the nodes report, counted once per document however many replicas there are.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { chooseReplicas } from '../../shared/core/routing.js';
import {
  type NodeId,
  SHARD_FIELD,
  shardFilter,
  type Topology,
  type TopologyIndex,
} from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { booleanParameter, checkParameters, textParameter } from '../parameters.js';
import { requireVisibleIndex, visibleIndexes } from '../visible-indexes.js';

interface NodeIndexStats {
  numberOfDocuments: number;
  rawDocumentDbSize?: number;
  numberOfEmbeddings?: number;
  numberOfEmbeddedDocuments?: number;
  fieldDistribution: Record<string, number>;
}

interface NodeStats {
  databaseSize: number;
  usedDatabaseSize?: number;
  indexes: Record<string, NodeIndexStats>;
}

interface IndexStats {
  numberOfDocuments: number;
  rawDocumentDbSize: number | string;
  avgDocumentSize: number | string;
  isIndexing: boolean;
  numberOfEmbeddings: number;
  numberOfEmbeddedDocuments: number;
  fieldDistribution: Record<string, number>;
}

type Size = (bytes: number) => number | string;

export function registerStatsRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.get<{ Querystring: Record<string, string> }>('/stats', async (request) => {
    const size = readSizeFormat(request.query);
    const hold = ctx.watcher.acquire('search');
    try {
      const nodes = await gatherNodeStats(ctx, hold.topology);
      const indexes: Record<string, IndexStats> = {};
      let lastUpdate: string | null = null;
      for (const index of visibleIndexes(hold.topology)) {
        indexes[index.uid] = await statsOf(ctx, index, nodes, size);
        if (lastUpdate === null || index.updatedAt > lastUpdate) lastUpdate = index.updatedAt;
      }
      requireValid(hold);
      const sum = (read: (stats: NodeStats) => number) =>
        size([...nodes.values()].reduce((total, stats) => total + read(stats), 0));
      return {
        databaseSize: sum((stats) => stats.databaseSize),
        usedDatabaseSize: sum((stats) => stats.usedDatabaseSize ?? stats.databaseSize),
        lastUpdate,
        indexes,
      };
    } finally {
      hold.release();
    }
  });

  app.get<{ Params: { indexUid: string }; Querystring: Record<string, string> }>(
    '/indexes/:indexUid/stats',
    async (request) => {
      const size = readSizeFormat(request.query);
      const hold = ctx.watcher.acquire('search');
      try {
        const index = requireVisibleIndex(hold.topology, request.params.indexUid);
        const stats = await statsOf(ctx, index, await gatherNodeStats(ctx, hold.topology), size);
        requireValid(hold);
        return stats;
      } finally {
        hold.release();
      }
    },
  );
}

/** What was counted on a topology that may have been left behind is not told. */
function requireValid(hold: TopologyHold): void {
  if (hold.stillValid()) return;
  throw new ApiError('miroir_lease_lost', 'This proxy lost its lease while it was counting. Ask again.');
}

/** The number of documents of an index: each shard counted on one in-sync replica, another one if that fails. */
export async function countDocuments(ctx: ProxyContext, index: TopologyIndex): Promise<number> {
  const exclude = new Set<NodeId>();
  let shards: readonly number[] | undefined;
  let total = 0;
  for (;;) {
    const routing = chooseReplicas(index, {
      cost: (id) => ctx.nodes.cost(id),
      stickyKey: 0,
      exclude,
      shards,
    });
    if (routing.unavailable.length > 0) {
      throw new ApiError(
        'miroir_shards_unavailable',
        `No in-sync replica answers for shards ${routing.unavailable.join(', ')} of index \`${index.uid}\`.`,
      );
    }
    const missing: number[] = [];
    await Promise.all(
      [...routing.assignments].map(async ([node, asked]) => {
        const counted = await countOnNode(ctx, index, node, asked);
        if (counted !== null) {
          total += counted;
          return;
        }
        exclude.add(node);
        missing.push(...asked);
      }),
    );
    if (missing.length === 0) return total;
    shards = missing;
  }
}

async function countOnNode(
  ctx: ProxyContext,
  index: TopologyIndex,
  node: NodeId,
  shards: readonly number[],
): Promise<number | null> {
  const name = index.physicalNames[node];
  const client = ctx.nodes.client(node);
  if (name === undefined || client === undefined) return null;
  const startedMs = performance.now();
  try {
    const answer = await client.json<{ total: number }>({
      method: 'POST',
      path: `/indexes/${name}/documents/fetch`,
      body: JSON.stringify({ filter: shardFilter(shards), limit: 0 }),
      signal: AbortSignal.timeout(ctx.options.searchDeadlineMs),
    });
    ctx.nodes.observe(node, 'ok', performance.now() - startedMs);
    return answer.total;
  } catch (error) {
    ctx.log.warn({ err: error, node }, 'counting documents failed on a node');
    ctx.nodes.observe(node, 'failed', performance.now() - startedMs);
    return null;
  }
}

/** Each node's own statistics; a node that does not answer is left out. */
async function gatherNodeStats(ctx: ProxyContext, topology: Topology): Promise<Map<NodeId, NodeStats>> {
  const found = new Map<NodeId, NodeStats>();
  await Promise.all(
    topology.nodes.map(async ({ id }) => {
      try {
        const signal = AbortSignal.timeout(ctx.options.searchDeadlineMs);
        const stats = await ctx.nodes
          .client(id)
          ?.json<NodeStats>({ method: 'GET', path: '/stats', admin: true, signal });
        if (stats !== undefined) found.set(id, stats);
      } catch (error) {
        ctx.log.warn({ err: error, node: id }, 'a node gives no statistics');
      }
    }),
  );
  return found;
}

async function statsOf(
  ctx: ProxyContext,
  index: TopologyIndex,
  nodes: ReadonlyMap<NodeId, NodeStats>,
  size: Size,
): Promise<IndexStats> {
  const [numberOfDocuments, unfinished] = await Promise.all([
    countDocuments(ctx, index),
    ctx.store.listTasks({ indexUids: [index.uid], statuses: ['enqueued', 'processing'], limit: 1 }),
  ]);
  const reports = [...nodes].flatMap(([id, stats]) => stats.indexes[index.physicalNames[id] ?? ''] ?? []);
  // Nodes count whole indexes, all replicas together: their sums are scaled down to one copy of each document. Exact
  // when every shard has as many replicas, as it has at rest.
  const copies = reports.reduce((sum, report) => sum + report.numberOfDocuments, 0);
  const once = (total: number) => (copies === 0 ? 0 : Math.round((total * numberOfDocuments) / copies));
  const sum = (read: (report: NodeIndexStats) => number | undefined) =>
    once(reports.reduce((total, report) => total + (read(report) ?? 0), 0));

  const fields = new Map<string, number>();
  for (const report of reports) {
    for (const [field, count] of Object.entries(report.fieldDistribution)) {
      if (field !== SHARD_FIELD) fields.set(field, (fields.get(field) ?? 0) + count);
    }
  }
  const names = [...fields.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const rawDocumentDbSize = sum((report) => report.rawDocumentDbSize);
  return {
    numberOfDocuments,
    rawDocumentDbSize: size(rawDocumentDbSize),
    avgDocumentSize: size(numberOfDocuments === 0 ? 0 : Math.floor(rawDocumentDbSize / numberOfDocuments)),
    isIndexing: unfinished.total > 0,
    numberOfEmbeddings: sum((report) => report.numberOfEmbeddings),
    numberOfEmbeddedDocuments: sum((report) => report.numberOfEmbeddedDocuments),
    fieldDistribution: Object.fromEntries(names.map((name) => [name, once(fields.get(name)!)])),
  };
}

function readSizeFormat(query: Record<string, string>): Size {
  checkParameters(query, ['showInternalDatabaseSizes', 'sizeFormat']);
  booleanParameter(query, 'showInternalDatabaseSizes', 'invalid_stats_show_internal_database_sizes');
  const format = textParameter(query, 'sizeFormat');
  if (format === undefined || format === 'raw') return (bytes) => bytes;
  if (format === 'human') return humanSize;
  throw new ApiError(
    'invalid_stats_size_format',
    `Unknown value \`${format}\` for parameter \`sizeFormat\`: expected one of \`human\`, \`raw\``,
  );
}

function humanSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${Number(value.toFixed(2))} ${units[unit]}`;
}
