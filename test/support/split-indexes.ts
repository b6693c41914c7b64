// Indexes cut into shards on the nodes of a small fleet, without journal and streams, beside one plain node that holds
// the same documents in the order of their ids: what the search routes answer can be compared byte by byte.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../../proxy/app.js';
import type { ProxyContext, TopologyHold } from '../../proxy/context.js';
import { registerSearchRoutes } from '../../proxy/routes/search.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { nodeSettings } from '../../shared/core/settings.js';
import { SHARD_FIELD, shardMark, type Topology, type TopologyIndex } from '../../shared/core/topology.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { type NodeProcess, startNode } from './node-process.js';

export interface SplitIndex {
  uid: string;
  settings: Record<string, unknown>;
  documents: readonly { id: number }[];
}

export interface Shown {
  status: number;
  text: string;
}

const NODES = ['a', 'b', 'c'] as const;
/** Badly skewed: the last node has one of eight shards. */
const SHARDS: Record<string, number[]> = { a: [0, 1, 2, 3, 6], b: [4, 7], c: [5] };
const SHARD_COUNT = 8;

/** Vectors are compared one by one: what a graph finds is left to chance, on one node as well. */
const NODE_ENV = {
  MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW: '4294967295',
  MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW_RATIO: '1.0',
  // Nodes may ask an embedder on this machine.
  MEILI_EXPERIMENTAL_ALLOWED_IP_NETWORKS: '127.0.0.0/8',
};

/** A fleet of three and its plain twin, ready to be asked. */
export class SplitFleet {
  private constructor(
    private readonly dir: string,
    private readonly processes: readonly NodeProcess[],
    private readonly clients: ReadonlyMap<string, NodeClient>,
    private readonly app: FastifyInstance,
  ) {}

  /** `fair` changes what the plain twin is told, for example to break ties as nodes do. */
  static async start(
    indexes: readonly SplitIndex[],
    fair: (index: SplitIndex) => SplitIndex = (index) => index,
  ): Promise<SplitFleet> {
    const dir = mkdtempSync(join(tmpdir(), 'miroir-split-'));
    const masterKey = 'a-master-key-of-16';
    // One process is enough for all three nodes: each has indexes of its own.
    const processes = await Promise.all(
      ['fleet', 'plain'].map((id) => startNode({ id, dir, masterKey, env: NODE_ENV })),
    );
    const clients = new Map<string, NodeClient>();
    const clientOf = (id: string, process: NodeProcess) =>
      clients.set(id, new NodeClient({ id, url: process.url, adminKey: masterKey, dataKey: null }));
    for (const id of NODES) clientOf(id, processes[0]!);
    clientOf('plain', processes[1]!);
    for (const index of indexes) {
      const { uid, settings, documents } = index;
      await load(clients.get('plain')!, uid, fair(index).settings, documents);
      const marked = documents.map((document) => ({
        ...document,
        [SHARD_FIELD]: shardMark(document.id % SHARD_COUNT),
      }));
      for (const node of NODES) {
        const own = marked.filter(({ id }) => SHARDS[node]!.includes(id % SHARD_COUNT));
        await load(clients.get(node)!, `${uid}--1-${node}`, nodeSettings(settings, 'id'), own);
      }
    }
    const app = await buildApp(contextOf(topologyOf(indexes), clients), [registerSearchRoutes]);
    return new SplitFleet(dir, processes, clients, app);
  }

  /** What the fleet answers. */
  async ours(path: string, body?: unknown, more: Record<string, string> = {}): Promise<Shown> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', ...more };
    const answer = await this.app.inject({
      method: body === undefined ? 'GET' : 'POST',
      url: path,
      payload,
      headers,
    });
    return { status: answer.statusCode, text: steady(answer.body) };
  }

  /** What one node answers. */
  async plain(path: string, body?: unknown): Promise<Shown> {
    const answer = await this.clients.get('plain')!.request({
      method: body === undefined ? 'GET' : 'POST',
      path,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, text: steady(answer.body.toString('utf8')) };
  }

  async close(): Promise<void> {
    await this.app.close();
    for (const client of this.clients.values()) await client.close();
    for (const node of this.processes) await node.process.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function steady(text: string): string {
  return text
    .replace(/"processingTimeMs":\d+/g, '"processingTimeMs":0')
    .replace(/,"requestUid":"[^"]+"/g, '');
}

async function load(
  client: NodeClient,
  uid: string,
  settings: unknown,
  documents: readonly object[],
): Promise<void> {
  const run = async (path: string, method: 'POST' | 'PATCH', body: unknown): Promise<void> => {
    const task = await client.waitTask(await client.enqueue({ method, path, body: JSON.stringify(body) }));
    if (task.status !== 'succeeded') throw new Error(`${path}: ${JSON.stringify(task)}`);
  };
  await run('/indexes', 'POST', { uid, primaryKey: 'id' });
  await run(`/indexes/${uid}/settings`, 'PATCH', settings);
  if (documents.length > 0) await run(`/indexes/${uid}/documents`, 'POST', documents);
}

function topologyOf(indexes: readonly SplitIndex[]): Topology {
  const replica = (node: string) => ({ node, state: 'in-sync' as const, moveId: null, sinceEpoch: 1 });
  return {
    clusterId: 'c',
    journalId: 'j',
    epoch: 1,
    replicationFactor: 1,
    defaultShardCount: SHARD_COUNT,
    nextIncarnation: 2,
    nodes: NODES.map((id) => ({ id, url: '', zone: null, weight: 1, state: 'active' as const })),
    indexes: indexes.map(
      ({ uid, settings }): TopologyIndex => ({
        uid,
        incarnation: 1,
        primaryKey: 'id',
        shardCount: SHARD_COUNT,
        replicationFactor: 1,
        settings,
        visible: true,
        createdAt: '',
        updatedAt: '',
        deletedSeq: null,
        physicalNames: Object.fromEntries(NODES.map((node) => [node, `${uid}--1-${node}`])),
        shards: Array.from({ length: SHARD_COUNT }, (_, shard) =>
          NODES.filter((node) => SHARDS[node]!.includes(shard)).map(replica),
        ),
      }),
    ),
  };
}

function contextOf(topology: Topology, clients: ReadonlyMap<string, NodeClient>): ProxyContext {
  const hold = (): TopologyHold => ({ topology, stillValid: () => true, release: () => {} });
  return {
    store: {} as ProxyContext['store'],
    watcher: { acquire: hold, refresh: async () => topology },
    nodes: { client: (id) => clients.get(id), observe: () => {}, cost: () => 1 },
    searches: new SearchTurns(),
    // The shard of a document is its id modulo their number.
    hash: (text) => (/^\d+$/.test(text) ? BigInt(text) : 0n),
    options: {
      proxyId: 'p',
      masterKey: null,
      adminApiKey: null,
      searchDeadlineMs: 20_000,
      unavailable: 'error',
      payloadLimitBytes: 1_000_000,
    },
    log: pino({ level: 'silent' }),
  };
}
