// The BM25 mode over three badly skewed nodes, against the formula worked out over all documents at once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bm25, countWords } from '../../shared/core/bm25.js';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet } from '../support/split-indexes.js';

const WORDS = ['river', 'stone', 'red', 'house', 'winter', 'garden', 'light', 'song', 'wood', 'iron'];
const DOCUMENTS = Array.from({ length: 400 }, (_, id) => {
  // Words are spread unevenly over shards, so that nodes count them differently.
  const at = (place: number): string => {
    const number = Math.abs(Math.sin(id * 12.9898 + place * 78.233)) * 43_758;
    return WORDS[Math.floor(number) % (id % 8 === 5 ? 4 : 10)]!;
  };
  const text = Array.from({ length: 3 + (id % 11) }, (_unused, place) => at(place)).join(' ');
  return { id, text, kind: ['a', 'b'][id % 2]!, secret: 'x' };
});
const SETTINGS = {
  searchableAttributes: ['text'],
  displayedAttributes: ['id', 'kind'],
  filterableAttributes: ['kind'],
  typoTolerance: { enabled: false },
};

interface Hit {
  id: number;
  _rankingScoreDetails?: { miroirBm25?: { score: number } };
}

/** The scores of the documents with all words, best first, by the whole corpus. */
function expected(words: readonly string[], kind: string): number[] {
  const count = (text: string, word: string) => text.split(' ').filter((other) => other === word).length;
  const corpus = {
    documents: DOCUMENTS.length,
    documentFrequencies: words.map((word) => DOCUMENTS.filter(({ text }) => count(text, word) > 0).length),
    averageLength: DOCUMENTS.reduce((sum, { text }) => sum + countWords(text), 0) / DOCUMENTS.length,
  };
  return DOCUMENTS.filter(
    ({ text, kind: own }) => own === kind && words.every((word) => count(text, word) > 0),
  )
    .map(({ text }) => {
      const occurrences = words.map((word) => count(text, word));
      return bm25({ occurrences, length: countWords(text) }, corpus);
    })
    .sort((left, right) => right - left);
}

describe.skipIf(!onRealMeilisearch)('BM25 mode on real nodes', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    fleet = await SplitFleet.start([{ uid: 'texts', settings: SETTINGS, documents: DOCUMENTS }]);
  }, 120_000);
  afterAll(() => fleet?.close());

  const search = async (body: object, scoring: string) => {
    const { status, text } = await fleet.ours('/indexes/texts/search', body, { 'x-miroir-scoring': scoring });
    return { status, body: JSON.parse(text) as { hits: Hit[]; code?: string; estimatedTotalHits: number } };
  };
  const scoresOf = (hits: readonly Hit[]) => hits.map((hit) => hit._rankingScoreDetails!.miroirBm25!.score);

  it('scores by the statistics of all nodes', async () => {
    let isLocalAlike = true;
    for (const words of [
      ['stone', 'river'],
      ['stone', 'red'],
      ['garden', 'light'],
      ['wood', 'iron', 'song'],
    ]) {
      const body = {
        q: `${words.join(' ')} `,
        matchingStrategy: 'all',
        filter: 'kind = a',
        showRankingScoreDetails: true,
        limit: 90,
      };
      const { hits } = (await search(body, 'dfs')).body;
      const scores = expected(words, 'a');
      expect(scores.length).toBeGreaterThan(3);
      expect(scores.length).toBeLessThan(100);
      expect(hits).toHaveLength(Math.min(90, scores.length));
      for (const [at, score] of scoresOf(hits).entries()) expect(score).toBeCloseTo(scores[at]!, 9);
      const local = scoresOf((await search(body, 'local')).body.hits);
      isLocalAlike &&= JSON.stringify(local) === JSON.stringify(scoresOf(hits));
    }
    expect(isLocalAlike).toBe(false);
  });

  it('shows what was asked for, page by page', async () => {
    const body = { q: 'river ', matchingStrategy: 'all', limit: 40 };
    const whole = (await search(body, 'dfs')).body;
    const page = (await search({ ...body, offset: 5, limit: 7 }, 'dfs')).body;
    expect(page.hits).toEqual(whole.hits.slice(5, 12));
    expect(page.estimatedTotalHits).toBe(whole.estimatedTotalHits);
    expect(Object.keys(page.hits[0]!)).toEqual(['id', 'kind']);
    const few = (await search({ ...body, attributesToRetrieve: ['kind', 'secret'] }, 'dfs')).body;
    expect(Object.keys(few.hits[0]!)).toEqual(['kind']);
  });

  it('refuses other values, and what it cannot score', async () => {
    expect(await search({ q: 'river' }, 'global')).toMatchObject({
      status: 400,
      body: { code: 'miroir_invalid_scoring' },
    });
    const nested = await search({ q: 'river', attributesToRetrieve: ['a.b'] }, 'dfs');
    expect(nested).toMatchObject({ status: 501, body: { code: 'miroir_not_supported' } });
    expect(await search({ q: 'river', filter: 'text = 1' }, 'dfs')).toMatchObject({ status: 400 });
  });

  it('leaves searches without words alone', async () => {
    const plain = await fleet.ours('/indexes/texts/search', { limit: 5 });
    expect(await fleet.ours('/indexes/texts/search', { limit: 5 }, { 'x-miroir-scoring': 'dfs' })).toEqual(
      plain,
    );
  });
});
