// The search routes over three nodes against one plain index with the user's settings: answers and errors must be
// the same, byte for byte, timings and request ids aside.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../proxy/app.js';
import type { NodePool, ProxyContext, TopologyHold } from '../../proxy/context.js';
import { registerSearchRoutes } from '../../proxy/routes/search.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { nodeSettings } from '../../shared/core/settings.js';
import { SHARD_FIELD, shardMark, type Topology, type TopologyIndex } from '../../shared/core/topology.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { type NodeProcess, onRealMeilisearch, startNode } from '../support/node-process.js';

const SETTINGS = {
  filterableAttributes: ['kind', 'size'],
  sortableAttributes: ['size', 'title'],
  displayedAttributes: ['id', 'title', 'kind', 'size'],
};
const WORDS = ['river', 'stone', 'red', 'house', 'winter', 'garden', 'light', 'song'];
const DOCUMENTS = Array.from({ length: 240 }, (_, id) => ({
  id,
  title: [WORDS[id % 8], WORDS[(id * 3 + 1) % 8], WORDS[(id >> 3) % 8]].join(' '),
  kind: ['a', 'b', 'c'][id % 3],
  size: (id * 37) % 50,
  secret: `hidden ${id % 7}`,
}));

/** Shards 0 to 5; on nodes a, b and c; node d claims them all and is down. */
const HOLDERS: Record<string, number[]> = { a: [0, 1], b: [2, 3], c: [4, 5], d: [0, 1, 2, 3, 4, 5] };

describe.skipIf(!onRealMeilisearch)('search routes on real nodes', () => {
  let dir: string;
  let node: NodeProcess;
  let client: NodeClient;
  let app: FastifyInstance;
  let broken: Server;
  let topology: Topology;
  let valid: () => boolean = () => true;
  let partial = false;
  const dead = new Set<string>();
  const observed: string[] = [];
  const clients = new Map<string, NodeClient>();

  async function run(path: string, method: 'POST' | 'PATCH', body: unknown): Promise<void> {
    const uid = await client.enqueue({ method, path, body: JSON.stringify(body) });
    const task = await client.waitTask(uid);
    expect(task).toMatchObject({ status: 'succeeded' });
  }

  async function load(name: string, settings: unknown, documents: readonly object[]): Promise<void> {
    await run('/indexes', 'POST', { uid: name, primaryKey: 'id' });
    await run(`/indexes/${name}/settings`, 'PATCH', settings);
    await run(`/indexes/${name}/documents`, 'POST', documents);
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'miroir-search-'));
    node = await startNode({ id: 'one', dir, masterKey: 'a-master-key-of-16' });
    client = new NodeClient({ id: 'one', url: node.url, adminKey: node.masterKey, dataKey: null });
    broken = createServer((request) => request.socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => broken.once('listening', resolve));
    const brokenUrl = `http://127.0.0.1:${(broken.address() as { port: number }).port}`;
    const hidden = nodeSettings(SETTINGS, 'id');
    await load('plain', SETTINGS, DOCUMENTS);
    const marked = DOCUMENTS.map((document) => ({ ...document, [SHARD_FIELD]: shardMark(document.id % 6) }));
    for (const id of ['a', 'b', 'c']) {
      await load(
        `books--1-${id}`,
        hidden,
        marked.filter((document) => HOLDERS[id]!.includes(document.id % 6)),
      );
      clients.set(id, new NodeClient({ id, url: node.url, adminKey: node.masterKey, dataKey: null }));
    }
    await load('whole--2-0', hidden, marked);
    clients.set('d', new NodeClient({ id: 'd', url: brokenUrl, adminKey: null, dataKey: null }));
    topology = topologyOf({ a: 'books--1-a', b: 'books--1-b', c: 'books--1-c', d: 'books--1-d' });
    app = await buildApp(contextOf(), [registerSearchRoutes]);
  }, 120_000);

  afterAll(async () => {
    await app?.close();
    broken?.close();
    for (const each of clients.values()) await each.close();
    await client?.close();
    await node?.process.end();
    rmSync(dir, { recursive: true, force: true });
  });

  function topologyOf(names: Record<string, string>): Topology {
    const index = (
      uid: string,
      incarnation: number,
      holders: (shard: number) => string[],
    ): TopologyIndex => ({
      uid,
      incarnation,
      primaryKey: 'id',
      shardCount: 6,
      replicationFactor: 1,
      settings: SETTINGS,
      visible: true,
      createdAt: '',
      updatedAt: '',
      deletedSeq: null,
      physicalNames: incarnation === 1 ? names : { a: incarnation === 2 ? 'whole--2-0' : 'fresh--3-0' },
      shards: Array.from({ length: 6 }, (_, shard) =>
        holders(shard).map((id) => ({ node: id, state: 'in-sync' as const, moveId: null, sinceEpoch: 1 })),
      ),
    });
    const nodes = Object.keys(HOLDERS).map((id) => ({
      id,
      url: '',
      zone: null,
      weight: 1,
      state: 'active' as const,
    }));
    return {
      clusterId: 'c',
      journalId: 'j',
      epoch: 1,
      replicationFactor: 1,
      defaultShardCount: 6,
      nextIncarnation: 4,
      nodes,
      indexes: [
        index('books', 1, (shard) =>
          Object.keys(HOLDERS).filter((id) => HOLDERS[id]!.includes(shard) && !dead.has(id)),
        ),
        index('whole', 2, () => ['a']),
        { ...index('fresh', 3, () => ['a']), visible: false },
      ],
    };
  }

  function contextOf(): ProxyContext {
    const hold = (): TopologyHold => ({ topology, stillValid: () => valid(), release: () => {} });
    const nodes: NodePool = {
      client: (id) => clients.get(id),
      observe: (id, outcome) => void observed.push(`${id} ${outcome}`),
      cost: (id) => (id === 'd' ? 0.1 : 1),
    };
    return {
      store: {} as ProxyContext['store'],
      watcher: { acquire: hold, refresh: async () => topology },
      nodes,
      searches: new SearchTurns(),
      hash: () => 0n,
      options: {
        proxyId: 'p',
        masterKey: null,
        adminApiKey: null,
        searchDeadlineMs: 5_000,
        get unavailable() {
          return partial ? ('partial' as const) : ('error' as const);
        },
        payloadLimitBytes: 1_000_000,
      },
      log: pino({ level: 'silent' }),
    };
  }

  const steady = (text: string): string =>
    text
      .replace(/"processingTimeMs":\d+/g, '')
      .replace(/"requestUid":"[^"]+"/g, '')
      .replaceAll('`plain`', '`books`');

  async function ours(uid: string, body: unknown): Promise<{ status: number; text: string }> {
    const answer = await app.inject({
      method: 'POST',
      url: `/indexes/${uid}/search`,
      payload: body as object,
    });
    return { status: answer.statusCode, text: steady(answer.body).replaceAll('`whole`', '`books`') };
  }

  async function plain(body: unknown): Promise<{ status: number; text: string }> {
    const request = { method: 'POST', path: '/indexes/plain/search', body: JSON.stringify(body) } as const;
    const answer = await client.request(request);
    return { status: answer.status, text: steady(answer.body.toString('utf8')) };
  }

  const QUERIES = [
    {},
    { q: 'red house' },
    { q: 'winter', filter: 'kind = a AND size > 10', facets: ['*'], limit: 5 },
    { q: 'garden', sort: ['size:desc', 'title:asc'], offset: 7, limit: 9 },
    { q: 'stone', page: 2, hitsPerPage: 4, attributesToRetrieve: ['title'] },
    { q: 'song', attributesToHighlight: ['*'], showMatchesPosition: true, showRankingScore: true },
    { q: 'hidden', attributesToRetrieve: ['*', 'secret'], limit: 2 },
    { q: 'light', limit: 0 },
    { q: 'rivr', distinct: 'kind', limit: 2 },
    { q: 'red', attributesToSearchOn: ['nothing'] },
  ];
  const FAULTS = [
    { q: 'x', filter: 'secret = 3' },
    { q: 'x', filter: ['kind = a', 'oops'] },
    { q: 'x', filter: 3 },
    { sort: ['secret:asc'] },
    { sort: ['id:asc'] },
    { sort: ['title'] },
    { facets: ['secret'] },
    { distinct: 'secret' },
    { limit: 'many' },
    { doggo: 1 },
    { q: 'x', matchingStrategy: 'some' },
    { rankingScoreThreshold: 3 },
  ];

  it.each(QUERIES)('answers as one node does: %j', async (query) => {
    const expected = await plain(query);
    expect(expected.status).toBe(200);
    expect(await ours('books', query)).toEqual(expected);
    expect(await ours('whole', query)).toEqual(expected);
  });

  it.each(FAULTS)('refuses as one node does: %j', async (query) => {
    const expected = await plain(query);
    expect(expected.status).toBe(400);
    expect(await ours('books', query)).toEqual(expected);
    expect(await ours('whole', query)).toEqual(expected);
  });

  it.each([
    'q=red&limit=3&sort=size:desc,title:asc&filter=kind%20%3D%20a',
    'limit=x',
    'facets=kind,size&page=1',
    'oops=1',
  ])('answers GET as one node does: %s', async (search) => {
    const expected = await client.request({ method: 'GET', path: `/indexes/plain/search?${search}` });
    const answer = await app.inject({ method: 'GET', url: `/indexes/books/search?${search}` });
    expect(answer.statusCode).toBe(expected.status);
    expect(steady(answer.body)).toBe(steady(expected.body.toString('utf8')));
  });

  it('answers several queries in one request, and names the one that fails', async () => {
    const ask = async (
      url: 'plain' | 'books',
      queries: object[],
    ): Promise<{ status: number; text: string }> => {
      const body = { queries: queries.map((query) => ({ indexUid: url, ...query })) };
      if (url === 'books') {
        const answer = await app.inject({ method: 'POST', url: '/multi-search', payload: body });
        return { status: answer.statusCode, text: steady(answer.body) };
      }
      const answer = await client.request({
        method: 'POST',
        path: '/multi-search',
        body: JSON.stringify(body),
      });
      return {
        status: answer.status,
        text: steady(answer.body.toString('utf8')).replaceAll('"indexUid":"plain"', '"indexUid":"books"'),
      };
    };
    const sets = [
      [{ q: 'red' }, { q: 'song', limit: 1, facets: ['kind'] }],
      [{ q: 'red' }, { q: 'x', filter: 'secret = 1' }],
      [{ q: 'red', limit: -1 }],
      [{ q: 'red', federationOptions: { weight: 1 } }],
      [{ indexUid: 'nowhere' }],
    ];
    for (const set of sets) expect(await ask('books', set)).toEqual(await ask('plain', set));
  });

  it('does not know an index that is missing or not yet visible', async () => {
    for (const uid of ['nowhere', 'fresh']) {
      const answer = await app.inject({ method: 'POST', url: `/indexes/${uid}/search`, payload: {} });
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({
        code: 'index_not_found',
        message: `Index \`${uid}\` not found.`,
      });
    }
  });

  it('replaces a replica that fails, and learns that it does', async () => {
    expect(observed).toContain('d failed');
    expect(await ours('books', { q: 'red house' })).toEqual(await plain({ q: 'red house' }));
  });

  it('follows a physical index that is renamed meanwhile', async () => {
    const names = { a: 'books--1-a', b: 'books--1-b', c: 'books--1-c', d: 'books--1-d' };
    const before = topologyOf({ ...names, b: 'books--1-old' });
    const after = topology;
    topology = before;
    const asked = ours('books', { q: 'garden' });
    setTimeout(() => {
      topology = after;
    }, 60);
    expect(await asked).toEqual(await plain({ q: 'garden' }));
  });

  it('throws an answer away when its topology lapsed', async () => {
    let looks = 0;
    valid = () => ++looks > 1;
    expect(await ours('books', { q: 'song' })).toEqual(await plain({ q: 'song' }));
    expect(looks).toBe(2);
    valid = () => true;
  });

  it('tells of a node whose time limit ended the search', async () => {
    const request = { method: 'POST', url: '/indexes/books/search', payload: { q: 'red song' } } as const;
    expect((await app.inject(request)).headers).not.toHaveProperty('x-miroir-degraded');
    await run('/indexes/books--1-a/settings', 'PATCH', { searchCutoffMs: 0 });
    expect((await app.inject(request)).headers['x-miroir-degraded']).toBe('search cutoff');
    const several = { queries: [{ indexUid: 'books', q: 'red song' }] };
    const answered = await app.inject({ method: 'POST', url: '/multi-search', payload: several });
    expect(answered.headers['x-miroir-degraded']).toBe('search cutoff');
    await run('/indexes/books--1-a/settings', 'PATCH', { searchCutoffMs: null });
  });

  it('names shards without a replica, or answers without them where the policy says so', async () => {
    const whole = topology;
    dead.add('c');
    topology = topologyOf({ a: 'books--1-a', b: 'books--1-b', d: 'books--1-d' });
    const refused = await app.inject({ method: 'POST', url: '/indexes/books/search', payload: {} });
    expect(refused.statusCode).toBe(503);
    expect(refused.json().code).toBe('miroir_shards_unavailable');
    expect(refused.json().message).toMatch(/: 4, 5\.$/);
    partial = true;
    const answered = await app.inject({
      method: 'POST',
      url: '/indexes/books/search',
      payload: { limit: 1 },
    });
    expect(answered.statusCode).toBe(200);
    expect(answered.headers['x-miroir-degraded']).toBe('shards 4, 5');
    expect(answered.json().estimatedTotalHits).toBe(160);
    partial = false;
    dead.delete('c');
    topology = whole;
  });
});
