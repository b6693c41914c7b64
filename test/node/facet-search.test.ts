// Facet search over three nodes against one plain node: byte by byte, timings aside.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet, type SplitIndex } from '../support/split-indexes.js';

const WORDS = [
  'river',
  'Rivers',
  'rivière',
  'stone',
  'Öl',
  'oil',
  'œuvre',
  'über',
  'uber',
  'zèbre',
  'a b',
  'a-b',
];
const DOCUMENTS = Array.from({ length: 400 }, (_, id) => ({
  id,
  title: `${['red', 'green', 'blue'][id % 3]} ${['house', 'garden'][(id >> 2) % 2]} ${id % 11 === 0 ? 'rare' : ''}`,
  kind: WORDS[(id * 7) % WORDS.length],
  tags: [`tag ${(id * id) % 61}`, `Tags ${id % 13}`, WORDS[id % 5]],
  size: id % 17,
  mixed: ['Fox', 'fox', 'FOX'][id % 3],
  secret: `s${id % 3}`,
}));
const SETTINGS = {
  filterableAttributes: ['kind', 'tags', 'size', 'mixed', 'secret'],
  displayedAttributes: ['id', 'kind'],
};
const INDEXES: SplitIndex[] = [
  { uid: 'books', settings: SETTINGS, documents: DOCUMENTS },
  {
    uid: 'counted',
    settings: { ...SETTINGS, faceting: { maxValuesPerFacet: 7, sortFacetValuesBy: { '*': 'count' } } },
    documents: DOCUMENTS,
  },
  {
    uid: 'cut',
    settings: {
      filterableAttributes: [
        { attributePatterns: ['kind', 'ta*'], features: { facetSearch: true, filter: { equality: true } } },
        { attributePatterns: ['size'], features: { facetSearch: false, filter: { equality: true } } },
      ],
      faceting: { maxValuesPerFacet: 3, sortFacetValuesBy: { kind: 'count' } },
    },
    documents: DOCUMENTS,
  },
  { uid: 'off', settings: { ...SETTINGS, facetSearch: false }, documents: DOCUMENTS.slice(0, 20) },
  { uid: 'bare', settings: {}, documents: DOCUMENTS.slice(0, 20) },
];

const ANSWERED: object[] = [
  { facetName: 'kind' },
  { facetName: 'tags' },
  { facetName: 'tags', facetQuery: 'tag' },
  { facetName: 'tags', facetQuery: 'tag 1' },
  { facetName: 'tags', facetQuery: 'rivr' },
  { facetName: 'kind', facetQuery: '' },
  { facetName: 'kind', facetQuery: 'u' },
  { facetName: 'kind', facetQuery: 'riviere', q: 'red' },
  { facetName: 'kind', facetQuery: 'oe', q: 'green house', matchingStrategy: 'all' },
  { facetName: 'tags', q: 'house', filter: 'kind = stone' },
  { facetName: 'tags', q: 'garden', filter: ['kind = oil', ['tags = "tag 1"', 'tags = "tag 4"']] },
  { facetName: 'tags', q: 'red rare', attributesToSearchOn: ['title'] },
  { facetName: 'tags', q: 'red rare', rankingScoreThreshold: 0.9 },
  { facetName: 'tags', q: 'red rare house', rankingScoreThreshold: 0.95 },
  { facetName: 'tags', q: 'red', rankingScoreThreshold: 0.5, exhaustiveFacetCount: true },
  { facetName: 'tags', q: 'red', exhaustiveFacetCount: true },
  { facetName: 'kind', q: 'nothing like it' },
  { facetName: 'kind', filter: null, facetQuery: null, limit: 'ignored', unknown: 1 },
  { facetName: 'kind', locales: ['eng'] },
  { facetName: 'kind', filter: [] },
  { facetName: 'kind', filter: 'NOT tags EXISTS' },
];
const REFUSED: unknown[] = [
  {},
  { facetName: 5 },
  { facetName: null },
  { facetName: 'title' },
  { facetName: 'kind', facetQuery: 5 },
  { facetName: 'kind', q: 5 },
  { facetName: 'kind', filter: 5 },
  { facetName: 'kind', filter: 'title = red' },
  { facetName: 'kind', filter: 'kind = ' },
  { facetName: 'kind', filter: '_miroir = x' },
  { facetName: 'kind', filter: ['kind = oil', '_miroir.a = x'] },
  { facetName: '_miroir' },
  { facetName: '_miroir.shard' },
  { facetName: 'kind', matchingStrategy: 'some' },
  { facetName: 'kind', attributesToSearchOn: 'title' },
  { facetName: 'kind', rankingScoreThreshold: 4 },
  { facetName: 'kind', locales: ['nowhere'] },
  { facetName: 'kind', exhaustiveFacetCount: 'yes' },
  { facetName: 'kind', vector: [1, 2] },
  { facetName: 'kind', q: 'a', hybrid: { embedder: 'none' } },
  { facetName: 'kind', q: 'a', hybrid: { embedder: 'none' }, rankingScoreThreshold: 0.3 },
  [],
];

describe.skipIf(!onRealMeilisearch)('facet search on real nodes', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    fleet = await SplitFleet.start(INDEXES);
  }, 120_000);

  afterAll(async () => {
    await fleet?.close();
  });

  it.each(INDEXES.slice(0, 3).flatMap(({ uid }) => ANSWERED.map((body) => [uid, body] as const)))(
    'answers as one node does: %s %j',
    async (uid, body) => {
      const expected = await fleet.plain(`/indexes/${uid}/facet-search`, body);
      expect(expected.status).toBe(200);
      expect(await fleet.ours(`/indexes/${uid}/facet-search`, body)).toEqual(expected);
    },
  );

  it.each(INDEXES.flatMap(({ uid }) => REFUSED.map((body) => [uid, body] as const)))(
    'refuses as one node does: %s %j',
    async (uid, body) => {
      const expected = await fleet.plain(`/indexes/${uid}/facet-search`, body);
      expect(expected.status).toBe(400);
      expect(await fleet.ours(`/indexes/${uid}/facet-search`, body)).toEqual(expected);
    },
  );

  it('counts spellings of a value together and shows one of them', async () => {
    const answer = await fleet.ours('/indexes/books/facet-search', { facetName: 'mixed', facetQuery: 'fo' });
    const expected = await fleet.plain('/indexes/books/facet-search', {
      facetName: 'mixed',
      facetQuery: 'fo',
    });
    expect(JSON.parse(expected.text)).toMatchObject({ facetHits: [{ value: 'Fox', count: 400 }] });
    expect(JSON.parse(answer.text)).toMatchObject({ facetHits: [{ value: 'FOX', count: 400 }] });
  });

  it('does not know an index that is missing', async () => {
    for (const uid of ['nowhere', 'not%20ok']) {
      const path = `/indexes/${uid}/facet-search`;
      expect(await fleet.ours(path, { facetName: 'kind' })).toEqual(
        await fleet.plain(path, { facetName: 'kind' }),
      );
    }
  });
});
