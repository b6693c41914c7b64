// Reading documents over three nodes against one plain index with the user's settings: the same documents, byte for
// byte, in the same order, with the same totals and errors. Needs MIROIR_MEILISEARCH_BIN.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../proxy/app.js';
import type { ProxyContext } from '../../proxy/context.js';
import { registerDocumentRoutes } from '../../proxy/routes/documents.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { shardOf } from '../../shared/core/placement.js';
import { nodeSettings } from '../../shared/core/settings.js';
import { shardMark, type Topology } from '../../shared/core/topology.js';
import { loadHash } from '../../shared/io/hash.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { createLogger } from '../../shared/io/observe.js';
import { type NodeProcess, onRealMeilisearch, startNode } from '../support/node-process.js';

const SHARDS = 6;
const NODES = ['a', 'b', 'c'];
const SETTINGS = {
  filterableAttributes: ['kind', 'size'],
  sortableAttributes: ['id', 'size', 'title', '_geo'],
};
const TITLES = ['"é"', '"Zebra"', '"apple"', '5', '1.0', 'null', '["b","a"]', '9007199254740993'];

const DOCUMENTS = Array.from({ length: 90 }, (_, id) => {
  const geo = id % 3 === 0 ? `,"_geo":{"lat":${id / 10},"lng":1.50}` : '';
  return `{"id":${id},"title":${TITLES[id % 8]},"kind":"${['x', 'y', 'z'][id % 3]}","size":${(id * 37) % 50}${geo}}`;
});

describe.skipIf(!onRealMeilisearch)('document reads on real nodes', () => {
  let dir: string;
  let node: NodeProcess;
  let client: NodeClient;
  let app: FastifyInstance;
  let names: Record<string, string>;

  async function run(path: string, method: 'POST' | 'PATCH', body: string): Promise<void> {
    const task = await client.waitTask(await client.enqueue({ method, path, body }));
    expect(task).toMatchObject({ status: 'succeeded' });
  }

  async function load(name: string, settings: unknown, documents: readonly string[]): Promise<void> {
    await run('/indexes', 'POST', JSON.stringify({ uid: name, primaryKey: 'id' }));
    await run(`/indexes/${name}/settings`, 'PATCH', JSON.stringify(settings));
    await run(`/indexes/${name}/documents`, 'POST', `[${documents.join(',')}]`);
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'miroir-reads-'));
    node = await startNode({ id: 'one', dir, masterKey: 'a-master-key-of-16' });
    client = new NodeClient({ id: 'one', url: node.url, adminKey: node.masterKey, dataKey: null });
    const hash = await loadHash();
    const shard = (id: number) => shardOf(String(id), SHARDS, hash);
    names = Object.fromEntries(NODES.map((id) => [id, `books--1-${id}`]));
    await load('plain', SETTINGS, DOCUMENTS);
    for (const [position, id] of NODES.entries()) {
      // Each node also has what it may not show: a copy of another node's shard.
      const held = DOCUMENTS.flatMap((document, i) =>
        [position, (position + 1) % 3].includes(shard(i) % 3)
          ? [`${document.slice(0, -1)},"_miroir":"${shardMark(shard(i))}"}`]
          : [],
      );
      await load(names[id]!, nodeSettings(SETTINGS, 'id'), held);
    }
    const topology: Topology = {
      clusterId: 'c',
      journalId: 'j',
      epoch: 1,
      replicationFactor: 1,
      defaultShardCount: SHARDS,
      nextIncarnation: 2,
      nodes: NODES.map((id) => ({ id, url: '', zone: null, weight: 1, state: 'active' as const })),
      indexes: [
        {
          uid: 'books',
          incarnation: 1,
          primaryKey: 'id',
          shardCount: SHARDS,
          replicationFactor: 1,
          settings: SETTINGS,
          visible: true,
          createdAt: '',
          updatedAt: '',
          deletedSeq: null,
          physicalNames: names,
          shards: Array.from({ length: SHARDS }, (_, s) => [
            { node: NODES[s % 3]!, state: 'in-sync' as const, moveId: null, sinceEpoch: 1 },
          ]),
        },
      ],
    };
    const ctx: ProxyContext = {
      store: {} as ProxyContext['store'],
      watcher: {
        acquire: () => ({ topology, stillValid: () => true, release: () => {} }),
        refresh: async () => topology,
      },
      nodes: { client: () => client, observe: () => {}, cost: () => 1 },
      searches: new SearchTurns(),
      hash,
      options: {
        proxyId: 'p',
        masterKey: null,
        adminApiKey: null,
        searchDeadlineMs: 5_000,
        unavailable: 'error',
        payloadLimitBytes: 1_000_000,
      },
      log: createLogger({ name: 'test', level: 'silent' }),
    };
    app = await buildApp(ctx, [registerDocumentRoutes]);
  }, 120_000);

  afterAll(async () => {
    await app?.close();
    await client?.close();
    await node?.process.end();
    rmSync(dir, { recursive: true, force: true });
  });

  async function ours(method: 'GET' | 'POST', path: string, body?: unknown) {
    const answer = await app.inject({ method, url: `/indexes/books${path}`, payload: body as object });
    return { status: answer.statusCode, text: answer.body };
  }

  async function plain(method: 'GET' | 'POST', path: string, body?: unknown) {
    const answer = await client.request({
      method,
      path: `/indexes/plain${path}`,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, text: answer.body.toString('utf8').replaceAll('`plain`', '`books`') };
  }

  it.each([
    '/documents',
    '/documents?limit=7&offset=13',
    '/documents?limit=1000&fields=id,title',
    '/documents?limit=0',
    '/documents?filter=kind%20%3D%20x&limit=5',
    '/documents?filter=%5B%22kind%20%3D%20x%22%2C%5B%22size%20%3E%2040%22%2C%22size%20%3D%203%22%5D%5D',
    '/documents?ids=3,1,77,nope',
    '/documents?sort=size:desc,id:asc&limit=50',
    '/documents?limit=a',
    '/documents?foo=1',
    '/documents?filter=zz%20%3D%201',
    '/documents?filter=kind',
    '/documents?sort=zz:asc',
    '/documents?retrieveVectors=true&limit=3',
    '/documents/7',
    '/documents/7?fields=id,kind',
    '/documents/7?fields=_miroir',
    '/documents/nope',
    '/documents/a%20b',
    '/documents/7?retrieveVectors=2',
  ])('answers GET %s like one node', async (path) => {
    expect(await ours('GET', path)).toEqual(await plain('GET', path));
  });

  it.each([
    {},
    { limit: 200 },
    { sort: ['title:asc', 'id:asc'], limit: 90 },
    { sort: ['title:desc', 'id:desc'], limit: 40, offset: 20, fields: ['title'] },
    { sort: ['_geoPoint(3.2, 1.5):asc', 'id:asc'], limit: 60, fields: ['id', '_geo'] },
    { ids: [5, '6', 7], fields: ['id'] },
    { ids: [1.5] },
    { filter: ['size > 10', ['kind = x', 'kind = y']], limit: 3, offset: 2 },
    { filter: 3 },
    { filter: 'size > 10 AND' },
    { limit: 'a' },
    { foo: 1 },
    { sort: ['size'] },
    { fields: 3 },
    { offset: -1 },
    { retrieveVectors: 1 },
  ])('answers POST /documents/fetch %j like one node', async (body) => {
    expect(await ours('POST', '/documents/fetch', body)).toEqual(
      await plain('POST', '/documents/fetch', body),
    );
  });
});
