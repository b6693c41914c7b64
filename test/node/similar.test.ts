// Similar documents over three nodes against one plain node: byte by byte, timings aside.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet, type SplitIndex } from '../support/split-indexes.js';

/** No two documents are equally near: Meilisearch puts these into no order. */
const vectorOf = (id: number, dimensions: number): number[] =>
  Array.from({ length: dimensions }, (_, at) => Math.sin((id + 1) * (at + 1.3)));
const DOCUMENTS = Array.from({ length: 260 }, (_, id) => ({
  id,
  title: `document ${id}`,
  kind: ['a', 'b', 'c'][id % 3],
  size: id % 10,
  secret: id % 7,
  _vectors:
    id % 20 === 19
      ? { default: null, 'two words': null }
      : { default: vectorOf(id, 4), 'two words': vectorOf(id, 3) },
}));
const EMBEDDERS = {
  default: { source: 'userProvided', dimensions: 4 },
  'two words': { source: 'userProvided', dimensions: 3, distribution: { mean: 0.5, sigma: 0.6 } },
};
const SETTINGS = { filterableAttributes: ['kind', 'size'], embedders: EMBEDDERS };
const INDEXES: SplitIndex[] = [
  { uid: 'points', settings: SETTINGS, documents: DOCUMENTS },
  {
    uid: 'shown',
    settings: {
      ...SETTINGS,
      displayedAttributes: ['title', 'size'],
      distinctAttribute: 'kind',
      pagination: { maxTotalHits: 70 },
      rankingRules: ['words', 'size:desc'],
    },
    documents: DOCUMENTS,
  },
  {
    uid: 'ranked',
    settings: { ...SETTINGS, rankingRules: ['size:desc', 'words'] },
    documents: DOCUMENTS,
  },
  {
    uid: 'several',
    settings: SETTINGS,
    documents: DOCUMENTS.map((document) => {
      const { id } = document;
      if (id % 4 !== 0) return document;
      const vectors = [vectorOf(id, 4), vectorOf(1_000 - id, 4), vectorOf(3 * id, 4)];
      const own = { ...document._vectors, default: vectors.slice(0, 2 + (id % 3 === 0 ? 0 : 1)) };
      return { ...document, _vectors: own };
    }),
  },
  {
    uid: 'bare',
    settings: {},
    documents: DOCUMENTS.map(({ _vectors, ...document }) => document).slice(0, 20),
  },
];

const ANSWERED: object[] = [
  { id: 4 },
  { id: '7', limit: 3 },
  { id: 12, offset: 5, limit: 7, showRankingScore: true },
  { id: 12, showRankingScoreDetails: true, attributesToRetrieve: ['title'] },
  { id: 12, showRankingScore: true, showRankingScoreDetails: true, attributesToRetrieve: [] },
  { id: 30, filter: 'kind = a' },
  { id: 30, filter: 'kind = b', limit: 4 },
  { id: 30, filter: ['size > 3', ['kind = a', 'kind = c']], limit: 60 },
  { id: 31, filter: 'size = 100' },
  { id: 31, filter: null, attributesToRetrieve: null, rankingScoreThreshold: null },
  { id: 50, rankingScoreThreshold: 0.9, limit: 40 },
  { id: 50, rankingScoreThreshold: 0.2, limit: 4 },
  { id: 50, rankingScoreThreshold: 0.95, limit: 5, offset: 3 },
  { id: 51, retrieveVectors: true, limit: 2 },
  { id: 52, limit: 0 },
  { id: 53, offset: 255, limit: 20 },
  { id: 54, limit: 30, offset: 30, attributesToRetrieve: ['id', 'size', 'secret', 'nothing'] },
  { id: 19 },
  { id: 39, filter: 'kind = a' },
  { id: 39, filter: 'kind = b' },
];
const REFUSED: unknown[] = [
  { id: 4, embedder: 'none' },
  { id: 9999 },
  { id: 'unknown-one' },
  { id: 'http://x/' },
  { id: ['a'] },
  { id: 1.5 },
  { id: null },
  { id: 4, limit: 'x' },
  { id: 4, offset: -1 },
  { id: 4, filter: 5 },
  { id: 4, filter: 'kind' },
  { id: 4, filter: 'title = a' },
  { id: 4, filter: '_miroir = a' },
  { id: 9999, filter: 'title = a' },
  { id: 4, attributesToRetrieve: 'title' },
  { id: 4, retrieveVectors: 'yes' },
  { id: 4, showRankingScore: 1 },
  { id: 4, rankingScoreThreshold: 3 },
  { id: 4, q: 'a' },
  { embedder: null },
  [],
];
const BY_GET = [
  'id=4&embedder=default',
  'id=4&embedder=two%20words&limit=5&showRankingScore=true',
  'id=30&embedder=default&filter=kind%20%3D%20a&attributesToRetrieve=id,title&offset=2',
  'id=30&embedder=default&filter=%5B%22kind%20%3D%20a%22%5D&rankingScoreThreshold=0.8&retrieveVectors=true',
  'id=30',
  'embedder=default',
  'id=30&embedder=default&limit=x',
  'id=30&embedder=default&retrieveVectors=maybe',
  'id=30&embedder=default&rankingScoreThreshold=8',
  'id=30&embedder=default&q=1',
  'id=a%20b&embedder=default',
];

describe.skipIf(!onRealMeilisearch)('similar documents on real nodes', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    fleet = await SplitFleet.start(INDEXES);
  }, 120_000);

  afterAll(async () => {
    await fleet?.close();
  });

  const withEmbedder = (body: unknown, embedder: string): unknown =>
    Array.isArray(body) ? body : { embedder, ...(body as object) };

  it.each(INDEXES.slice(0, 4).flatMap(({ uid }) => ANSWERED.map((body) => [uid, body] as const)))(
    'answers as one node does: %s %j',
    async (uid, body) => {
      for (const embedder of Object.keys(EMBEDDERS)) {
        const expected = await fleet.plain(`/indexes/${uid}/similar`, withEmbedder(body, embedder));
        expect(expected.status).toBe(200);
        expect(await fleet.ours(`/indexes/${uid}/similar`, withEmbedder(body, embedder))).toEqual(expected);
      }
    },
  );

  it.each(['points', 'bare'].flatMap((uid) => REFUSED.map((body) => [uid, body] as const)))(
    'refuses as one node does: %s %j',
    async (uid, body) => {
      const expected = await fleet.plain(`/indexes/${uid}/similar`, withEmbedder(body, 'default'));
      expect(expected.status).toBe(400);
      expect(await fleet.ours(`/indexes/${uid}/similar`, withEmbedder(body, 'default'))).toEqual(expected);
    },
  );

  it.each(BY_GET)('answers GET as one node does: %s', async (parameters) => {
    const path = `/indexes/points/similar?${parameters}`;
    expect(await fleet.ours(path)).toEqual(await fleet.plain(path));
  });

  it('finds no more than maxTotalHits, unlike one node, and nothing wrong among them', async () => {
    const body = { id: 54, embedder: 'default', limit: 200 };
    const titles = ({ text }: { text: string }) =>
      (JSON.parse(text) as { hits: { title: string }[] }).hits.map(({ title }) => title);
    const expected = titles(await fleet.plain('/indexes/shown/similar', body));
    const found = titles(await fleet.ours('/indexes/shown/similar', body));
    expect(expected.length).toBe(200);
    expect(found).toEqual(expected.slice(0, 70));
  });

  it('does not know an index that is missing', async () => {
    const path = '/indexes/nowhere/similar';
    const body = { id: 1, embedder: 'default' };
    expect(await fleet.ours(path, body)).toEqual(await fleet.plain(path, body));
  });
});
