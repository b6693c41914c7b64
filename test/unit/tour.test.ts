// The tour's own judgement: it must see what is lost, resurrected, misplaced or different, or its table means nothing.
import { expect, test } from 'vitest';
import { type Answer, comparable, describeDifference, isIncomplete } from '../../up/tour/answers.js';
import { loadCities, loadSynsets, parseSynset, shuffle } from '../../up/tour/corpus.js';
import { createModel } from '../../up/tour/model.js';
import { cityQuery, wordQuery } from '../../up/tour/queries.js';
import { createRandom } from '../../up/tour/random.js';
import { findFailures, formatReport, type TourResult } from '../../up/tour/report.js';

test('reads a synset with its synonyms, gloss and examples', () => {
  const line =
    '00553362 00 a 02 afloat(p) 0 adrift 0 001 & 00553143 a 0000 | borne on the water; "the ship was still afloat"; "a b"  ';
  expect(parseSynset(line)).toEqual({
    id: 'a00553362',
    word: 'afloat',
    synonyms: ['adrift'],
    partOfSpeech: 'adjective',
    gloss: 'borne on the water',
    examples: ['the ship was still afloat', 'a b'],
    relations: 1,
  });
  expect(parseSynset('  1 This software and database is being provided')).toBeNull();
});

test('the real data has enough documents with unique ids', async () => {
  const synsets = await loadSynsets(18_000);
  const cities = await loadCities(8_000);
  expect(new Set(synsets.map(({ id }) => id)).size).toBe(18_000);
  expect(new Set(cities.map(({ id }) => id)).size).toBe(8_000);
  expect(synsets.every(({ word, gloss }) => word !== '' && gloss !== '')).toBe(true);
  expect(new Set(cities.map(({ country }) => country)).size).toBeGreaterThan(150);
  const queries = Array.from({ length: 200 }, (_unused, at) => [
    cityQuery(cities, createRandom(at)),
    wordQuery(synsets, createRandom(at)),
  ]).flat();
  expect(new Set(queries.map((query) => JSON.stringify(query))).size).toBeGreaterThan(150);
});

test('a shuffle keeps every element and repeats with its seed', () => {
  const list = Array.from({ length: 100 }, (_unused, at) => at);
  const shuffled = shuffle(list, createRandom(1));
  expect(shuffled).not.toEqual(list);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(list);
  expect(shuffle(list, createRandom(1))).toEqual(shuffled);
});

test('the model adds up adds, updates and deletes as Meilisearch does', () => {
  const model = createModel();
  model.acknowledge({ kind: 'add', documents: [{ id: 'a', x: 1, y: 1 }, { id: 'b' }] }, 3);
  model.acknowledge({ kind: 'update', documents: [{ id: 'a', y: 2 }, { id: 'c' }] }, 5);
  model.acknowledge({ kind: 'delete', ids: ['b', 'nowhere'] }, 4);
  expect([...model.documents.values()]).toEqual([{ id: 'a', x: 1, y: 2 }, { id: 'c' }]);
  expect([...model.deleted]).toEqual(['b', 'nowhere']);
  expect([model.requests, model.writes, model.lastTaskUid]).toEqual([3, 6, 5]);
  model.acknowledge({ kind: 'add', documents: [{ id: 'b', x: 9 }] }, 6);
  expect(model.deleted.has('b')).toBe(false);
  expect(model.latest).toEqual({ taskUid: 6, ids: ['b'] });
  const version = model.versionOf('b');
  model.begin({ kind: 'delete', ids: ['b'] });
  expect(model.versionOf('b')).toBe(version + 1);
  expect(model.takeOperations()).toHaveLength(4);
  expect(model.takeOperations()).toHaveLength(0);
});

test('answers: key order and timing do not matter, hits, order and totals do', () => {
  const answer: Answer = { hits: [{ id: 1, a: 2 }, { id: 2 }], estimatedTotalHits: 2, processingTimeMs: 4 };
  const same: Answer = { processingTimeMs: 9, estimatedTotalHits: 2, hits: [{ a: 2, id: 1 }, { id: 2 }] };
  expect(comparable(answer)).toBe(comparable(same));
  const swapped: Answer = { ...answer, hits: [{ id: 2 }, { id: 1, a: 2 }] };
  expect(comparable(answer)).not.toBe(comparable(swapped));
  expect(describeDifference(swapped, answer)).toContain('hit 0');
  const fewer: Answer = { ...answer, hits: [{ id: 1, a: 2 }], estimatedTotalHits: 1 };
  expect(isIncomplete(fewer, answer)).toBe(true);
  expect(isIncomplete(swapped, answer)).toBe(false);
  expect(describeDifference({ ...answer, estimatedTotalHits: 3 }, answer)).toContain('estimatedTotalHits: 3');
});

function passing(): TourResult {
  const counts = { sent: 5, failed: 0, incomplete: 0, compared: 5, identical: 5, troubles: [] };
  const check = { expected: 2, found: 2, missing: 0, resurrected: 0, different: 0, unknown: 0, examples: [] };
  return {
    nodeProgram: 'engine',
    documentsLoaded: 22_000,
    writes: { acknowledgedRequests: 3, acknowledgedDocuments: 9, sentAgain: 0, failedTasks: 0 },
    documents: { words: { ...check } },
    replicas: { shards: 32, exact: 32, misplaced: 0, unequal: 0, examples: [], replicationFactor: 2 },
    searches: { duringChanges: { ...counts }, afterwards: { ...counts } },
    reads: { checked: 4, stale: 0, examples: [] },
    changes: [{ kind: 'add', moves: 8, documentsCopied: 80, documentsMinimum: 80, seconds: 3 }],
    kill: { movedDocumentsAtKill: 40, ofDocuments: 80, resumedAfterMs: 9_000, continuedFrom: 40 },
    seconds: 60,
  };
}

test('a tour in which all holds passes', () => {
  expect(findFailures(passing())).toEqual([]);
  expect(formatReport(passing()).join('\n')).toContain('32 of 32');
});

const SPOILERS: [string, (result: TourResult) => void][] = [
  ['missing', (result) => (result.documents.words!.missing = 1)],
  ['resurrected', (result) => (result.documents.words!.resurrected = 1)],
  ['different', (result) => (result.documents.words!.different = 1)],
  ['unknown', (result) => (result.documents.words!.unknown = 1)],
  ['failed tasks', (result) => (result.writes.failedTasks = 1)],
  ['a shard short of a replica', (result) => (result.replicas.exact = 31)],
  ['misplaced', (result) => (result.replicas.misplaced = 1)],
  ['unequal', (result) => (result.replicas.unequal = 1)],
  ['a failed search', (result) => (result.searches.duringChanges.failed = 1)],
  ['an incomplete answer', (result) => (result.searches.duringChanges.incomplete = 1)],
  ['a different answer', (result) => (result.searches.afterwards.identical = 4)],
  ['a stale read', (result) => (result.reads.stale = 1)],
  [
    'nothing compared',
    (result) => Object.assign(result.searches.duringChanges, { compared: 0, identical: 0 }),
  ],
];

test.each(SPOILERS)('a tour with %s fails', (_name, spoil) => {
  const result = passing();
  spoil(result);
  expect(findFailures(result)).toHaveLength(1);
});
