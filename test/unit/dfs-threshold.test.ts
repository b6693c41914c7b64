// `frequency` under a threshold, and where other rules come before words.
import { describe, expect, it } from 'vitest';
import { correctRows } from '../../shared/core/dfs-correction.js';
import { planFrequency } from '../../shared/core/dfs-frequency.js';
import { cutBelow } from '../../shared/core/dfs-threshold.js';
import { planSearch } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { sampleIndex } from '../support/sample-topology.js';

const QUERY: SearchQuery = { q: 'red fox', matchingStrategy: 'frequency', rankingScoreThreshold: 0.5 };
const indexOf = (settings: Record<string, unknown> = {}) => sampleIndex([], { shardCount: 4, settings });

describe('cutting at a threshold', () => {
  const merged =
    '{"hits":[{"id":1,"_rankingScore":0.9},{"id":2,"_rankingScore":0.5},{"id":3,"_rankingScore":0.4}],"query":"red fox",' +
    '"processingTimeMs":3,"limit":3,"offset":0,"estimatedTotalHits":40,"requestUid":"r"}';
  const cut = (query: SearchQuery) =>
    JSON.parse(cutBelow(merged, planSearch(query, indexOf()), 0.5)) as object;

  it('counts the hits where they are too few, and everything once there are enough', () => {
    expect(cut({ ...QUERY, limit: 3 })).toEqual({
      hits: [{ id: 1 }, { id: 2 }],
      query: 'red fox',
      processingTimeMs: 3,
      limit: 3,
      offset: 0,
      estimatedTotalHits: 2,
      requestUid: 'r',
    });
    expect(cut({ ...QUERY, limit: 1, offset: 1, showRankingScore: true })).toMatchObject({
      hits: [{ id: 2, _rankingScore: 0.5 }],
      limit: 1,
      offset: 1,
      estimatedTotalHits: 40,
    });
  });

  it('is planned only where the best hits come first and nothing else is counted', () => {
    const planned = (more: SearchQuery, settings: Record<string, unknown> = {}) => {
      const index = indexOf({ sortableAttributes: ['size'], filterableAttributes: ['kind'], ...settings });
      return planFrequency(planSearch({ ...QUERY, ...more }, index), index);
    };
    expect(planned({ limit: 7, offset: 2 })!.plan).toMatchObject({
      query: { limit: 9, offset: 0, showRankingScore: true },
    });
    expect(planned({})!.plan.query).not.toHaveProperty('rankingScoreThreshold');
    expect(planned({ facets: ['kind'] })).toBeNull();
    expect(planned({ page: 1 })).toBeNull();
    expect(planned({ sort: ['size:asc'] })).toBeNull();
    expect(planned({ rankingScoreThreshold: null }, { rankingRules: ['kind:desc', 'words'] })).toMatchObject({
      wordsFirst: false,
      cut: null,
    });
  });
});

describe('rows of a stage that others stand before', () => {
  it('are asked for until there are enough', async () => {
    const hit = (id: number, matching: number): string =>
      `{"id":${id},"_rankingScoreDetails":{"kind:desc":{"order":0,"value":"n"},"words":{"order":1,"matchingWords":${matching},"maxMatchingWords":2,"score":0.5},"id:asc":{"order":2,"value":${id}.0}}}`;
    const all = [...Array.from({ length: 9 }, (_, id) => hit(id, 1)), hit(20, 2), hit(21, 2)];
    const answer = (limit: number) => `{"hits":[${all.slice(0, limit).join(',')}],"estimatedTotalHits":11}`;
    const asked: number[] = [];
    const correction = { words: { matching: 2, max: 2 }, exactness: () => null };
    const rules = { correction, terms: 2, maxTotalHits: 1_000, byDistance: false };
    const fetch = async (limit: number) => {
      asked.push(limit);
      return answer(limit);
    };
    const rows = await correctRows(answer(2), 2, { ...rules, isMixed: true }, fetch);
    expect(rows!.map(({ text }) => (JSON.parse(text) as { id: number }).id)).toEqual([20, 21]);
    expect(asked).toEqual([20]);
    expect(await correctRows(answer(2), 2, rules, fetch)).toEqual([]);
    expect(asked).toEqual([20]);
  });
});
