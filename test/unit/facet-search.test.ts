// Facet search's pure part: reading requests, and one list of values out of several.
import { describe, expect, it } from 'vitest';
import {
  decidingSearch,
  type FacetHitRules,
  facetSearchBody,
  mergeFacetHits,
  readFacetSearchBody,
} from '../../shared/core/facet-search.js';
import { facetSearchable, filterableMatch } from '../../shared/core/filterable-match.js';

const ALPHA: FacetHitRules = { maxValues: 100, sortBy: 'alpha', searched: false };
const COUNT: FacetHitRules = { ...ALPHA, sortBy: 'count' };

function node(...hits: [value: string, count: number][]): string {
  const facetHits = hits.map(([value, count]) => ({ value, count }));
  const text = JSON.stringify({ facetHits, facetQuery: 'a', processingTimeMs: 3 });
  return Buffer.from(text, 'utf8').toString('latin1');
}

function merged(answers: string[], rules: FacetHitRules): [string, number][] {
  const text = Buffer.from(mergeFacetHits(answers, rules, 7), 'latin1').toString('utf8');
  const body = JSON.parse(text) as { facetHits: { value: string; count: number }[] };
  expect(body).toMatchObject({ facetQuery: 'a', processingTimeMs: 7 });
  return body.facetHits.map(({ value, count }) => [value, count]);
}

describe('facet hits of several nodes', () => {
  it('adds the counts of a value, however it is spelled', () => {
    const answers = [node(['Fox', 2], ['owl', 1]), node(['FOX', 3]), node([' fox', 1])];
    const [first, second] = merged(answers, ALPHA);
    expect(first![1]).toBe(6);
    expect(second).toEqual(['owl', 1]);
  });

  it('orders values by what Meilisearch compares, and cuts the list', () => {
    const answers = [node(['eagle', 1], ['Éclair', 1]), node(['dove', 4], ['zebra', 1])];
    expect(merged(answers, { ...ALPHA, maxValues: 3 })).toEqual([
      ['dove', 4],
      ['eagle', 1],
      ['Éclair', 1],
    ]);
  });

  it('believes the order of a node where its own keys would say otherwise', () => {
    // No key can put 日 before a; a node that walks so must know.
    const answers = [node(['日', 1], ['a', 1]), node(['a', 2], ['b', 1])];
    expect(merged(answers, { ...ALPHA, searched: true })).toEqual([
      ['日', 1],
      ['a', 3],
      ['b', 1],
    ]);
  });

  it('sums before it orders by count, the larger value first among equals', () => {
    const answers = [node(['b', 3], ['a', 2]), node(['c', 4], ['a', 3]), node(['d', 5])];
    expect(merged(answers, COUNT)).toEqual([
      ['d', 5],
      ['a', 5],
      ['c', 4],
      ['b', 3],
    ]);
  });

  it('lets later values push out the smallest of the same count, as Meilisearch does', () => {
    const answers = [node(['b', 2], ['a', 1]), node(['d', 1], ['c', 1])];
    expect(merged(answers, { ...COUNT, maxValues: 2 })).toEqual([
      ['b', 2],
      ['d', 1],
    ]);
    expect(merged(answers, { ...COUNT, maxValues: 0 })).toEqual([]);
  });

  it('keeps the text of values as nodes wrote it', () => {
    const raw = '{"facetHits":[{"value":"a\\u0001\\"b","count":1}],"facetQuery":null,"processingTimeMs":0}';
    expect(mergeFacetHits([raw], ALPHA, 0)).toBe(raw);
    expect(mergeFacetHits([raw], COUNT, 0)).toBe(raw);
  });
});

describe('facet search requests', () => {
  it('reads what Meilisearch reads, ignores what it ignores, and leaves the rest to a node', () => {
    expect(readFacetSearchBody({ facetName: 'a', limit: 'x', filter: null })).toEqual({
      facetName: 'a',
      facetQuery: null,
      exhaustiveFacetCount: null,
      search: { filter: null },
    });
    for (const wrong of [
      null,
      [],
      {},
      { facetName: 1 },
      { facetName: 'a', facetQuery: 1 },
      { facetName: 'a', q: 1 },
    ]) {
      expect(readFacetSearchBody(wrong)).toBeNull();
    }
  });

  it('tells a node its shards, and whether the threshold counts', () => {
    const query = readFacetSearchBody({
      facetName: 'a',
      q: 'x',
      rankingScoreThreshold: 0.5,
      filter: 'b = 1',
    })!;
    expect(JSON.parse(facetSearchBody(query, [0], 'as asked'))).toMatchObject({
      facetName: 'a',
      q: 'x',
      rankingScoreThreshold: 0.5,
      exhaustiveFacetCount: null,
      filter: ['b = 1', '_miroir IN ["!!!!"]'],
    });
    expect(JSON.parse(facetSearchBody(query, [0], 'all matches'))).toMatchObject({
      rankingScoreThreshold: null,
    });
    expect(JSON.parse(facetSearchBody(query, [0], 'above threshold'))).toMatchObject({
      exhaustiveFacetCount: true,
    });
  });

  it('looks at hits first only where a threshold may end the counting', () => {
    const read = (more: object) => decidingSearch(readFacetSearchBody({ facetName: 'a', q: 'x', ...more })!);
    expect(read({})).toBeNull();
    expect(read({ rankingScoreThreshold: 0.5, exhaustiveFacetCount: true })).toBeNull();
    expect(read({ rankingScoreThreshold: 0.5, hybrid: { embedder: 'e' } })).toBeNull();
    expect(read({ rankingScoreThreshold: 0.5 })).toMatchObject({ limit: 20, rankingScoreThreshold: 0.5 });
  });
});

describe('rules of filterable attributes', () => {
  const rules = [
    'kind',
    { attributePatterns: ['*_id', 'a*'], features: { facetSearch: true } },
    { attributePatterns: ['*'] },
  ];

  it('finds the first rule that matches', () => {
    expect(filterableMatch(rules, 'kind.sub')).toEqual({ rule: 0, facetSearch: true });
    expect(filterableMatch(rules, 'x_id')).toEqual({ rule: 1, facetSearch: true });
    expect(filterableMatch(rules, 'kinds')).toEqual({ rule: 2, facetSearch: false });
    expect(filterableMatch(rules.slice(0, 2), 'kinds')).toBeNull();
    expect(filterableMatch(undefined, 'kind')).toBeNull();
  });

  it('lists the patterns that allow facet search', () => {
    expect(facetSearchable(rules)).toEqual(['kind', '*_id', 'a*']);
  });
});
