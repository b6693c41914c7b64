// The proxy's app over a real store: authentication, bodies, errors, indexes, settings and tasks in Meilisearch's
// shapes. No node is needed: nothing here delivers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../proxy/app.js';
import type { ProxyContext } from '../../proxy/context.js';
import { TopologyNodePool } from '../../proxy/node-pool.js';
import { LeasedTopology } from '../../proxy/topology-watcher.js';
import { UNSUPPORTED_ROUTES } from '../../proxy/unsupported.js';
import { loadHash } from '../../shared/io/hash.js';
import { createLogger } from '../../shared/io/observe.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';

interface Fleet {
  app: FastifyInstance;
  store: Store;
  watcher: LeasedTopology;
  stop(): Promise<void>;
}

let fleet: Fleet;

async function startFleet(masterKey: string | null): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'miroir-app-'));
  const store = await openStore(`sqlite:${join(dir, 'miroir.db')}`, { thread: false });
  await store.initialize({ clusterId: 'test', replicationFactor: 1, defaultShardCount: 4 });
  await store.addNode({ id: 'a', url: 'http://127.0.0.1:9' }, { adminKey: null, dataKey: null }, 'test');
  await store.setNodeState('a', 'active', 'test');
  const log = createLogger({ name: 'test', level: 'silent' });
  const nowMs = () => performance.now();
  const nodes = new TopologyNodePool({
    readSecrets: () => store.readNodeSecrets(),
    fallbackAdminKey: null,
    nowMs,
    log,
  });
  const watcher = new LeasedTopology({
    store,
    clock: { nowMs },
    log,
    proxyId: 'p',
    url: null,
    ttlMs: 60_000,
    graceMs: 1_000,
    onTopology: (topology) => nodes.adopt(topology),
  });
  await watcher.start();
  const ctx: ProxyContext = {
    store,
    watcher,
    nodes,
    hash: await loadHash(),
    options: {
      proxyId: 'p',
      masterKey,
      adminApiKey: null,
      searchDeadlineMs: 1_000,
      unavailable: 'error',
      payloadLimitBytes: 10_240,
    },
    log,
  };
  const app = await buildApp(ctx, []);
  return {
    app,
    store,
    watcher,
    async stop() {
      await app.close();
      await watcher.stop();
      await nodes.close();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Confirms the whole journal as the one node's stream would, then finishes the tasks that this proxy has seen. */
async function deliver(): Promise<void> {
  const takeover = await fleet.store.takeOverStream('a', 'test');
  const generation = takeover!.generation;
  for (let groups = 0; groups < 20; groups++) {
    const group = await fleet.store.readGroup('a', generation, { entries: 100, bytes: 1_000_000 });
    if (group === null || group.entries.length === 0) break;
    const outcomes = group.entries
      .filter((entry) => !entry.skipped)
      .map(({ seq }) => ({ seq, status: 'succeeded' as const, error: null, details: null }));
    const last = group.entries.at(-1)!.seq;
    await fleet.store.confirmEntries('a', generation, last, outcomes, true);
  }
  for (let round = 0; round < 5; round++) {
    await fleet.store.advanceTasks();
    await fleet.watcher.poll();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about.
type Body = any;

async function send(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Body; headers: Record<string, unknown> }> {
  const json = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body);
  const answer = await fleet.app.inject({
    method: method as 'GET',
    url,
    payload: json ? JSON.stringify(body) : (body as string | undefined),
    headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
  });
  return {
    status: answer.statusCode,
    body: answer.body === '' ? null : JSON.parse(answer.body),
    headers: answer.headers,
  };
}

const link = (code: string) => `https://docs.meilisearch.com/errors#${code}`;

afterEach(() => fleet.stop());

describe('without a master key', () => {
  beforeEach(async () => {
    fleet = await startFleet(null);
  });

  it('answers health and version', async () => {
    const health = await send('GET', '/health');
    expect(health).toMatchObject({ status: 200, body: { status: 'available' } });
    expect(health.headers['x-miroir-version']).toBeDefined();
    expect((await send('GET', '/version')).body.pkgVersion).toMatch(/^1\.\d+\.\d+$/);
  });

  it('counts requests by route, not by path', async () => {
    await send('GET', '/indexes/one');
    await send('GET', '/indexes/two');
    const metrics = await fleet.app.inject({ method: 'GET', url: '/metrics' });
    expect(metrics.headers['content-type']).toContain('text/plain');
    expect(metrics.body).toContain(
      'miroir_request_duration_seconds_count{method="GET",route="/indexes/:indexUid",status="404"} 2',
    );
    expect(metrics.body).toMatch(/miroir_topology_epoch [1-9]/);
    expect(metrics.body).toContain('miroir_node_up{node="a"} 1');
  });

  it('lets browsers of every origin in', async () => {
    const preflight = await send('OPTIONS', '/indexes/a/search', undefined, {
      origin: 'http://shop.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers['access-control-allow-headers']).toBe('authorization,content-type');
    expect((await send('GET', '/health')).headers['access-control-allow-origin']).toBe('*');
  });

  it('knows neither unknown routes nor those that are not supported yet', async () => {
    expect(await send('GET', '/nonsense')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    for (const [method, url] of UNSUPPORTED_ROUTES) {
      const path = url.replace(/:[a-zA-Z]+/g, 'x');
      const answer = await send(String(method), path, method === 'GET' ? undefined : {});
      expect(answer.status, `${method} ${path}`).toBe(501);
      expect(answer.body.code).toBe('miroir_not_supported');
      expect(answer.body.message).toContain(path);
    }
  });

  it.each([
    ['', 'missing_payload', 'A json payload is missing.'],
    ['{"uid": "a"', 'malformed_payload', 'EOF while parsing an object at line 1 column 11'],
    ['{"uid": "a",}', 'malformed_payload', 'trailing comma at line 1 column 13'],
    ['{\n"uid": hello}', 'malformed_payload', 'expected value at line 2 column 8'],
    ['{"uid": "a"} {', 'malformed_payload', 'trailing characters at line 1 column 14'],
    ['{uid: "a"}', 'malformed_payload', 'key must be a string at line 1 column 2'],
    ['nope', 'malformed_payload', 'expected ident at line 1 column 2'],
  ])('refuses the body %j', async (payload, code, message) => {
    const answer = await send('POST', '/indexes', payload, { 'content-type': 'application/json' });
    const expected =
      code === 'missing_payload' ? message : `The json payload provided is malformed. \`${message}\`.`;
    expect(answer).toMatchObject({ status: 400, body: { code, message: expected, type: 'invalid_request' } });
  });

  it.each(['application/csv', 'text/plain', 'json', 'application', 'json/application'])(
    'refuses the content type %s',
    async (type) => {
      const answer = await send('POST', '/indexes', '{}', { 'content-type': type });
      expect(answer).toMatchObject({
        status: 415,
        body: {
          code: 'invalid_content_type',
          message: `The Content-Type \`${type}\` is invalid. Accepted values for the Content-Type header are: \`application/json\``,
        },
      });
    },
  );

  it('asks for a content type', async () => {
    const message =
      'A Content-Type header is missing. Accepted values for the Content-Type header are: `application/json`';
    for (const payload of ['{}', undefined]) {
      const answer = await send('PATCH', '/indexes/doggo/settings', payload);
      expect(answer).toMatchObject({ status: 415, body: { code: 'missing_content_type', message } });
    }
  });

  it('takes JSON with a charset, and compressed', async () => {
    const plain = await send('POST', '/indexes', '{"uid":"a"}', {
      'content-type': 'application/json; charset=utf-8',
    });
    expect(plain.status).toBe(202);
    const packed = await send('POST', '/indexes', gzipSync('{"uid":"b"}'), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    expect(packed.status).toBe(202);
  });

  it('refuses a body beyond the limit', async () => {
    const answer = await send('POST', '/indexes', { uid: 'a'.repeat(20_000) });
    expect(answer).toMatchObject({
      status: 413,
      body: {
        code: 'payload_too_large',
        message: 'The provided payload reached the size limit. The maximum accepted payload size is 10 KiB.',
      },
    });
  });

  it.each([
    [{ primaryKey: 'doggo' }, 'missing_index_uid', 'Missing field `uid`'],
    [
      { uid: 'the best doggo' },
      'invalid_index_uid',
      'Invalid value at `.uid`: `the best doggo` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.',
    ],
    [
      { uid: true },
      'invalid_index_uid',
      'Invalid value type at `.uid`: expected a string, but found a boolean: `true`',
    ],
    [
      { uid: 'doggo', primaryKey: ['the', 'best', 'doggo'] },
      'invalid_index_primary_key',
      'Invalid value type at `.primaryKey`: expected a string, but found an array: `["the","best","doggo"]`',
    ],
    [
      { uid: 'doggo', doggo: 'bernese' },
      'bad_request',
      'Unknown field `doggo`: expected one of `uid`, `primaryKey`',
    ],
  ])('refuses to create %j', async (body, code, message) => {
    expect(await send('POST', '/indexes', body)).toEqual(
      expect.objectContaining({
        status: 400,
        body: { message, code, type: 'invalid_request', link: link(code) },
      }),
    );
  });

  it.each([
    [
      { createdAt: 'doggo' },
      'immutable_index_created_at',
      'Immutable field `createdAt`: expected one of `primaryKey`, `uid`',
    ],
    [
      { updatedAt: 'doggo' },
      'immutable_index_updated_at',
      'Immutable field `updatedAt`: expected one of `primaryKey`, `uid`',
    ],
    [{ doggo: 'bork' }, 'bad_request', 'Unknown field `doggo`: expected one of `primaryKey`, `uid`'],
  ])('refuses to update with %j', async (body, code, message) => {
    expect((await send('PATCH', '/indexes/a', body)).body).toMatchObject({ code, message });
  });

  it.each([
    [
      '/indexes?offset=doggo',
      'invalid_index_offset',
      'Invalid value in parameter `offset`: could not parse `doggo` as a positive integer',
    ],
    ['/indexes?doggo=1', 'bad_request', 'Unknown parameter `doggo`: expected one of `offset`, `limit`'],
    [
      '/tasks?uids=1,dogo',
      'invalid_task_uids',
      'Invalid value in parameter `uids[1]`: could not parse `dogo` as a positive integer',
    ],
    [
      '/tasks?canceledBy=doggo',
      'invalid_task_canceled_by',
      'Invalid value in parameter `canceledBy`: could not parse `doggo` as a positive integer',
    ],
    [
      '/tasks?statuses=doggo',
      'invalid_task_statuses',
      'Invalid value in parameter `statuses`: `doggo` is not a valid task status. Available statuses are `enqueued`, `processing`, `succeeded`, `failed`, `canceled`.',
    ],
    [
      '/tasks?reverse=*',
      'invalid_task_reverse',
      'Invalid value in parameter `reverse`: could not parse `*` as a boolean, expected either `true` or `false`',
    ],
    [
      '/tasks?afterEnqueuedAt=doggo',
      'invalid_task_after_enqueued_at',
      'Invalid value in parameter `afterEnqueuedAt`: `doggo` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format.',
    ],
    [
      '/tasks?limit=-1',
      'invalid_task_limit',
      'Invalid value in parameter `limit`: could not parse `-1` as a positive integer',
    ],
    [
      '/tasks/doggo',
      'invalid_task_uid',
      'Task uid `doggo` is invalid. It should only contain numeric characters.',
    ],
    [
      '/indexes/the%20good%20doggo',
      'invalid_index_uid',
      '`the good doggo` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.',
    ],
  ])('refuses GET %s', async (url, code, message) => {
    expect(await send('GET', url)).toMatchObject({ status: 400, body: { code, message, link: link(code) } });
  });

  it('numbers writes, hides an index until its task succeeded, and fails what cannot be', async () => {
    const created = await send('POST', '/indexes', { uid: 'films', primaryKey: 'id' });
    expect(created).toMatchObject({
      status: 202,
      body: { taskUid: 0, indexUid: 'films', status: 'enqueued', type: 'indexCreation' },
    });
    expect(Object.keys(created.body)).toEqual(['taskUid', 'indexUid', 'status', 'type', 'enqueuedAt']);
    expect(await send('GET', '/indexes/films')).toMatchObject({
      status: 404,
      body: { code: 'index_not_found', message: 'Index `films` not found.' },
    });
    expect((await send('GET', '/indexes')).body).toEqual({ results: [], offset: 0, limit: 20, total: 0 });

    expect((await send('POST', '/indexes', { uid: 'films' })).body.taskUid).toBe(1);
    expect((await send('DELETE', '/indexes/nothing')).body.taskUid).toBe(2);
    expect((await send('PATCH', '/indexes/films', { primaryKey: 'other' })).body.taskUid).toBe(3);
    await deliver();
    expect((await send('GET', '/tasks/2')).body).toMatchObject({
      uid: 2,
      indexUid: 'nothing',
      type: 'indexDeletion',
      canceledBy: null,
      error: { code: 'index_not_found', message: 'Index `nothing` not found.' },
    });
    expect((await send('GET', '/indexes/films')).body).toMatchObject({ uid: 'films', primaryKey: 'id' });
    expect((await send('GET', '/tasks/0')).body).toMatchObject({
      batchUid: 0,
      status: 'succeeded',
      details: { primaryKey: 'id' },
      error: null,
      duration: expect.stringMatching(/^PT\d/),
    });
    expect((await send('GET', '/tasks/1')).body.error).toEqual({
      message: 'Index `films` already exists.',
      code: 'index_already_exists',
      type: 'invalid_request',
      link: link('index_already_exists'),
    });
    expect((await send('GET', '/tasks/3')).body.error.message).toBe(
      'Index `films`: Index already has a primary key: `id`.',
    );
    expect(await send('GET', '/tasks/9')).toMatchObject({
      status: 404,
      body: { code: 'task_not_found', message: 'Task `9` not found.' },
    });
  });

  it('lists tasks in pages', async () => {
    for (const uid of ['a', 'b', 'c']) await send('POST', '/indexes', { uid });
    await send('PATCH', '/indexes/a/settings', { stopWords: ['the'] });
    const first = (await send('GET', '/tasks?limit=2')).body;
    expect(first).toMatchObject({ total: 4, limit: 2, from: 3, next: 1 });
    expect(first.results.map((task: { uid: number }) => task.uid)).toEqual([3, 2]);
    expect(first.results[0]).toMatchObject({ type: 'settingsUpdate', details: { stopWords: ['the'] } });
    const second = (await send('GET', '/tasks?limit=2&from=1')).body;
    expect(second).toMatchObject({ from: 1, next: null });
    const filtered = (await send('GET', '/tasks?indexUids=a&types=indexCreation,settingsupdate')).body;
    expect(filtered.results.map((task: { uid: number }) => task.uid)).toEqual([3, 0]);
    expect((await send('GET', '/tasks?canceledBy=3')).body).toEqual({
      results: [],
      total: 0,
      limit: 20,
      from: null,
      next: null,
    });
    expect((await send('GET', '/tasks?reverse=true&limit=1')).body.results[0].uid).toBe(0);
  });

  it('creates an index by a settings change, but not by a reset', async () => {
    expect((await send('PUT', '/indexes/new/settings/stop-words', ['the'])).status).toBe(202);
    expect((await fleet.watcher.refresh()).indexes.map((index) => index.uid)).toEqual(['new']);
    expect((await send('DELETE', '/indexes/none/settings')).body.taskUid).toBe(1);
    await deliver();
    expect((await send('GET', '/tasks/1')).body.error.code).toBe('index_not_found');
    expect((await fleet.watcher.refresh()).indexes).toHaveLength(1);
    expect(await send('PATCH', '/indexes/new/settings', { doggo: 1 })).toMatchObject({
      status: 400,
      body: { code: 'bad_request' },
    });
    expect(await send('GET', '/indexes/none/settings')).toMatchObject({ status: 404 });
  });

  it('shows settings complete, merged and without hidden parts', async () => {
    await send('PATCH', '/indexes/a/settings', {
      filterableAttributes: ['x'],
      faceting: { maxValuesPerFacet: 7 },
    });
    await deliver();
    const all = (await send('GET', '/indexes/a/settings')).body;
    expect(all).toMatchObject({
      filterableAttributes: ['x'],
      displayedAttributes: ['*'],
      faceting: { maxValuesPerFacet: 7, sortFacetValuesBy: { '*': 'alpha' } },
    });
    expect(JSON.stringify(all)).not.toContain('_miroir');
    expect((await send('GET', '/indexes/a/settings/distinct-attribute')).body).toBeNull();
    expect((await send('GET', '/indexes/a/settings/prefix-search')).body).toBe('indexingTime');
    expect(await send('PUT', '/indexes/a/settings/stop-words', 'the')).toMatchObject({ status: 415 });
    expect(await send('PATCH', '/indexes/a/settings/stop-words', [])).toMatchObject({ status: 404 });
    await send('DELETE', '/indexes/a/settings/filterable-attributes');
    await deliver();
    expect((await send('GET', '/indexes/a/settings/filterable-attributes')).body).toEqual([]);
  });

  it('answers 503 for everything that needs the lease once it is gone', async () => {
    await fleet.watcher.stop();
    expect(await send('GET', '/health')).toMatchObject({ status: 503, body: { code: 'miroir_lease_lost' } });
    expect(await send('POST', '/indexes', { uid: 'a' })).toMatchObject({
      status: 503,
      body: { type: 'system' },
    });
  });
});

describe('with a master key', () => {
  beforeEach(async () => {
    fleet = await startFleet('secret');
  });

  it.each([
    [
      {},
      401,
      'missing_authorization_header',
      'The Authorization header is missing. It must use the bearer authorization method.',
    ],
    [
      { authorization: 'Basic secret' },
      401,
      'missing_authorization_header',
      'The Authorization header is missing. It must use the bearer authorization method.',
    ],
    [{ authorization: 'Bearer wrong' }, 403, 'invalid_api_key', 'The provided API key is invalid.'],
    [{ authorization: 'Bearer' }, 403, 'invalid_api_key', 'The provided API key is invalid.'],
  ])('refuses %j', async (headers, status, code, message) => {
    for (const [method, url] of [
      ['GET', '/indexes'],
      ['POST', '/indexes'],
      ['GET', '/keys'],
    ] as const) {
      const answer = await send(method, url, method === 'POST' ? 'not even json' : undefined, headers);
      expect(answer).toMatchObject({ status, body: { code, message, type: 'auth', link: link(code) } });
    }
  });

  it('lets the key in, and everybody to /health', async () => {
    expect((await send('GET', '/indexes', undefined, { authorization: 'Bearer secret' })).status).toBe(200);
    expect((await send('GET', '/health')).status).toBe(200);
  });
});
