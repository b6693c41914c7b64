// The embedded engine over HTTP, as a real process: what it acknowledged survives kill -9, and its writes are Meilisearch's.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ask,
  type CompiledEngine,
  compileEngine,
  finished,
  startEngine,
  write,
} from '../support/engine-process.js';
import type { TestProcess } from '../support/process.js';

const MASTER_KEY = 'a-master-key-for-tests';

let compiled: CompiledEngine;
let dbPath: string;
let url: string;
let child: TestProcess;

beforeAll(async () => {
  compiled = await compileEngine();
});
afterAll(() => compiled.remove());

async function start(options: { masterKey?: string } = {}): Promise<void> {
  ({ url, process: child } = await startEngine(compiled, { dbPath, faults: true, ...options }));
}

async function restart(
  signal: NodeJS.Signals = 'SIGKILL',
  options: { masterKey?: string } = {},
): Promise<void> {
  await child.end(signal);
  await start(options);
}

beforeEach(() => {
  dbPath = mkdtempSync(join(tmpdir(), 'miroir-engine-'));
});
afterEach(async () => {
  await child.end('SIGKILL');
  rmSync(dbPath, { recursive: true });
});

const documents = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: from + at, title: `document ${from + at}` }));

describe('durability', () => {
  test('kill -9 loses no acknowledged write, and keeps their order', async () => {
    await start();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        ask(url, 'POST', '/indexes/a/documents', { body: documents(at * 5, 5) }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(202));
    const last = await ask(url, 'PUT', '/indexes/a/documents', { body: [{ id: 0, title: 'last' }] });
    await restart();
    expect(await finished(url, last.json.taskUid)).toMatchObject({ status: 'succeeded' });
    expect((await ask(url, 'GET', '/indexes/a/stats')).json.numberOfDocuments).toBe(200);
    expect((await ask(url, 'GET', '/indexes/a/documents/0')).json.title).toBe('last');
    const { json } = await ask(url, 'GET', '/tasks?limit=100');
    expect(json.total).toBe(41);
    const next = await ask(url, 'DELETE', '/indexes/a/documents/1');
    expect(next.json.taskUid).toBe(41);
  });

  test('a long history, with deletes by filter in it, is all there after kill -9', async () => {
    await start();
    await write(url, 'POST', '/indexes', { uid: 'a', primaryKey: 'id' });
    await write(url, 'PATCH', '/indexes/a/settings', { filterableAttributes: ['group'] });
    const rounds = 25;
    for (let round = 0; round < rounds; round++) {
      const bodies = Array.from({ length: 40 }, (_, at) => [{ id: at, group: at % 10, round }]);
      await Promise.all(bodies.map((body) => ask(url, 'POST', '/indexes/a/documents', { body })));
      await ask(url, 'POST', '/indexes/a/documents/delete', { body: { filter: `group = ${round % 10}` } });
    }
    const last = await ask(url, 'PUT', '/indexes/a/documents', { body: [{ id: 0, round: 'last' }] });
    await restart();
    expect(await finished(url, last.json.taskUid)).toMatchObject({ status: 'succeeded' });
    const { json } = await ask(url, 'GET', '/indexes/a/documents?limit=100');
    const kept = Array.from({ length: 40 }, (_, id) => id).filter((id) => id % 10 !== (rounds - 1) % 10);
    expect(json.results.map(({ id }: { id: number }) => id).sort((a: number, b: number) => a - b)).toEqual(
      kept,
    );
    expect(json.results.find(({ id }: { id: number }) => id === 0)).toEqual({
      id: 0,
      group: 0,
      round: 'last',
    });
    const tasks = (await ask(url, 'GET', '/tasks?statuses=succeeded&limit=0')).json;
    expect(tasks.total).toBe(rounds * 41 + 3);
  });

  test.each(['after-enqueue', 'before-apply', 'during-apply'])(
    'killed at %s, the task runs after the restart',
    async (point) => {
      await start();
      await write(url, 'POST', '/indexes', { uid: 'a', primaryKey: 'id' });
      await ask(url, 'POST', '/__faults', {
        body: { point, match: { type: 'documentAdditionOrUpdate' }, action: 'kill' },
      });
      await ask(url, 'POST', '/indexes/a/documents', { body: documents(0, 3) }).catch(() => null);
      await expect.poll(() => child.isRunning(), { timeout: 20_000 }).toBe(false);
      await start();
      expect(await finished(url, 1)).toMatchObject({ status: 'succeeded', details: { indexedDocuments: 3 } });
      expect((await ask(url, 'GET', '/indexes/a/stats')).json.numberOfDocuments).toBe(3);
    },
  );

  test('renames, deletions, settings and keys are kept; a torn record is not', async () => {
    await start({ masterKey: MASTER_KEY });
    const w = (method: string, path: string, body?: unknown) => write(url, method, path, body, MASTER_KEY);
    await w('POST', '/indexes/a/documents', documents(0, 10));
    await w('PATCH', '/indexes/a/settings', { sortableAttributes: ['id'], stopWords: ['the'] });
    await w('PATCH', '/indexes/a', { uid: 'b' });
    await w('POST', '/indexes/b/documents/delete-batch', [1, '2', 99]);
    await w('POST', '/indexes/gone/documents', documents(0, 1));
    await w('DELETE', '/indexes/gone');
    const uid = '0a6f7c2e-2f8e-4b19-9a39-0d3c1a5e7f10';
    const body = { uid, actions: ['search'], indexes: ['b'], expiresAt: null };
    const created = await ask(url, 'POST', '/keys', { body, key: MASTER_KEY });
    await child.end('SIGKILL');
    appendFileSync(join(dbPath, 'engine.log'), Buffer.from([20, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3]));
    await start({ masterKey: MASTER_KEY });
    const get = async (path: string) => (await ask(url, 'GET', path, { key: MASTER_KEY })).json;
    expect((await get('/indexes')).results.map((index: { uid: string }) => index.uid)).toEqual(['b']);
    expect(await get('/indexes/b/stats')).toMatchObject({ numberOfDocuments: 8 });
    expect(await get('/indexes/b/settings')).toMatchObject({
      sortableAttributes: ['id'],
      stopWords: ['the'],
    });
    expect(await get(`/keys/${uid}`)).toEqual(created.json);
    expect((await get('/tasks?limit=100')).results.map((task: { status: string }) => task.status)).toEqual(
      Array(6).fill('succeeded'),
    );
    await restart('SIGTERM', { masterKey: MASTER_KEY });
    expect(await get('/indexes/b/stats')).toMatchObject({ numberOfDocuments: 8 });
  });

  test('a disk that is full fails the task, for good', async () => {
    await start();
    await write(url, 'POST', '/indexes', { uid: 'a', primaryKey: 'id' });
    const fault = { point: 'before-apply', match: { indexUid: 'a' }, action: 'fail-disk-full' };
    await ask(url, 'POST', '/__faults', { body: fault });
    const failed = await write(url, 'POST', '/indexes/a/documents', documents(0, 3));
    expect(failed).toMatchObject({
      status: 'failed',
      details: { receivedDocuments: 3, indexedDocuments: 0 },
      error: { code: 'no_space_left_on_device', type: 'system' },
    });
    expect(await write(url, 'POST', '/indexes/a/documents', documents(7, 1))).toMatchObject({
      status: 'succeeded',
    });
    await restart();
    expect((await ask(url, 'GET', `/tasks/${failed.uid}`)).json).toEqual(failed);
    expect((await ask(url, 'GET', '/indexes/a/stats')).json.numberOfDocuments).toBe(1);
  });

  test('a dropped response leaves the task', async () => {
    await start();
    await ask(url, 'POST', '/__faults', { body: { point: 'drop-response' } });
    await expect(ask(url, 'POST', '/indexes/a/documents', { body: documents(0, 1) })).rejects.toThrow();
    expect(await finished(url, 0)).toMatchObject({ status: 'succeeded' });
  });

  test('a stalled task holds the queue, not the reading', async () => {
    await start();
    await write(url, 'POST', '/indexes/a/documents', documents(0, 1));
    await ask(url, 'POST', '/__faults', { body: { point: 'before-apply', action: 'stall' } });
    const stalled = await ask(url, 'POST', '/indexes/a/documents', { body: documents(1, 1) });
    const waiting = await ask(url, 'DELETE', '/indexes/a');
    expect((await ask(url, 'POST', '/indexes/a/search', { body: {} })).json.estimatedTotalHits).toBe(1);
    expect((await ask(url, 'GET', `/tasks/${waiting.json.taskUid}`)).json.status).toBe('enqueued');
    await restart();
    expect(await finished(url, stalled.json.taskUid)).toMatchObject({ status: 'succeeded' });
    expect(await finished(url, waiting.json.taskUid)).toMatchObject({ details: { deletedDocuments: 2 } });
  });
});

describe('documents', () => {
  test('keep their text through writes, merges, reads and searches', async () => {
    await start();
    const text = '{"id":9007199254740993,"one":1.0,"z":"\\u00e9","a":{"k":[1,2.50]}}';
    await write(
      url,
      'POST',
      '/indexes/raw/documents?primaryKey=id',
      `[\n  ${text.replaceAll(',', ' , ')}\n]`,
    );
    await write(url, 'PUT', '/indexes/raw/documents', '{"id":9007199254740993,"new":1e2}');
    const expected = `${text.slice(0, -1)},"new":1e2}`;
    expect((await ask(url, 'GET', '/indexes/raw/documents/9007199254740993')).text).toBe(expected);
    const fetched = await ask(url, 'POST', '/indexes/raw/documents/fetch', {
      body: '{"ids":[9007199254740993]}',
    });
    expect(fetched.text).toContain(`"results":[${expected}]`);
    expect((await ask(url, 'POST', '/indexes/raw/search', { body: {} })).text).toContain(
      `"hits":[${expected}]`,
    );
    await restart();
    expect((await ask(url, 'GET', '/indexes/raw/documents/9007199254740993')).text).toBe(expected);
  });

  test('come as NDJSON, and are written all or none', async () => {
    await start();
    const body = '{"id":1}\n{"id":2}\n\n{"id":3}';
    const { json } = await ask(url, 'POST', '/indexes/a/documents?customMetadata=m%3A1', {
      body,
      type: 'application/x-ndjson',
    });
    expect(await finished(url, json.taskUid)).toMatchObject({
      customMetadata: 'm:1',
      details: { indexedDocuments: 3 },
    });
    const failed = await write(url, 'POST', '/indexes/a/documents', [{ id: 4 }, { id: 'not valid' }]);
    expect(failed.error.code).toBe('invalid_document_id');
    expect((await ask(url, 'GET', '/indexes/a/stats')).json.numberOfDocuments).toBe(3);
  });

  test('are deleted by filter within the hidden membership', async () => {
    await start();
    await write(url, 'PATCH', '/indexes/a/settings', { filterableAttributes: ['_miroir', 'n'] });
    const all = Array.from({ length: 64 }, (_, id) => ({ id, n: id % 4, _miroir: id % 2 ? '!!#' : '!!%' }));
    await write(url, 'POST', '/indexes/a/documents', all);
    const filter = '(n = 1 OR n = 2) AND _miroir IN ["!!#"]';
    expect(await write(url, 'POST', '/indexes/a/documents/delete', { filter })).toMatchObject({
      details: { deletedDocuments: 16, originalFilter: JSON.stringify(filter) },
    });
    const search = await ask(url, 'POST', '/indexes/a/search', {
      body: { filter: '_miroir = "!!#"', q: '' },
    });
    expect(search.json.estimatedTotalHits).toBe(16);
    expect(
      (await ask(url, 'POST', '/indexes/a/search', { body: { q: '!!#' } })).json.estimatedTotalHits,
    ).toBe(48);
  });
});

describe('keys', () => {
  const uid = '6062abda-a5aa-4414-ac91-ecd7944c0f8d';
  const actions = ['documents.add', 'documents.get', 'documents.delete', 'search', 'tasks.get'];

  test('a second creator of a uid gets a conflict, even at the same time', async () => {
    await start({ masterKey: MASTER_KEY });
    const body = { uid, actions, indexes: ['*'], expiresAt: null };
    const answers = await Promise.all([1, 2].map(() => ask(url, 'POST', '/keys', { body, key: MASTER_KEY })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(answers.find(({ status }) => status === 409)!.json.code).toBe('api_key_already_exists');
  });

  test('a key without indexes.create writes to what exists only: renaming fences it off', async () => {
    await start({ masterKey: MASTER_KEY });
    const body = { uid, actions, indexes: ['*'], expiresAt: null };
    const { key } = (await ask(url, 'POST', '/keys', { body, key: MASTER_KEY })).json;
    await write(url, 'POST', '/indexes', { uid: 'a--1-1', primaryKey: 'id' }, MASTER_KEY);
    expect(await write(url, 'POST', '/indexes/a--1-1/documents', documents(0, 1), key)).toMatchObject({
      status: 'succeeded',
    });
    await write(url, 'PATCH', '/indexes/a--1-1', { uid: 'a--1-2' }, MASTER_KEY);
    const late = await write(url, 'POST', '/indexes/a--1-1/documents', documents(1, 1), key);
    expect(late).toMatchObject({
      status: 'failed',
      error: { code: 'index_not_found', message: 'Index `a--1-1` not found.' },
    });
    const listed = await ask(url, 'GET', '/indexes', { key: MASTER_KEY });
    expect(listed.json.results.map((index: { uid: string }) => index.uid)).toEqual(['a--1-2']);
  });

  test('are required, checked, and gone when deleted', async () => {
    await start({ masterKey: MASTER_KEY });
    const search = (key: string | null) => ask(url, 'POST', '/indexes/a/search', { body: {}, key });
    expect((await search(null)).json.code).toBe('missing_authorization_header');
    expect((await search('wrong')).json.code).toBe('invalid_api_key');
    const body = { uid, actions: ['search'], indexes: ['b*'], expiresAt: null };
    const { key } = (await ask(url, 'POST', '/keys', { body, key: MASTER_KEY })).json;
    expect((await search(key)).status).toBe(403);
    expect((await ask(url, 'POST', '/indexes/bb/search', { body: {}, key })).json.code).toBe(
      'index_not_found',
    );
    expect((await ask(url, 'DELETE', `/keys/${uid}`, { key: MASTER_KEY })).status).toBe(204);
    expect((await ask(url, 'POST', '/indexes/bb/search', { body: {}, key })).json.code).toBe(
      'invalid_api_key',
    );
  });
});

test('concurrent writes get gapless task uids and are all applied', async () => {
  await start();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, id) => ask(url, 'PUT', '/indexes/a/documents', { body: { id, n: 1 } })),
  );
  const uids = answers.map(({ json }) => json.taskUid as number);
  expect([...uids].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, at) => at));
  await finished(url, 299);
  expect((await ask(url, 'GET', '/indexes/a/stats')).json.numberOfDocuments).toBe(300);
});
