// The embedded engine beside a real Meilisearch (MIROIR_MEILISEARCH_BIN): the same small requests, in order, must give
// the same status, shape and, but for times and sizes, the same answer on both.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask,
  type CompiledEngine,
  compileEngine,
  finished,
  type Json,
  startEngine,
} from '../support/engine-process.js';
import { type NodeProcess, onRealMeilisearch, startNode } from '../support/node-process.js';
import type { TestProcess } from '../support/process.js';

const MASTER_KEY = 'a-master-key-for-tests';
const KEY_UID = '6062abda-a5aa-4414-ac91-ecd7944c0f8d';
const RULES = ['words', 'typo', 'proximity', 'attributeRank', 'sort', 'wordPosition', 'exactness', 'id:asc'];
const VOLATILE = new Set([
  'avgDocumentSize',
  'batchUid',
  'createdAt',
  'databaseSize',
  'duration',
  'enqueuedAt',
  'finishedAt',
  'lastUpdate',
  'processingTimeMs',
  'rawDocumentDbSize',
  'requestUid',
  'startedAt',
  'updatedAt',
  'usedDatabaseSize',
]);

const DOCUMENTS = [
  {
    id: 1,
    title: 'Sunny flower garden',
    genre: ['a', 'b'],
    price: 10.5,
    nested: { color: 'red' },
    _miroir: '!!#',
  },
  {
    id: 2,
    title: 'The garden of flowers, sunny days',
    genre: ['B'],
    price: 3,
    nested: { color: 'Blue' },
    _miroir: '!!%',
  },
  { id: 3, title: 'Café au lait', genre: [], price: null, _miroir: '!!#' },
  { id: 4, title: 'sunflower fields forever', genre: 'c', price: 'cheap', _miroir: '!!&' },
  { id: 5, title: 'Gardn of eden', price: 7, _miroir: '!!&', empty: '' },
];
const SETTINGS = {
  filterableAttributes: ['genre', 'price', 'nested.color', '_miroir', 'empty'],
  sortableAttributes: ['id', 'price'],
  rankingRules: RULES,
};
const FILTERS = [
  ...['price > 5', 'price 3 TO 8', 'price = cheap', 'genre = b', 'genre IN [a, C]', 'NOT genre = a'],
  ...['genre != a AND price EXISTS', 'price IS NULL', 'genre IS EMPTY', 'empty IS EMPTY', 'price NOT EXISTS'],
  ...['nested.color = blue', '(genre = a OR price = 7) AND _miroir IN ["!!#","!!&"]', 'genre NOT IN [a]', ''],
  ...['price IS NOT NULL', "genre = 'b'", 'genre STARTS WITH c', 'price >', 'title & Glass', 'genre'],
  ...[
    'genre = a XOR price = 1',
    'genre IN a',
    '(genre = a',
    'AND = 1',
    5,
    ['price > 1', ['genre=a', 'genre=c']],
  ],
];
const QUERIES = [
  ...[
    'garden',
    'sunny garden',
    'gardn',
    'flowr',
    'sun',
    'cafe',
    '"garden of"',
    'garden -sunny',
    'sunny flower',
  ],
  ...[
    '"sunny flower" garden',
    'zzz',
    'forever fields',
    'days',
    'the garden of flowers, sunny days',
    'eden gardn',
  ],
];
const DETAILS = { showRankingScore: true, showRankingScoreDetails: true, attributesToRetrieve: ['id'] };
const SEARCHES: Record<string, unknown>[] = [
  ...FILTERS.map((filter) => ({ filter, sort: ['id:asc'] })),
  ...QUERIES.map((q) => ({ q, ...DETAILS })),
  { q: 'garden', sort: ['price:asc'], ...DETAILS },
  { sort: ['price:desc'], ...DETAILS },
  { facets: ['genre', 'price'] },
  { facets: ['*'] },
  { facets: ['zz'] },
  { sort: ['title:asc'] },
  { sort: ['title'] },
  { distinct: 'genre' },
  { distinct: 'title' },
  { page: 1, hitsPerPage: 2 },
  { page: 2, hitsPerPage: 2 },
  { hitsPerPage: 0 },
  { limit: 2, offset: 4 },
  { limit: 'x' },
  { unknown: 1 },
  { q: 'sun', attributesToHighlight: ['*'], attributesToRetrieve: ['id', 'title', 'price'] },
  { q: 'garden', attributesToCrop: ['title'], cropLength: 2, attributesToRetrieve: ['title'] },
  { q: 'café', showMatchesPosition: true },
  { q: 'garden sunny', matchingStrategy: 'all' },
  { matchingStrategy: 'x' },
  { q: 'garden', attributesToSearchOn: ['genre'] },
  { q: 'garden', rankingScoreThreshold: 0.99 },
  { q: 'garden', rankingScoreThreshold: 2 },
];

type Step = [method: string, path: string, body?: unknown, key?: 'none' | 'wrong' | 'data'];
const BEFORE: Step[] = [
  ['GET', '/health'],
  ['POST', '/indexes', { uid: 'm', primaryKey: 'id' }],
  ['POST', '/indexes', { uid: 'm' }],
  ['POST', '/indexes', {}],
  ['POST', '/indexes', { uid: 'a b' }],
  ['GET', '/indexes'],
  ['GET', '/indexes/m'],
  ['GET', '/indexes/nope'],
  ['GET', '/indexes/m/settings'],
  ['PATCH', '/indexes/m/settings', SETTINGS],
  ['GET', '/indexes/m/settings'],
  ['PATCH', '/indexes/m/settings', { foo: 1 }],
  ['PATCH', '/indexes/m/settings', { searchableAttributes: 'x' }],
  ['PATCH', '/indexes/m/settings', { rankingRules: ['x'] }],
  ['POST', '/indexes/m/documents?customMetadata=hello', DOCUMENTS],
  ['POST', '/indexes/m/documents', [{ x: 1 }]],
  ['POST', '/indexes/m/documents', [{ id: 'a b' }]],
  ['POST', '/indexes/m/documents?primaryKey=other', [{ other: 1 }]],
  ['POST', '/indexes/m/documents', ''],
  ['POST', '/indexes/m/documents', '"x"'],
  ['POST', '/indexes/m/documents', '[]'],
  ['POST', '/indexes/nopk/documents', [{ a: 1 }]],
  ['POST', '/indexes/nopk2/documents', [{ id: 1, xid: 2 }]],
  ['POST', '/indexes/raw/documents?primaryKey=id', '[{"id": 9007199254740993, "n":1.0}]'],
  ['GET', '/indexes/raw/documents/9007199254740993'],
  ['POST', '/indexes/raw/documents/fetch', '{"ids":[9007199254740993]}'],
  ['GET', '/indexes/m/documents?fields=id'],
  ['POST', '/indexes/m/documents/fetch', { filter: '_miroir IN ["!!#"]', limit: 1 }],
  ['POST', '/indexes/m/documents/fetch', { ids: ['1', '3', 99] }],
  ['POST', '/indexes/m/documents/fetch', { sort: ['id:desc'] }],
  ['POST', '/indexes/m/documents/fetch', { ids: ['a b'] }],
  ['POST', '/indexes/m/documents/fetch', { filter: 'title = x' }],
  ['POST', '/indexes/m/documents/fetch', { limit: 'x' }],
  ['GET', '/indexes/m/documents/99'],
  ['GET', '/indexes/nope/documents/99'],
];
const AFTER: Step[] = [
  ['GET', '/indexes/m/search?q=garden&limit=1&filter=price%3E5&sort=price:asc'],
  ['GET', '/indexes/m/search?limit=x'],
  ['POST', '/multi-search', { queries: [{ indexUid: 'm', q: 'garden' }, { indexUid: 'raw' }] }],
  ['POST', '/multi-search', { queries: [{ q: 'x' }] }],
  ['POST', '/multi-search', { queries: [{ indexUid: 'nono' }] }],
  ['GET', '/stats'],
  ['GET', '/indexes/m/stats'],
  ['PUT', '/indexes/m/documents', [{ id: 1, price: 11, extra: 1 }]],
  ['GET', '/indexes/m/documents/1'],
  ['PUT', '/indexes/m/documents?skipCreation=true', [{ id: 77, price: 11 }]],
  ['GET', '/indexes/m/documents/77'],
  ['DELETE', '/indexes/m/documents/2'],
  ['DELETE', '/indexes/m/documents/2'],
  ['POST', '/indexes/m/documents/delete-batch', [3, '4']],
  ['POST', '/indexes/m/documents/delete', { filter: 'price > 10' }],
  ['POST', '/indexes/m/documents/delete', { filter: 'zz > 10' }],
  ['POST', '/indexes/m/documents/delete', {}],
  ['POST', '/indexes/m/documents/delete', { filter: '' }],
  ['POST', '/indexes/m/documents/delete', { filter: 'doggo' }],
  ['DELETE', '/indexes/m/documents'],
  ['DELETE', '/indexes/nope/documents/1'],
  ['DELETE', '/indexes/nope/documents'],
  ['PATCH', '/indexes/m', { uid: 'm2' }],
  ['GET', '/indexes/m'],
  ['GET', '/indexes/m2'],
  ['PATCH', '/indexes/m2', { uid: 'raw' }],
  ['PATCH', '/indexes/raw', { primaryKey: 'n' }],
  ['PATCH', '/indexes/nope', { uid: 'nope2' }],
  ['PATCH', '/indexes/m2/settings/typo-tolerance', { enabled: false }],
  ['GET', '/indexes/m2/settings/typo-tolerance'],
  ['PUT', '/indexes/m2/settings/searchable-attributes', ['title']],
  ['DELETE', '/indexes/m2/settings/searchable-attributes'],
  ['DELETE', '/indexes/m2/settings'],
  ['DELETE', '/indexes/nope/settings'],
  ['GET', '/tasks?limit=2&statuses=failed'],
  ['GET', '/tasks?uids=0,1&reverse=true'],
  ['GET', '/tasks?limit=x'],
  ['GET', '/tasks?statuses=x'],
  ['GET', '/tasks/99999'],
  ['GET', '/tasks/abc'],
  [
    'POST',
    '/keys',
    { uid: KEY_UID, actions: ['documents.add', 'search', 'tasks.get'], indexes: ['m*'], expiresAt: null },
  ],
  ['POST', '/keys', { uid: KEY_UID, actions: ['*'], indexes: ['*'], expiresAt: null }],
  ['POST', '/keys', { actions: ['*'] }],
  ['PATCH', `/keys/${KEY_UID}`, { description: 'd' }],
  ['PATCH', `/keys/${KEY_UID}`, { actions: [] }],
  ['GET', '/keys/unknown'],
  ['POST', '/indexes/mnew/documents', [{ id: 1 }], 'data'],
  ['POST', '/indexes/other/documents', [{ id: 1 }], 'data'],
  ['GET', '/indexes/m2/search', undefined, 'data'],
  ['GET', '/indexes/m2', undefined, 'data'],
  ['GET', '/indexes/m2', undefined, 'none'],
  ['GET', '/indexes/m2', undefined, 'wrong'],
  ['DELETE', `/keys/${KEY_UID}`],
  ['GET', '/indexes/m2/search', undefined, 'data'],
  ['DELETE', '/indexes/m2'],
  ['DELETE', '/indexes/m2'],
  ['GET', '/nothing'],
];

/** What registers the names of fields, and so gives the keys of documents their order; in the order of keys as well. */
const FIELDS: Step[] = [
  ['POST', '/indexes', { uid: 'fields' }],
  // As streams do it: names before the primary key, which has its place among them, and no document.
  [
    'POST',
    '/indexes/fields/documents?skipCreation=true&primaryKey=title',
    [{ title: 'x', id: null, zebra: null, apple: null, _vectors: null }],
  ],
  ['PATCH', '/indexes/fields', { primaryKey: 'id' }],
  ['GET', '/indexes/fields/documents'],
  [
    'POST',
    '/indexes/fields/documents',
    [{ apple: 1, id: 1, later: 2, title: 'a', 'dotted.name': 3, zebra: 4 }],
  ],
  [
    'POST',
    '/indexes/fields/documents?skipCreation=true&primaryKey=id',
    [{ id: 'none', kiwi: null, fig: null }],
  ],
  ['PUT', '/indexes/fields/documents', [{ fig: 1, id: 1, kiwi: 2 }]],
  ['POST', '/indexes/fields/documents', [{ bad: 1, id: 'not an id!' }]],
  ['POST', '/indexes/fields/documents', [{ good: 1, bad: 2, id: 2 }]],
  ['DELETE', '/indexes/fields/documents'],
  ['POST', '/indexes/fields/documents', [{ kiwi: 1, good: 3, zebra: 2, id: 3, title: 4 }]],
  ['POST', '/indexes/nested/documents?primaryKey=meta.id', [{ b: 1, meta: { id: 7, x: 1 }, a: 2 }]],
  [
    'POST',
    '/indexes/nested/documents?skipCreation=true&primaryKey=meta.id',
    [{ meta: { id: 'none' }, d: null, c: null }],
  ],
  ['POST', '/indexes/nested/documents', [{ c: 1, d: 2, a: 3, meta: { x: 1, id: 8 } }]],
  [
    'POST',
    '/indexes/guessed/documents',
    [
      { name: 'x', id: 1 },
      { early: 1, id: 2, name: 'y' },
    ],
  ],
];

/** Each write is followed by a look at all documents of its index. */
const WATCHED = FIELDS.flatMap((step): Step[] => {
  const uid = step[1].split('/')[2];
  return uid === undefined ? [step] : [step, ['GET', `/indexes/${uid}/documents`]];
});

/** Replaces what may differ by its type. */
function stable(value: Json): Json {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      VOLATILE.has(name) && inner !== null ? typeof inner : stable(inner),
    ]),
  );
}

describe.skipIf(!onRealMeilisearch)('beside a real Meilisearch', () => {
  let compiled: CompiledEngine;
  let real: NodeProcess;
  let engine: { url: string; process: TestProcess };
  let directory: string;
  let dataKey = '';

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'miroir-likeness-'));
    compiled = await compileEngine();
    engine = await startEngine(compiled, { dbPath: join(directory, 'engine'), masterKey: MASTER_KEY });
    real = await startNode({ id: 'real', dir: directory, masterKey: MASTER_KEY });
  });
  afterAll(async () => {
    await Promise.all([engine.process.end(), real.process.end()]);
    compiled.remove();
    rmSync(directory, { recursive: true });
  });

  async function answerOf(url: string, [method, path, body, as]: Step): Promise<Json> {
    const key = as === 'none' ? null : as === 'wrong' ? 'wrong' : as === 'data' ? dataKey : MASTER_KEY;
    const { status, json } = await ask(url, method, path, { body, key });
    if (json?.key && json.uid === KEY_UID) dataKey = json.key;
    const task = json?.taskUid === undefined ? null : await finished(url, json.taskUid, MASTER_KEY);
    return stable({ status, json, task });
  }

  const steps: Step[] = [
    ...BEFORE,
    ...SEARCHES.map((body): Step => ['POST', '/indexes/m/search', body]),
    ...AFTER,
  ];
  test.each(steps)('%s %s %j', async (...step) => {
    const [ours, theirs] = await Promise.all([answerOf(engine.url, step), answerOf(real.url, step)]);
    expect(ours).toEqual(theirs);
  });

  test.each(WATCHED)('%s %s %j, key by key', async (...step) => {
    const [ours, theirs] = await Promise.all([answerOf(engine.url, step), answerOf(real.url, step)]);
    expect(ours).toEqual(theirs);
    if (step[0] === 'GET') expect(JSON.stringify(ours)).toBe(JSON.stringify(theirs));
  });
});
