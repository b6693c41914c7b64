// Federated search's pure parts: reading requests, comparable rules, weighted comparison, and the merge of hits.
import { describe, expect, it } from 'vitest';
import { facetMembers, inconsistentFacet, mergeNodeFacets } from '../../shared/core/federation-facets.js';
import { mergeIndex, mergeIndexes, type QueryHits } from '../../shared/core/federation-hits.js';
import { countBody } from '../../shared/core/federation-plan.js';
import { type FederatedQuery, readFederation } from '../../shared/core/federation-request.js';
import { areComparable, ruleKinds } from '../../shared/core/federation-rules.js';
import { compareWeighted, weigh } from '../../shared/core/federation-scores.js';
import { floatText } from '../../shared/core/float-text.js';
import { plainView } from '../../shared/core/hits.js';

const words = (order: number, matching: number, most: number) => ({
  words: { order, matchingWords: matching, maxMatchingWords: most, score: matching / most },
});

describe('reading a federated request', () => {
  const read = (federation: unknown, queries: unknown[] = []) => readFederation({ federation, queries });

  it('knows how many hits are wanted', () => {
    expect(read({})?.paging).toMatchObject({ mode: 'offset', skip: 0, take: 20, required: 20 });
    expect(read({ offset: 3, limit: 4 })?.paging).toMatchObject({ skip: 3, take: 4, required: 7 });
    expect(read({ page: 3 })?.paging).toMatchObject({
      mode: 'page',
      skip: 40,
      take: 20,
      required: 60,
      first: 3,
    });
    expect(read({ page: 0, hitsPerPage: 5 })?.paging).toMatchObject({ take: 0, required: 0, second: 5 });
  });

  it('takes weights and facets', () => {
    const facetsByIndex = { a: ['x'], b: null };
    const federation = read({ facetsByIndex, mergeFacets: { maxValuesPerFacet: 4 } }, [
      { indexUid: 'a', q: 'x', limit: null, federationOptions: { weight: 0.5 } },
      { indexUid: 'b', federationOptions: null, facets: [] },
    ])!;
    expect(federation.queries).toEqual([
      { uid: 'a', query: { q: 'x' }, weight: 0.5, position: 0 },
      { uid: 'b', query: {}, weight: 1, position: 1 },
    ]);
    expect([...federation.facetsByIndex]).toEqual(Object.entries(facetsByIndex));
    expect(federation.mergeFacets).toEqual({ maxValues: 4 });
  });

  it('leaves to a node what is wrong, and what only Meilisearch knows', () => {
    for (const federation of [
      5,
      [],
      { limt: 1 },
      { limit: null },
      { page: -1 },
      { facetsByIndex: { a: 'x' } },
      { mergeFacets: 1 },
      { personalize: {} },
    ]) {
      expect(read(federation)).toBeNull();
    }
    for (const query of [
      5,
      { q: 'x' },
      { indexUid: 'not ok' },
      { indexUid: 'a', limit: 1 },
      { indexUid: 'a', hitsPerPage: 1 },
      { indexUid: 'a', facets: ['x'] },
      { indexUid: 'a', showPerformanceDetails: false },
      { indexUid: 'a', useNetwork: true },
      { indexUid: 'a', federationOptions: { weight: -1 } },
      { indexUid: 'a', federationOptions: { remote: 'b' } },
      { indexUid: 'a', federationOptions: { queryPosition: 1 } },
    ]) {
      expect(read({}, [query])).toBeNull();
    }
    expect(read({ distinct: 'x' }, [{ indexUid: 'a', distinct: 'y' }])).toBeNull();
  });
});

describe('rules that are compared', () => {
  it('are those of the user, relevancy taken together', () => {
    expect(ruleKinds({ q: 'x' }, undefined)).toEqual(['relevancy']);
    expect(ruleKinds({ q: '  ' }, undefined)).toEqual([]);
    expect(ruleKinds({ q: 'x', sort: ['a:asc', '_geoPoint(1,2):desc', 'a:desc'] }, undefined)).toEqual([
      'relevancy',
      'asc',
      'geo desc',
      'relevancy',
    ]);
    expect(ruleKinds({ q: 'x', matchingStrategy: 'all' }, ['words', 'a:desc', 'typo', 'a:asc'])).toEqual([
      'desc',
      'relevancy',
    ]);
    expect(ruleKinds({ q: 'x' }, ['a:desc', 'typo', 'words', 'sort'])).toEqual(['desc', 'relevancy']);
  });

  it('have one place for vectors', () => {
    const vector = { vector: [1], hybrid: { embedder: 'e', semanticRatio: 1 } };
    expect(ruleKinds(vector, undefined)).toEqual(['relevancy']);
    expect(ruleKinds({ ...vector, sort: ['a:asc'] }, undefined)).toEqual(['relevancy', 'asc']);
    expect(ruleKinds(vector, ['a:desc', 'words', 'b:asc', 'typo', 'c:asc'])).toEqual([
      'desc',
      'relevancy',
      'asc',
    ]);
  });

  it('must agree as far as they go', () => {
    expect(areComparable([])).toBe(true);
    expect(areComparable([['relevancy'], [], ['relevancy', 'asc']])).toBe(true);
    expect(areComparable([['relevancy', 'asc'], ['relevancy'], ['relevancy', 'desc']])).toBe(false);
    expect(areComparable([['asc'], ['relevancy']])).toBe(false);
  });
});

describe('hits of different queries', () => {
  const hit = (details: object, score: number, weight = 1, position = 0) =>
    weigh(JSON.stringify(details), score, weight, position);

  it('are compared by score times weight, then by position', () => {
    const plain = hit(words(0, 2, 2), 1, 0.5, 0);
    expect(compareWeighted(plain, hit(words(0, 1, 2), 0.5, 1.2, 1))).toBeGreaterThan(0);
    expect(compareWeighted(plain, hit(words(0, 1, 2), 0.5, 1, 1))).toBeLessThan(0);
  });

  it('are compared by sorted values between the scores', () => {
    const sorted = (value: unknown, score: number) => ({
      ...words(0, 1, 1),
      'size:asc': { order: 1, value },
      exactness: { order: 2, matchType: 'noExactMatch', matchingWords: 0, maxMatchingWords: 1, score },
    });
    expect(compareWeighted(hit(sorted(2, 0.1), 0.1), hit(sorted(3, 0.9), 0.9, 1, 1))).toBeLessThan(0);
    expect(compareWeighted(hit(sorted('a', 0.1), 0.1), hit(sorted(3, 0.1), 0.1, 1, 1))).toBeGreaterThan(0);
    expect(compareWeighted(hit(sorted(null, 0.1), 0.1), hit(sorted('a', 0.1), 0.1, 1, 1))).toBeGreaterThan(0);
  });

  it('put the parts of a score together as Meilisearch does', () => {
    // 2 of 3 words, then 1 typo of at most 2: ((2 - 1) * 3 + 2) / 9.
    const details = {
      ...words(0, 2, 3),
      typo: { order: 1, typoCount: 1, maxTypoCount: 2, score: 2 / 3 },
      'size:asc': { order: 2, value: 1 },
      exactness: { order: 3, matchType: 'noExactMatch', matchingWords: 1, maxMatchingWords: 3, score: 1 / 6 },
    };
    const { values } = hit(details, 0.4);
    expect(values.map((value) => value.kind)).toEqual(['score', 'sort', 'score']);
    expect(values[0]).toMatchObject({ score: expect.closeTo(5 / 9, 12) });
    expect(values[2]).toMatchObject({ score: expect.closeTo(1 / 6, 12) });
  });

  it('of more rules come first, and of different ones by their whole score', () => {
    const relevancy = hit({ ...words(0, 1, 1), 'id:asc': { order: 1, value: 9 } }, 0.2);
    const placeholder = hit({ 'id:asc': { order: 0, value: 1 } }, 1, 1, 1);
    expect(compareWeighted(relevancy, placeholder)).toBeLessThan(0);
    const ascending = hit({ 'a:asc': { order: 0, value: 1 } }, 0.3, 1, 0);
    const descending = hit({ 'a:desc': { order: 0, value: 1 } }, 0.4, 1, 1);
    expect(compareWeighted(ascending, descending)).toBeGreaterThan(0);
  });
});

function answer(
  query: Partial<FederatedQuery>,
  ...hits: [id: number, score: number, group?: string][]
): QueryHits {
  const text = JSON.stringify({
    hits: hits.map(([id, score, group]) => ({
      id,
      ...(group === undefined ? {} : { group }),
      _miroir: '!!!!',
      _formatted: { id: `${id}` },
      _rankingScore: score,
      _rankingScoreDetails: { ...words(0, 1, 1), 'id:asc': { order: 1, value: id } },
    })),
    estimatedTotalHits: hits.length,
  });
  const view = { ...plainView('id'), showDetails: false };
  return { query: { uid: 'a', query: {}, weight: 1, position: 0, ...query }, text, primaryKey: 'id', view };
}

const idsOf = (shown: string[]) => shown.map((text) => (JSON.parse(text) as { id: number }).id);

describe('the hits of a federation', () => {
  it('have each document once in an index, with its best score', () => {
    const index = mergeIndex(
      [answer({}, [1, 0.9], [2, 0.3]), answer({ position: 1 }, [2, 0.8], [3, 0.5])],
      9,
      null,
    );
    const { shown } = mergeIndexes([index], 0, 9, null);
    expect(idsOf(shown)).toEqual([1, 2, 3]);
    expect(shown[1]).toBe(
      '{"id":2,"_federation":{"indexUid":"a","queriesPosition":1,"weightedRankingScore":0.8},"_formatted":{"id":"2"},"_rankingScore":0.8}',
    );
  });

  it('are cut for each index, and paged over all', () => {
    const one = mergeIndex([answer({}, [1, 0.9], [2, 0.8], [3, 0.7])], 2, null);
    const other = mergeIndex([answer({ uid: 'b', position: 1 }, [1, 0.85], [7, 0.1])], 2, null);
    expect(idsOf(mergeIndexes([one, other], 0, 9, null).shown)).toEqual([1, 1, 2, 7]);
    expect(idsOf(mergeIndexes([one, other], 1, 2, null).shown)).toEqual([1, 2]);
  });

  it('have each distinct value once, and tell how many were left out', () => {
    const one = mergeIndex(
      [answer({}, [1, 0.9, 'x'], [2, 0.8, 'y']), answer({ position: 1 }, [3, 0.7, 'x'])],
      9,
      'group',
    );
    expect(one.refused).toBe(1);
    const other = mergeIndex([answer({ uid: 'b', position: 2 }, [8, 0.85, 'y'], [9, 0.2])], 9, 'group');
    const merged = mergeIndexes([one, other], 0, 9, 'group');
    expect(idsOf(merged.shown)).toEqual([1, 8, 9]);
    expect(merged.refused).toBe(1);
  });

  it('write weighted scores as Meilisearch does', () => {
    expect([1, 0, 0.5, 1e-5, 0.0000012, 1.5e-7].map(floatText)).toEqual([
      '1.0',
      '0.0',
      '0.5',
      '0.00001',
      '1.2e-6',
      '1.5e-7',
    ]);
  });
});

describe('facets of a federation', () => {
  const books = {
    uid: 'books',
    distribution: '{"kind":{"a":1,"b":5},"size":{"10":2}}',
    stats: '{"size":{"min":1.0,"max":3.0}}',
    sortBy: {},
  };
  const films = { uid: 'films', distribution: '{"kind":{"b":2,"c":9}}', stats: '{}', sortBy: {} };

  it('stand by index', () => {
    expect(facetMembers([], null)).toEqual([]);
    expect(facetMembers([films], null)).toEqual([
      '"facetsByIndex":{"films":{"distribution":{"kind":{"b":2,"c":9}},"stats":{}}}',
    ]);
  });

  it('are put together by value or by count, and cut', () => {
    expect(facetMembers([books, films], { maxValues: 2 })).toEqual([
      '"facetDistribution":{"kind":{"a":1,"b":7},"size":{"10":2}}',
      '"facetStats":{"size":{"min":1.0,"max":3.0}}',
    ]);
    const byCount = [books, films].map((index) => ({ ...index, sortBy: { '*': 'count' } }));
    expect(facetMembers(byCount, { maxValues: null })[0]).toBe(
      '"facetDistribution":{"kind":{"c":9,"b":7,"a":1},"size":{"10":2}}',
    );
  });

  it('must be in one order', () => {
    expect(inconsistentFacet([books, films])).toBeNull();
    expect(inconsistentFacet([books, { ...films, sortBy: { kind: 'count' } }])).toBe('kind');
  });

  it('of nodes are added up', () => {
    const node = (name: string, distribution: object) => ({
      name,
      text: JSON.stringify({ hits: [], facetsByIndex: { [name]: { distribution, stats: {} } } }),
    });
    const rules = { maxValues: 2, sortBy: {}, candidates: 5, hidden: null };
    const parts = [node('a--1', { kind: { a: 1, c: 2 } }), node('a--2', { kind: { a: 1, b: 1 } })];
    expect(mergeNodeFacets(parts, rules)).toEqual({ distribution: '{"kind":{"a":2,"b":1}}', stats: '{}' });
  });

  it('are counted over all queries of an index, empty ones included', () => {
    const queries = [
      {
        query: { q: 'x', filter: 'k = 1', rankingScoreThreshold: 0.4, sort: ['a:asc'] },
        all: false,
        byVector: false,
      },
      { query: { q: '', rankingScoreThreshold: 0.4 }, all: true, byVector: false },
    ];
    const body = JSON.parse(countBody('a--1', queries, ['kind'], null, [0])) as { queries: object[] };
    expect(body).toMatchObject({
      federation: { page: 1, hitsPerPage: 1, facetsByIndex: { 'a--1': ['kind'] } },
    });
    expect(body.queries[0]).toEqual({
      indexUid: 'a--1',
      q: 'x',
      attributesToRetrieve: [],
      rankingScoreThreshold: 0.4,
      filter: ['k = 1', '_miroir IN ["!!!!"]'],
    });
    expect(body.queries[1]).toMatchObject({
      q: expect.stringMatching(/^-\w+$/),
      rankingScoreThreshold: null,
    });
  });
});
