// Connections to the nodes of the current topology, and how costly each one looks: latency, requests in flight, and
// a back-off with probes for nodes that fail.
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeId, Topology } from '../shared/core/topology.js';
import { NodeClient, type NodeClientOptions } from '../shared/io/node-client.js';
import type { NodeSecrets } from '../shared/io/store.js';
import type { NodePool } from './context.js';

export interface NodePoolOptions {
  readSecrets(): Promise<Record<NodeId, NodeSecrets>>;
  /** Admin key of nodes for which the store has none. */
  fallbackAdminKey: string | null;
  nowMs(): number;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** How long a removed node's requests may still take. */
  drainMs?: number;
  connect?(options: NodeClientOptions): NodeClient;
}

const BACKOFF_FIRST_MS = 200;
const BACKOFF_LAST_MS = 10_000;
/** Weight of the newest latency in the moving average. */
const SMOOTHING = 0.2;
const PROBE_TIMEOUT_MS = 2_000;

interface Entry {
  client: NodeClient;
  latencyMs: number;
  failures: number;
  retryAtMs: number;
  probing: boolean;
}

export class TopologyNodePool implements NodePool {
  private readonly entries = new Map<NodeId, Entry>();
  private closed = false;

  constructor(private readonly options: NodePoolOptions) {}

  /** Makes the pool fit a topology: new nodes are connected, changed ones reconnected, removed ones drained. */
  async adopt(topology: Topology): Promise<void> {
    const changed = topology.nodes.filter((node) => this.entries.get(node.id)?.client.url !== node.url);
    if (changed.length > 0) {
      const secrets = await this.options.readSecrets();
      const connect = this.options.connect ?? ((options) => new NodeClient(options));
      for (const node of changed) {
        this.drop(node.id);
        const known = secrets[node.id];
        const client = connect({
          id: node.id,
          url: node.url,
          adminKey: known?.adminKey ?? this.options.fallbackAdminKey,
          dataKey: known?.dataKey ?? null,
        });
        this.entries.set(node.id, { client, latencyMs: 5, failures: 0, retryAtMs: 0, probing: false });
      }
    }
    const present = new Set(topology.nodes.map((node) => node.id));
    for (const id of [...this.entries.keys()]) if (!present.has(id)) this.drop(id);
  }

  client(id: NodeId): NodeClient | undefined {
    return this.entries.get(id)?.client;
  }

  observe(id: NodeId, outcome: 'ok' | 'failed' | 'late', latencyMs: number): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    if (outcome !== 'failed') entry.latencyMs += SMOOTHING * (latencyMs - entry.latencyMs);
    if (outcome === 'late') return;
    if (outcome === 'ok') {
      if (entry.failures > 0) this.options.log.info({ node: id }, 'the node answers again');
      entry.failures = 0;
      return;
    }
    if (entry.failures === 0) this.options.log.warn({ node: id }, 'the node does not answer');
    const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(entry.failures, 10), BACKOFF_LAST_MS);
    entry.failures++;
    entry.retryAtMs = this.options.nowMs() + backoffMs;
  }

  cost(id: NodeId): number {
    const entry = this.entries.get(id);
    if (entry === undefined) return Number.POSITIVE_INFINITY;
    if (entry.failures > 0) {
      // The probe is a request of our own, so that no client pays for finding out.
      if (!entry.probing && this.options.nowMs() >= entry.retryAtMs) void this.probe(id, entry);
      return Number.POSITIVE_INFINITY;
    }
    return Math.max(entry.latencyMs, 0.1) * (1 + entry.client.inFlight);
  }

  /** Ends all connections at once. */
  async close(): Promise<void> {
    this.closed = true;
    const clients = [...this.entries.values()].map((entry) => entry.client);
    this.entries.clear();
    await Promise.all(clients.map((client) => client.close()));
  }

  private async probe(id: NodeId, entry: Entry): Promise<void> {
    entry.probing = true;
    const startedMs = this.options.nowMs();
    try {
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      const answer = await entry.client.request({ method: 'GET', path: '/health', signal });
      if (this.entries.get(id) !== entry) return;
      this.observe(id, answer.status === 200 ? 'ok' : 'failed', this.options.nowMs() - startedMs);
    } catch {
      if (this.entries.get(id) === entry) this.observe(id, 'failed', 0);
    } finally {
      entry.probing = false;
    }
  }

  private drop(id: NodeId): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    this.entries.delete(id);
    void this.drain(entry.client);
  }

  private async drain(client: NodeClient): Promise<void> {
    const endMs = this.options.nowMs() + (this.options.drainMs ?? 30_000);
    while (client.inFlight > 0 && !this.closed && this.options.nowMs() < endMs) {
      await sleep(50);
    }
    await client.close();
  }
}
