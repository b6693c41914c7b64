// A proxy's own routes over three uneven parts of every index, whose nodes are played: by a real Meilisearch while
// answers are recorded, by the recording afterwards.
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../proxy/app.js';
import type { ProxyContext } from '../proxy/context.js';
import { registerDocumentRoutes } from '../proxy/routes/documents.js';
import { registerSearchRoutes } from '../proxy/routes/search.js';
import { SearchTurns } from '../proxy/search/search-turns.js';
import { physicalName, type Topology, type TopologyIndex } from '../shared/core/topology.js';
import { loadHash } from '../shared/io/hash.js';
import type { NodeClient, NodeRequest, NodeResponse } from '../shared/io/node-client.js';
import { type Answer, type Comparison, compareParts, takeApart } from './exactness/comparison.js';
import type { Ask } from './exactness/query-class.js';
import { LAST_RULE } from './exactness/reference.js';
import { PRIMARY_KEY } from './exactness/worlds.js';

export const SHARD_COUNT = 64;
/** One of the parts is large, as after an unfinished rebalancing. */
const FIRST_SHARDS: Readonly<Record<string, number>> = { a: 0, b: 36, c: 50 };
export const PART_NODES: readonly string[] = Object.keys(FIRST_SHARDS);

/** The node that holds a shard. */
export function partOf(shard: number): string {
  return PART_NODES.findLast((node) => shard >= FIRST_SHARDS[node]!)!;
}

export interface RecordedIndex {
  readonly uid: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a node calls its part. */
export function partName(uid: string, node: string): string {
  return `${physicalName(uid, 1, 1)}-${node}`;
}

function topologyOf(indexes: readonly RecordedIndex[]): Topology {
  return {
    clusterId: 'recorded',
    journalId: 'recorded',
    epoch: 1,
    replicationFactor: 1,
    defaultShardCount: SHARD_COUNT,
    nextIncarnation: 2,
    nodes: PART_NODES.map((id) => ({ id, url: '', zone: null, weight: 1, state: 'active' })),
    indexes: indexes.map(
      ({ uid, settings }): TopologyIndex => ({
        uid,
        incarnation: 1,
        primaryKey: PRIMARY_KEY,
        shardCount: SHARD_COUNT,
        replicationFactor: 1,
        settings,
        visible: true,
        createdAt: '',
        updatedAt: '',
        deletedSeq: null,
        foldsIds: true,
        physicalNames: Object.fromEntries(PART_NODES.map((node) => [node, partName(uid, node)])),
        shards: Array.from({ length: SHARD_COUNT }, (_, shard) => [
          { node: partOf(shard), state: 'in-sync', moveId: null, sinceEpoch: 1 },
        ]),
      }),
    ),
  };
}

export type PlayNode = (node: string, request: NodeRequest) => Promise<{ status: number; text: string }>;

/** The proxy; texts are byte texts. */
export async function proxyOver(indexes: readonly RecordedIndex[], play: PlayNode): Promise<FastifyInstance> {
  const topology = topologyOf(indexes);
  const clientOf = (node: string): NodeClient => {
    const request = async (asked: NodeRequest): Promise<NodeResponse> => {
      const { status, text } = await play(node, asked);
      return { status, body: Buffer.from(text, 'latin1') };
    };
    return { request } as unknown as NodeClient;
  };
  const ctx: ProxyContext = {
    store: {} as ProxyContext['store'],
    watcher: {
      acquire: () => ({ topology, stillValid: () => true, release: () => undefined }),
      refresh: async () => topology,
    },
    nodes: { client: clientOf, observe: () => undefined, cost: () => 1 },
    searches: new SearchTurns(),
    hash: await loadHash(),
    options: {
      proxyId: 'recorded',
      masterKey: null,
      adminApiKey: null,
      searchDeadlineMs: 60_000,
      unavailable: 'error',
      payloadLimitBytes: 1_000_000,
    },
    log: pino({ level: 'silent' }),
  };
  return buildApp(ctx, [registerSearchRoutes, registerDocumentRoutes]);
}

/** The proxy's answer to a request. */
export async function askProxy(app: FastifyInstance, { method, path, body }: Ask): Promise<Answer> {
  const answer = await app.inject({ method, url: path, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, text: answer.body };
}

/** One query with what one node with everything answers, and every question to a part with its answer. */
export interface RecordedAsk {
  readonly class: string;
  readonly only: number;
  readonly ask: Ask;
  readonly one: Answer;
  readonly asked: readonly (readonly [question: string, status: number, text: string])[];
}

export interface ClassRecording {
  readonly indexes: readonly RecordedIndex[];
  readonly asks: readonly RecordedAsk[];
}

/** What a question to a part is known by. */
export function questionOf(node: string, { method, path, body }: NodeRequest): string {
  return `${node} ${method} ${path} ${body === undefined ? '' : String(body)}`;
}

export function compareToOne(ours: Answer, one: Answer): Comparison {
  return compareParts(takeApart(ours, PRIMARY_KEY), takeApart(one, PRIMARY_KEY, LAST_RULE), true);
}

/** Brotli with a wide window: the same documents stand in many answers. */
export function packRecording({ indexes, asks }: ClassRecording): Buffer {
  const lines = [{ indexes }, ...asks].map((line) => JSON.stringify(line)).join('\n');
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 };
  return brotliCompressSync(Buffer.from(lines), { params });
}

export function unpackRecording(packed: Uint8Array): ClassRecording {
  const [head, ...asks] = brotliDecompressSync(packed).toString().split('\n');
  const { indexes } = JSON.parse(head!) as { indexes: RecordedIndex[] };
  return { indexes, asks: asks.map((line) => JSON.parse(line) as RecordedAsk) };
}
