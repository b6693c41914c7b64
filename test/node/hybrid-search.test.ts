// Vector and hybrid search over three nodes against one plain node: byte by byte, timings aside.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet, type SplitIndex } from '../support/split-indexes.js';

const vectorOf = (seed: number): number[] =>
  Array.from({ length: 4 }, (_, at) => Math.round(1_000 * Math.sin((seed + 1) * (at + 1.3))) / 1_000);
const WORDS = ['river', 'stone', 'red', 'house', 'winter', 'garden', 'light', 'song', 'rivers', 'gardener'];
const DOCUMENTS = Array.from({ length: 230 }, (_, id) => ({
  id,
  title: [WORDS[id % 10], WORDS[(id * 3 + 1) % 10], WORDS[(id >> 3) % 10]].join(' '),
  note: `${WORDS[(id * 7) % 10]} and ${WORDS[(id * 5 + 2) % 10]}`,
  kind: ['a', 'b', 'c'][id % 3],
  size: (id * 37) % 50,
  _vectors: { own: id % 17 === 16 ? null : vectorOf(id) },
}));
const SETTINGS = {
  searchableAttributes: ['title', 'note'],
  filterableAttributes: ['kind', 'size'],
  sortableAttributes: ['size'],
  embedders: { own: { source: 'userProvided', dimensions: 4 } },
};
const INDEXES: SplitIndex[] = [
  { uid: 'mixed', settings: SETTINGS, documents: DOCUMENTS },
  {
    uid: 'shown',
    settings: { ...SETTINGS, displayedAttributes: ['title', 'size'], pagination: { maxTotalHits: 30 } },
    documents: DOCUMENTS,
  },
];

const RATIOS = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1];
const MORE: SearchQuery[] = [
  {},
  { showRankingScore: true },
  { showRankingScoreDetails: true, limit: 7 },
  { offset: 6, limit: 6 },
  { page: 2, hitsPerPage: 8 },
  { filter: 'kind = a', facets: ['kind', 'size'], limit: 5 },
  { attributesToRetrieve: ['title'], limit: 9 },
  { attributesToHighlight: ['*'], attributesToCrop: ['note:2'], showMatchesPosition: true, limit: 12 },
  { retrieveVectors: true, limit: 4 },
  { limit: 0 },
  { limit: 300 },
  { matchingStrategy: 'all' },
  { matchingStrategy: 'frequency', showRankingScore: true },
  { sort: ['size:desc'], limit: 15 },
  { distinct: 'kind' },
];

function queries(): SearchQuery[] {
  const out: SearchQuery[] = [];
  for (const [at, more] of MORE.entries()) {
    for (const semanticRatio of RATIOS) {
      const q = ['river', 'red house', 'winter light', 'gard', 'stone song river'][(at + out.length) % 5];
      out.push({
        q,
        vector: vectorOf(1_000 + out.length),
        hybrid: { embedder: 'own', semanticRatio },
        ...more,
      });
    }
    out.push({ vector: vectorOf(at + 0.5), hybrid: { embedder: 'own' }, ...more });
  }
  // The embedder embeds no text: then words alone decide.
  out.push({ q: 'red', hybrid: { embedder: 'own' } });
  return out;
}

const REFUSED = [
  { q: 'red', vector: [1, 2], hybrid: { embedder: 'own' } },
  { q: 'red', vector: vectorOf(1) },
  { q: 'red', vector: vectorOf(1), hybrid: { embedder: 'none' } },
  { q: 'red', vector: vectorOf(1), hybrid: { embedder: 'own', semanticRatio: 2 } },
  { q: 'red', vector: vectorOf(1), hybrid: { semanticRatio: 0.4 } },
  { q: 'red', vector: 'x', hybrid: { embedder: 'own' } },
];

describe.skipIf(!onRealMeilisearch)('hybrid search on real nodes', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    fleet = await SplitFleet.start(INDEXES);
  }, 120_000);
  afterAll(() => fleet?.close());

  it.each(['mixed', 'shown'])('gives the hits, scores, totals and facets of one node: %s', async (uid) => {
    const path = `/indexes/${uid}/search`;
    for (const query of queries()) {
      const theirs = await fleet.plain(path, query);
      expect(theirs.status).toBe(200);
      expect(await fleet.ours(path, query), JSON.stringify(query)).toEqual(theirs);
    }
  });

  it('refuses in the words of one node', async () => {
    for (const query of REFUSED) {
      const answer = await fleet.ours('/indexes/mixed/search', query);
      expect(answer.status).toBe(400);
      expect(answer).toEqual(await fleet.plain('/indexes/mixed/search', query));
    }
  });
});
