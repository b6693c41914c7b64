// The document routes over a real store: what is staged and numbered, and what is refused before. Nothing delivers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../proxy/app.js';
import type { NodePool, ProxyContext } from '../../proxy/context.js';
import { registerDocumentRoutes } from '../../proxy/routes/documents.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { shardOf } from '../../shared/core/placement.js';
import { findIndex, shardMark, type Topology } from '../../shared/core/topology.js';
import { loadHash } from '../../shared/io/hash.js';
import { createLogger } from '../../shared/io/observe.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';

const SHARDS = 8;

let dir: string;
let store: Store;
let app: FastifyInstance;
let topology: Topology;
/** Called before each append: what another writer does meanwhile. */
let meanwhile: (() => Promise<void>) | null;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'miroir-write-'));
  store = await openStore(`sqlite:${join(dir, 'miroir.db')}`, { thread: false });
  await store.initialize({ clusterId: 'test', replicationFactor: 1, defaultShardCount: SHARDS });
  await store.addNode({ id: 'a', url: 'http://127.0.0.1:9' }, { adminKey: null, dataKey: null }, 'test');
  await store.setNodeState('a', 'active', 'test');
  topology = await store.readTopology();
  meanwhile = null;
  const watched = new Proxy(store, {
    get(target, name, receiver) {
      if (name !== 'appendEntry') return Reflect.get(target, name, receiver);
      return async (input: Parameters<Store['appendEntry']>[0]) => {
        const act = meanwhile;
        meanwhile = null;
        await act?.();
        return target.appendEntry(input);
      };
    },
  });
  const nodes: NodePool = { client: () => undefined, observe: () => {}, cost: () => 1 };
  const ctx: ProxyContext = {
    store: watched,
    watcher: {
      acquire: () => ({ topology, stillValid: () => true, release: () => {} }),
      refresh: async () => {
        topology = await store.readTopology();
        return topology;
      },
    },
    nodes,
    searches: new SearchTurns(),
    hash: await loadHash(),
    options: {
      proxyId: 'p',
      masterKey: null,
      adminApiKey: null,
      searchDeadlineMs: 500,
      unavailable: 'error',
      payloadLimitBytes: 8 * 1024 * 1024,
    },
    log: createLogger({ name: 'test', level: 'silent' }),
  };
  app = await buildApp(ctx, [registerDocumentRoutes]);
});

afterEach(async () => {
  await app.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about.
type Body = any;

async function send(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  payload?: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<{ status: number; body: Body }> {
  const answer = await app.inject({ method, url: `/indexes/${path}`, payload, headers });
  topology = await store.readTopology();
  return { status: answer.statusCode, body: answer.json() };
}

/** What a stream would deliver to the one node, entry by entry. */
async function journal(): Promise<{ kind: string; skipped: boolean; payloads: string[] }[]> {
  const takeover = await store.takeOverStream('a', 'test');
  const entries: { kind: string; skipped: boolean; payloads: string[] }[] = [];
  for (;;) {
    const limits = { entries: 100, bytes: 100_000_000 };
    const group = await store.readGroup('a', takeover!.generation, limits);
    if (group === null || group.entries.length === 0) return entries;
    for (const entry of group.entries) {
      const payloads = entry.parts.map((part) => Buffer.from(part.payload).toString());
      entries.push({ kind: entry.meta.kind, skipped: entry.skipped, payloads });
    }
    const outcomes = group.entries
      .filter((entry) => !entry.skipped)
      .map(({ seq }) => ({ seq, status: 'succeeded' as const, error: null, details: null }));
    await store.confirmEntries('a', takeover!.generation, group.entries.at(-1)!.seq, outcomes, true);
  }
}

describe('adding documents', () => {
  it('answers like Meilisearch, creates the index and stages the documents as they were written', async () => {
    const documents = [
      '{"id":9007199254740993,"n":1.0,"s":"\\u0041"}',
      '{"id":"b"}',
      '{ "id" : "c" , "x":[ 1 ] }',
    ];
    const { status, body } = await send('POST', 'movies/documents', `[${documents.join(',')}]`);
    expect(status).toBe(202);
    expect(Object.keys(body)).toEqual(['taskUid', 'indexUid', 'status', 'type', 'enqueuedAt']);
    expect(body).toMatchObject({
      taskUid: 0,
      indexUid: 'movies',
      status: 'enqueued',
      type: 'documentAdditionOrUpdate',
    });
    const index = findIndex(topology, 'movies')!;
    expect(index).toMatchObject({ primaryKey: 'id', shardCount: SHARDS, visible: false });

    const hash = await loadHash();
    const expected = documents.map((document, i) => {
      const id = ['9007199254740993', 'b', 'c'][i]!;
      return `${document.slice(0, -1)},"_miroir":"${shardMark(shardOf(id, SHARDS, hash))}"}`;
    });
    const [entry] = await journal();
    expect(entry!.payloads.join(',').length).toBe(expected.join(',').length);
    for (const document of expected) expect(entry!.payloads.join(',')).toContain(document);
  });

  it('keeps the order of documents with the same id', async () => {
    await send('POST', 'movies/documents', '[{"id":1,"v":1},{"id":1,"v":2},{"id":1,"v":3}]');
    const [entry] = await journal();
    const versions = [...entry!.payloads.join(',').matchAll(/"v":(\d)/g)].map((match) => match[1]);
    expect(versions).toEqual(['1', '2', '3']);
  });

  it('takes NDJSON, CSV and compressed payloads', async () => {
    const ndjson = { 'content-type': 'application/x-ndjson' };
    expect((await send('PUT', 'movies/documents', '{"id":1}\n{"id":2}', ndjson)).status).toBe(202);
    const csv = await send('POST', 'movies/documents?csvDelimiter=;', 'id:number;a\n3;x', {
      'content-type': 'text/csv',
    });
    expect(csv.status).toBe(202);
    const json = { 'content-type': 'application/json; charset=utf-8' };
    for (const [encoding, payload] of [
      ['gzip', gzipSync('[{"id":4}]')],
      ['br', brotliCompressSync('[{"id":5}]')],
    ] as const) {
      const answer = await send('POST', 'movies/documents', payload, {
        ...json,
        'content-encoding': encoding,
      });
      expect(answer.status).toBe(202);
    }
    const all = (await journal()).flatMap((entry) => entry.payloads).join(',');
    for (const text of ['"id":1', '"id":2', '"id":3,"a":"x"', '"id":4', '"id":5'])
      expect(all).toContain(text);
  });

  it('stages a large payload in pieces that lose nothing', async () => {
    const documents = Array.from({ length: 20_000 }, (_, i) => `{"id":${i},"text":"${'x'.repeat(150)}"}`);
    const answer = await send('POST', 'movies/documents', `[${documents.join(',\n')}]`);
    expect(answer.status).toBe(202);
    const [entry] = await journal();
    const delivered = JSON.parse(`[${entry!.payloads.join(',')}]`) as { id: number }[];
    expect(delivered.map((document) => document.id).sort((a, b) => a - b)).toEqual(
      documents.map((_, i) => i),
    );
    expect((await store.readTask(0))?.meta).toMatchObject({ receivedDocuments: 20_000 });
  });

  it('fails the whole task for one bad document, and delivers nothing', async () => {
    const { status, body } = await send('POST', 'movies/documents', '[{"id":1},{"id":"a b"},{"id":2}]');
    expect(status).toBe(202);
    const [entry] = await journal();
    expect(entry).toMatchObject({ skipped: true, payloads: [] });
    const task = await store.readTask(body.taskUid);
    expect(task?.meta).toMatchObject({ receivedDocuments: 3 });
    expect(findIndex(topology, 'movies')?.primaryKey).toBeNull();
  });

  it('refuses a malformed payload and leaves nothing behind', async () => {
    const good = Array.from({ length: 9_000 }, (_, i) => `{"id":${i},"text":"${'x'.repeat(150)}"}`).join(',');
    const { status, body } = await send('POST', 'movies/documents', `[${good},{id: 2}]`);
    expect([status, body.code]).toEqual([400, 'malformed_payload']);
    expect(body.message).toMatch(
      /^The `json` payload provided is malformed\. `Couldn't serialize document value: key must be a string at line 1 column \d+`\.$/,
    );
    expect(findIndex(topology, 'movies')).toBeUndefined();
    expect(await store.readHead()).toMatchObject({ journalPayloadBytes: 0 });
    expect((await store.listTasks({ limit: 10 })).total).toBe(0);
  });

  it.each<[string, string, Record<string, string>, number, string, string]>([
    [
      'movies/documents',
      '',
      { 'content-type': 'application/json' },
      400,
      'missing_payload',
      'A json payload is missing.',
    ],
    [
      'movies/documents',
      '',
      { 'content-type': 'text/csv' },
      400,
      'missing_payload',
      'A csv payload is missing.',
    ],
    [
      'movies/documents',
      '[]',
      { 'content-type': 'text/plain' },
      415,
      'invalid_content_type',
      'The Content-Type `text/plain` is invalid. Accepted values for the Content-Type header are: `application/json`, `application/x-ndjson`, `text/csv`',
    ],
    [
      'movies/documents?csvDelimiter=;',
      '[]',
      { 'content-type': 'application/json' },
      415,
      'invalid_content_type',
      'The Content-Type `application/json` does not support the use of a csv delimiter. The csv delimiter can only be used with the Content-Type `text/csv`.',
    ],
    [
      'movies/documents?csvDelimiter=;;',
      'a',
      { 'content-type': 'text/csv' },
      400,
      'invalid_document_csv_delimiter',
      'Invalid value in parameter `csvDelimiter`: expected a string of one character, but found the following string of 2 characters: `;;`',
    ],
    [
      'movies/documents?csvDelimiter=%C3%A9',
      'a',
      { 'content-type': 'text/csv' },
      400,
      'invalid_document_csv_delimiter',
      'csv delimiter must be an ascii character. Found: `é`',
    ],
    [
      'movies/documents?foo=1',
      '[]',
      { 'content-type': 'application/json' },
      400,
      'bad_request',
      'Unknown parameter `foo`: expected one of `primaryKey`, `csvDelimiter`, `customMetadata`, `skipCreation`',
    ],
    [
      'movies/documents?skipCreation=zz',
      '[]',
      { 'content-type': 'application/json' },
      400,
      'invalid_skip_creation',
      'skipCreation must be either `true` or `false`. Found: `zz`',
    ],
    [
      'a%20b/documents',
      '[]',
      { 'content-type': 'application/json' },
      400,
      'invalid_index_uid',
      '`a b` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.',
    ],
    [
      'movies/documents',
      '[{"id":1}]',
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      400,
      'bad_request',
      'The provided payload is incomplete and cannot be parsed',
    ],
  ])('refuses %s with %j as Meilisearch does', async (path, payload, headers, status, code, message) => {
    const answer = await send('POST', path, payload, headers);
    expect([answer.status, answer.body.code, answer.body.message]).toEqual([status, code, message]);
  });

  it('refuses a body over the limit', async () => {
    const answer = await send('POST', 'movies/documents', `[${' '.repeat(8 * 1024 * 1024)}]`);
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large']);
    expect(answer.body.message).toBe(
      'The provided payload reached the size limit. The maximum accepted payload size is 8 MiB.',
    );
  });

  it('reads a small payload again when another write chose another primary key first', async () => {
    meanwhile = async () => {
      await send('POST', 'movies/documents', '[{"sku_id":1}]');
    };
    const { status, body } = await send(
      'POST',
      'movies/documents',
      '[{"id":7,"sku_id":2}]'.replace('"id"', '"Xid"').replace(',"sku_id":2', ''),
    );
    expect([status, body.taskUid]).toEqual([202, 1]);
    const [, second] = await journal();
    expect(second).toMatchObject({ skipped: true });
    expect(findIndex(topology, 'movies')?.primaryKey).toBe('sku_id');
  });

  it('lets two first writes that agree both succeed', async () => {
    meanwhile = async () => {
      await send('POST', 'movies/documents', '[{"id":1}]');
    };
    expect((await send('POST', 'movies/documents', '[{"id":2}]')).status).toBe(202);
    expect((await journal()).map((entry) => entry.skipped)).toEqual([false, false]);
    expect(topology.indexes).toHaveLength(1);
  });

  it('asks for a large payload again when its index was recreated meanwhile', async () => {
    await send('POST', 'movies/documents', '[{"id":1}]');
    meanwhile = async () => {
      await app.inject({ method: 'DELETE', url: '/indexes/movies' });
      await send('POST', 'movies/documents', '[{"sku_id":1}]');
    };
    const large = Array.from({ length: 9_000 }, (_, i) => `{"id":${i},"text":"${'x'.repeat(150)}"}`).join(
      ',',
    );
    const { status, body } = await send('POST', 'movies/documents', `[${large}]`);
    expect([status, body.code]).toEqual([503, 'miroir_topology_changed']);
    expect((await store.listTasks({ limit: 10 })).total).toBe(3);
  });
});

describe('deleting documents', () => {
  beforeEach(async () => {
    await send('POST', 'movies/documents', '[{"id":1},{"id":2}]');
  });

  it('splits ids by shard, numbers as they are written', async () => {
    const answer = await send(
      'POST',
      'movies/documents/delete-batch',
      '[1, "2", 9007199254740993, {"a":1.50}, "a b"]',
    );
    expect(answer.body).toMatchObject({ taskUid: 1, type: 'documentDeletion' });
    expect((await store.readTask(1))?.meta).toMatchObject({ mode: 'ids', providedIds: 5 });
    const [, entry] = await journal();
    expect(JSON.parse(`[${entry!.payloads.join(',')}]`).sort()).toEqual(['1', '2', '9007199254740993']);
    expect((await send('DELETE', 'movies/documents/1')).body).toMatchObject({
      taskUid: 2,
      type: 'documentDeletion',
    });
  });

  it('journals the deletion of everything and by filter', async () => {
    expect((await send('DELETE', 'movies/documents')).body).toMatchObject({ taskUid: 1 });
    expect((await store.readTask(1))?.meta).toMatchObject({ mode: 'all' });
    const answer = await send('POST', 'movies/documents/delete', '{"filter":["a = 1"]}');
    expect(answer.body).toMatchObject({ taskUid: 2, type: 'documentDeletion' });
    expect((await store.readTask(2))?.meta).toMatchObject({ mode: 'filter', filter: '["a = 1"]' });
  });

  it('fails the task for an unknown index', async () => {
    const { body } = await send('DELETE', 'nope/documents');
    await journal();
    expect((await store.listTasks({ limit: 1 })).rows[0]).toMatchObject({
      uid: body.taskUid,
      indexUid: 'nope',
    });
    expect(findIndex(topology, 'nope')).toBeUndefined();
  });

  it.each([
    ['{}', 'missing_document_filter', 'Missing field `filter`'],
    [
      '{"filter":null}',
      'invalid_document_filter',
      'Invalid syntax for the filter parameter: `expected String, Array, found: null`.',
    ],
    [
      '{"filter":{"a":1}}',
      'invalid_document_filter',
      'Invalid syntax for the filter parameter: `expected String, Array, found: {"a":1}`.',
    ],
    ['{"filter":" "}', 'invalid_document_filter', 'Sending an empty filter is forbidden.'],
    ['{"filter":[]}', 'invalid_document_filter', 'Sending an empty filter is forbidden.'],
    ['{"filter":"a=1","b":1}', 'bad_request', 'Unknown field `b`: expected one of `filter`'],
    ['[]', 'bad_request', 'Invalid value type: expected an object, but found an array: `[]`'],
  ])('refuses to delete by %s', async (payload, code, message) => {
    const answer = await send('POST', 'movies/documents/delete', payload);
    expect([answer.status, answer.body.code, answer.body.message]).toEqual([400, code, message]);
  });
});
