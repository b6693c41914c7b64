// The proxy's app over a real store: bodies, indexes, settings and tasks in Meilisearch's shapes. No node is needed:
// nothing here delivers.
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UNSUPPORTED_ROUTES } from '../../proxy/unsupported.js';
import { deliver, link, type ProxyApp, send as sendTo, startProxyApp } from '../support/proxy-app.js';

type Call = Parameters<typeof sendTo> extends [unknown, ...infer Rest] ? Rest : never;
let fleet: ProxyApp;
const send = (...call: Call) => sendTo(fleet, ...call);

afterEach(() => fleet.stop());

describe('without a master key', () => {
  beforeEach(async () => {
    fleet = await startProxyApp(null);
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
    // Without a body, as Meilisearch answers; a wrong method is 405.
    expect(await send('GET', '/nonsense')).toMatchObject({ status: 404, body: null });
    expect(await send('POST', '/health', {})).toMatchObject({ status: 405, body: null });
    expect(await send('GET', '/_miroir/nonsense')).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
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
    await deliver(fleet);
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
    await deliver(fleet);
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
    await deliver(fleet);
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
    expect(await send('PATCH', '/indexes/a/settings/stop-words', [])).toMatchObject({ status: 405 });
    await send('DELETE', '/indexes/a/settings/filterable-attributes');
    await deliver(fleet);
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
