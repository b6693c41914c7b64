// Prometheus metrics of this proxy: requests by route, the epoch it serves, and which nodes it believes to be up.
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { HEALTH_STATES } from '../../shared/core/node-health.js';
import type { Topology } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';

const BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export function registerMetrics(app: FastifyInstance, ctx: ProxyContext): void {
  // One registry an app: a test may build several in one process.
  const registry = new Registry();
  const requests = new Histogram({
    name: 'miroir_request_duration_seconds',
    help: 'Time from the request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  new Gauge({
    name: 'miroir_topology_epoch',
    help: 'Epoch of the topology that new requests are served with; 0 without a lease.',
    registers: [registry],
    collect() {
      this.set(readTopology(ctx)?.epoch ?? 0);
    },
  });
  new Gauge({
    name: 'miroir_node_up',
    help: '1 for a node that this proxy asks, 0 for one that it believes to be down.',
    labelNames: ['node'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { id } of readTopology(ctx)?.nodes ?? [])
        this.set({ node: id }, ctx.nodes.cost(id) === Infinity ? 0 : 1);
    },
  });

  new Gauge({
    name: 'miroir_node_health',
    help: '1 for the state that a node is in: healthy, suspect, down or lost.',
    labelNames: ['node', 'state'],
    registers: [registry],
    async collect() {
      this.reset();
      // Metrics are answered without the store, too.
      const health = await ctx.store.readHealth().catch(() => []);
      for (const row of health)
        for (const state of HEALTH_STATES) this.set({ node: row.node, state }, row.state === state ? 1 : 0);
    },
  });

  if (ctx.statistics !== undefined) {
    const { lookups } = ctx.statistics;
    new Counter({
      name: 'miroir_statistics_lookups_total',
      help: 'Lookups of what nodes know of a corpus: found in the cache, or asked for.',
      labelNames: ['outcome'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [outcome, count] of Object.entries(lookups)) this.inc({ outcome }, count);
      },
    });
  }

  if (ctx.hedging !== undefined) {
    const { counts } = ctx.hedging;
    new Counter({
      name: 'miroir_hedged_reads_total',
      help: 'Reads of a late replica that were sent to another as well: which answered first, or that the budget was spent.',
      labelNames: ['outcome'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [outcome, count] of Object.entries(counts)) this.inc({ outcome }, count);
      },
    });
  }

  app.addHook('onResponse', (request, reply, done) => {
    // Routes, never paths: a label per index would grow without end.
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    requests.observe(labels, reply.elapsedTime / 1_000);
    done();
  });

  app.get('/metrics', async (_request, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
}

/** The topology of the moment, or null without a lease. */
function readTopology(ctx: ProxyContext): Topology | null {
  try {
    const hold = ctx.watcher.acquire('search');
    hold.release();
    return hold.topology;
  } catch {
    return null;
  }
}
