// A text is embedded once for a query, however many nodes answer it: nodes with a REST embedder, whose server counts.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet } from '../support/split-indexes.js';

const WORDS = ['river', 'stone', 'house', 'winter', 'garden', 'light', 'song', 'wood', 'iron', 'rain'];
const DOCUMENTS = Array.from({ length: 90 }, (_, id) => ({
  id,
  title: [WORDS[id % 10], WORDS[(id * 3 + 1) % 10], WORDS[(id >> 2) % 10]].join(' '),
  kind: ['a', 'b'][id % 2],
}));

const RULES = ['words', 'typo', 'proximity', 'attributeRank', 'sort', 'wordPosition', 'exactness'];

/** As good a meaning as any: a text always has the same. */
function vectorOf(text: string): number[] {
  let seed = 7;
  for (const letter of text) seed = (seed * 31 + letter.charCodeAt(0)) % 10_007;
  return [1, 2, 3, 4].map((place) => Math.round(1_000 * Math.sin(seed * (place + 0.3))) / 1_000);
}

describe.skipIf(!onRealMeilisearch)('a REST embedder', () => {
  const asked: string[] = [];
  let server: Server;
  let fleet: SplitFleet;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        const { text } = JSON.parse(body) as { text: string };
        asked.push(text);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ vector: vectorOf(text) }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const settings = {
      searchableAttributes: ['title'],
      filterableAttributes: ['kind'],
      embedders: {
        far: {
          source: 'rest',
          url: `http://127.0.0.1:${port}/`,
          dimensions: 4,
          documentTemplate: '{{doc.title}}',
          request: { text: '{{text}}' },
          response: { vector: '{{embedding}}' },
        },
      },
    };
    fleet = await SplitFleet.start([{ uid: 'poems', settings, documents: DOCUMENTS }], (index) => ({
      ...index,
      settings: { ...index.settings, rankingRules: [...RULES, 'id:asc'], sortableAttributes: ['id'] },
    }));
  }, 180_000);
  afterAll(async () => {
    await fleet?.close();
    server?.close();
  });
  beforeEach(() => {
    asked.length = 0;
  });

  it.each<[string, object, number]>([
    ['by both', { hybrid: { embedder: 'far', semanticRatio: 0.5 } }, 1],
    ['by vector', { hybrid: { embedder: 'far', semanticRatio: 1 } }, 1],
    ['by words alone', { hybrid: { embedder: 'far', semanticRatio: 0 } }, 0],
    ['filtered', { hybrid: { embedder: 'far', semanticRatio: 0.8 }, filter: 'kind = a', limit: 7 }, 1],
    ['a page further', { hybrid: { embedder: 'far', semanticRatio: 0.6 }, page: 2, hitsPerPage: 9 }, 1],
    ['with vectors', { hybrid: { embedder: 'far', semanticRatio: 0.5 }, retrieveVectors: true, limit: 3 }, 1],
  ])('is asked once for a search %s, which has the answer of one node', async (_name, more, times) => {
    const q = 'quiet river in the garden';
    const ours = await fleet.ours('/indexes/poems/search', { q, ...more });
    expect(ours.status).toBe(200);
    expect(asked).toEqual(Array.from({ length: times }, () => q));
    expect(ours).toEqual(await fleet.plain('/indexes/poems/search', { q, ...more }));
  });

  it('is asked once for each query of a multi-search', async () => {
    const hybrid = { embedder: 'far', semanticRatio: 0.5 };
    const queries = ['red stone', 'iron rain', 'wood'].map((q) => ({
      indexUid: 'poems',
      q,
      hybrid,
      limit: 5,
    }));
    const ours = await fleet.ours('/multi-search', { queries });
    expect([...asked].sort()).toEqual(['iron rain', 'red stone', 'wood']);
    expect(ours).toEqual(await fleet.plain('/multi-search', { queries }));
  });

  it('is asked once for each query of a federation', async () => {
    const hybrid = { embedder: 'far', semanticRatio: 0.5 };
    const queries = ['red stone', 'iron rain'].map((q) => ({ indexUid: 'poems', q, hybrid }));
    const body = { federation: { limit: 9 }, queries };
    const ours = await fleet.ours('/multi-search', body);
    expect([...asked].sort()).toEqual(['iron rain', 'red stone']);
    expect(ours).toEqual(await fleet.plain('/multi-search', body));
  });
});
