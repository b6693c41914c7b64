import { describe, expect, it } from 'vitest';
import { readScoring } from '../../proxy/search/scoring.js';
import { StatisticsCache } from '../../proxy/search/statistics-cache.js';
import { addStatistics, bm25, countMatches, documentLength, rankByScore } from '../../shared/core/bm25.js';
import { toByteText } from '../../shared/core/byte-text.js';

const CORPUS = { documents: 1_000, documentFrequencies: [10, 400], averageLength: 20 };

describe('BM25', () => {
  it('is the documented formula', () => {
    const idf = Math.log(1 + (1_000 - 10 + 0.5) / 10.5);
    const expected = (idf * 3 * 2.2) / (3 + 1.2 * (0.25 + (0.75 * 40) / 20));
    expect(bm25({ occurrences: [3, 0], length: 40 }, CORPUS)).toBeCloseTo(expected, 12);
  });

  it('prefers rare terms, more of them, and shorter documents', () => {
    const score = (occurrences: number[], length: number) => bm25({ occurrences, length }, CORPUS);
    expect(score([1, 0], 20)).toBeGreaterThan(score([0, 1], 20));
    expect(score([2, 0], 20)).toBeGreaterThan(score([1, 0], 20));
    expect(score([1, 1], 10)).toBeGreaterThan(score([1, 1], 30));
    expect(score([0, 0], 20)).toBe(0);
  });

  it('is a number where statistics are behind, or nothing is there', () => {
    const behind = { documents: 0, documentFrequencies: [3], averageLength: 0 };
    expect(bm25({ occurrences: [2], length: 4 }, behind)).toBeGreaterThanOrEqual(0);
  });

  it('adds up the statistics of parts', () => {
    const other = { documents: 3_000, documentFrequencies: [5, 0], averageLength: 40 };
    expect(addStatistics([CORPUS, other])).toEqual({
      documents: 4_000,
      documentFrequencies: [15, 400],
      averageLength: 35,
    });
  });

  it('keeps the order of equal scores', () => {
    expect(rankByScore([1, 3, 1, 2])).toEqual([1, 3, 0, 2]);
  });
});

describe('counts', () => {
  const hit = toByteText(
    JSON.stringify({
      id: 7,
      title: 'Élan of a river',
      tags: ['river bank', 'rivers'],
      size: 12,
      _matchesPosition: {
        title: [
          { start: 0, length: 5 },
          { start: 11, length: 5 },
        ],
        tags: [
          { start: 0, length: 5, indices: [0] },
          { start: 0, length: 5, indices: [1] },
        ],
      },
    }),
  );

  it('find the term of each match by its text', () => {
    expect(countMatches(hit, 0, ['elan', 'river'], null)).toEqual([1, 3]);
    expect(countMatches(hit, 0, ['elan', 'river'], ['title'])).toEqual([1, 1]);
  });

  it('find and measure fields inside of objects', () => {
    const nested =
      '{"a":{"b":"red river","c":{"d":"stone"}},"_matchesPosition":{"a.b":[{"start":4,"length":5}]}}';
    expect(documentLength(nested, 0, ['a.b', 'a.c.d', 'a.x'])).toBe(3);
    expect(countMatches(nested, 0, ['red', 'river'], ['a.b'])).toEqual([0, 1]);
  });

  it('measure documents in words of searchable attributes', () => {
    expect(documentLength(hit, 0, null)).toBe(1 + 4 + 3 + 1);
    expect(documentLength(hit, 0, ['title', 'nothing'])).toBe(4);
  });
});

it('what outlives writes is answered while its next version is gathered', async () => {
  const cache = new StatisticsCache(async () => 1);
  const get = async (version: string, next: Promise<number>) =>
    (await cache.getLasting(1, 'lengths', version, () => next)).value;
  expect(await get('a', Promise.resolve(10))).toBe(10);
  let finish: (value: number) => void = () => undefined;
  const next = new Promise<number>((resolve) => {
    finish = resolve;
  });
  expect(await get('b', next)).toBe(10);
  expect(await get('b', Promise.resolve(99))).toBe(10);
  finish(20);
  await next;
  expect(await get('b', Promise.resolve(99))).toBe(20);
  expect(await get('c', Promise.reject(new Error('lost')))).toBe(20);
});

it('the header has three values', () => {
  expect([undefined, 'dfs', 'local', 'none'].map(readScoring)).toEqual([null, 'dfs', 'local', 'none']);
  expect(() => readScoring('bm25')).toThrow('expected `dfs`, `local` or `none`');
});
