// Classes of other routes and of vectors, and requests that must be refused.

import { vectorOf } from './documents.js';
import { type Ask, classOf, type Draw, type QueryClass } from './query-class.js';
import { PRIMARY_KEY } from './worlds.js';

const NO_VECTORS = 'the embedded engine has no vectors';
const SIMILAR =
  'documents of equal similarity stand in the order in which a node got them; further causes are not found yet';
const UNION =
  'of several queries of one index, a document that a threshold rejects for one may count for another, which nodes do not tell';
const FUSED =
  'scores between sorted values are worked out of what nodes show, and totals of two searches are put together';
const EQUAL_VECTORS =
  'of documents of equal similarity at the end of a batch of near vectors, a node drops some; with distinct it looks for further batches';
const REFILLED =
  'a node looks for near vectors in batches, first and second vectors of documents apart: once distinct has emptied a batch, one node itself no longer ranks by similarity alone';
const ONE_VECTOR = 'embeddings = 1';
const NO_ROUTE = 'the embedded engine does not have the route';
const NO_FEDERATION = 'the embedded engine has no federated search';

function facetSearch(draw: Draw): Ask {
  const facetName = draw.turn(['first', 'kind', 'tags', 'initial']);
  const facetQuery = draw.turn([
    undefined,
    draw.any().slice(0, 1),
    draw.any().slice(0, 2),
    draw.any().slice(0, 3),
  ]);
  const more = draw.turn([{}, { q: draw.common() }, { filter: 'size < 20' }, { exhaustiveFacetCount: true }]);
  return { method: 'POST', path: '/indexes/words/facet-search', body: { facetName, facetQuery, ...more } };
}

function similar(draw: Draw): Ask {
  const id = draw.pick(draw.world.documents.filter((document) => hasVector(document)))[PRIMARY_KEY];
  const more = draw.turn([
    {},
    { filter: 'kind = noun' },
    { limit: 5, showRankingScore: true },
    { offset: 4 },
  ]);
  return { method: 'POST', path: '/indexes/vectors/similar', body: { id, embedder: 'default', ...more } };
}

function hasVector({ _vectors }: Record<string, unknown>): boolean {
  return (_vectors as { default: unknown }).default !== null;
}

function several(draw: Draw): Ask {
  const queries = [
    { indexUid: 'words', q: draw.common(), limit: 5 },
    { indexUid: 'words', q: draw.neighbours(2), facets: ['kind'], limit: 3 },
    { indexUid: 'words', sort: ['size:asc'], offset: 10, limit: 2 },
  ];
  return { method: 'POST', path: '/multi-search', body: { queries: queries.slice(0, 1 + (draw.at % 3)) } };
}

function federated(draw: Draw, federation: Record<string, unknown>, weighted: boolean): Ask {
  const weights = weighted ? [1, 0.7, 1.5] : [1, 1, 1];
  const queries = [draw.common(), draw.common(), draw.neighbours(2)].map((q, at) => ({
    indexUid: at === 2 ? 'exactly' : 'words',
    q,
    ...(weighted ? { federationOptions: { weight: weights[at] } } : {}),
  }));
  return { method: 'POST', path: '/multi-search', body: { federation, queries } };
}

/** Several queries of one index, whose matches count once. */
function federatedSorted(draw: Draw): Ask {
  const sort = [`${draw.turn(['size', 'word'])}${draw.pick([':asc', ':desc'])}`];
  const queries = [draw.common(), draw.common(), draw.neighbours(2)].map((q) => ({
    indexUid: 'words',
    q,
    sort,
    rankingScoreThreshold: draw.turn([0.5, 0.8]),
  }));
  const federation = draw.turn([{}, { limit: 5 }, { page: 1, hitsPerPage: 6 }]);
  return {
    method: 'POST',
    path: '/multi-search',
    body: { federation, queries: queries.slice(0, 1 + (draw.at % 3)) },
  };
}

function federatedDistinct(draw: Draw): Ask {
  const queries = [draw.common(), draw.neighbours(2)].map((q, at) => ({
    indexUid: at === 0 ? 'words' : 'ordered',
    q,
    ...(draw.at % 2 === 0 ? {} : { distinct: 'first' }),
  }));
  const federation = draw.at % 2 === 0 ? { distinct: 'first', limit: 8 } : { limit: 12 };
  return {
    method: 'POST',
    path: '/multi-search',
    body: { federation, queries: queries.slice(0, 1 + (draw.at % 4 < 2 ? 0 : 1)) },
  };
}

function vectorsOfDistinct(draw: Draw, filter?: string): Record<string, unknown> {
  return {
    vector: vectorOf(draw.any()),
    hybrid: { embedder: 'default', semanticRatio: 1 },
    distinct: draw.turn(['size', 'kind']),
    filter,
    limit: 10,
  };
}

function hybrid(draw: Draw, more: Record<string, unknown>): Record<string, unknown> {
  return {
    q: draw.turn([draw.common(), draw.neighbours(2)]),
    vector: vectorOf(draw.any()),
    hybrid: { embedder: 'default', semanticRatio: draw.turn([0.5, 0.2, 0.8]) },
    limit: 10,
    ...more,
  };
}

function byGet(draw: Draw): Ask {
  const query = new URLSearchParams({
    q: draw.neighbours(2),
    limit: String(1 + draw.dice.below(12)),
    ...(draw.at % 2 === 0 ? { sort: 'size:desc', filter: 'kind = noun' } : { facets: 'kind,size' }),
  });
  return { method: 'GET', path: `/indexes/words/search?${query}` };
}

export const ROUTE_CLASSES: readonly QueryClass[] = [
  classOf('words', 'search by GET', byGet),
  classOf('words', 'multi-search', several),
  classOf('words', 'federation', (draw) => federated(draw, draw.turn([{}, { limit: 7, offset: 3 }]), false), {
    notInEngine: NO_FEDERATION,
  }),
  classOf('words', 'federation, weights', (draw) => federated(draw, { limit: 15 }, true), {
    notInEngine: NO_FEDERATION,
  }),
  classOf(
    'words',
    'federation, facets',
    (draw) =>
      federated(
        draw,
        draw.turn([
          { facetsByIndex: { words: ['kind', 'size'], exactly: ['kind'] } },
          { facetsByIndex: { words: ['kind'], exactly: ['kind'] }, mergeFacets: {} },
          { page: 2, hitsPerPage: 5 },
        ]),
        draw.at % 2 === 0,
      ),
    { notInEngine: NO_FEDERATION },
  ),
  classOf('words', 'federation, threshold and sort', federatedSorted, {
    notInEngine: NO_FEDERATION,
    otherCause: UNION,
  }),
  classOf('words', 'federation, distinct', federatedDistinct, { notInEngine: NO_FEDERATION }),
  classOf('words', 'facet search', facetSearch, { notInEngine: NO_ROUTE }),
  classOf(
    'vectors',
    'vectors',
    (draw) => ({
      vector: vectorOf(draw.any()),
      hybrid: { embedder: 'default', semanticRatio: 1 },
      showRankingScore: draw.at % 2 === 0,
      filter: draw.turn([null, 'kind = noun']),
      limit: 10,
    }),
    { notInEngine: NO_VECTORS },
  ),
  classOf(
    'vectors',
    'hybrid',
    (draw) => ({
      q: draw.turn([draw.common(), draw.neighbours(2)]),
      vector: vectorOf(draw.any()),
      hybrid: { embedder: 'default', semanticRatio: draw.turn([0.5, 0.2, 0.8, 0]) },
      showRankingScore: true,
      limit: 10,
    }),
    { notInEngine: NO_VECTORS },
  ),
  classOf(
    'vectors',
    'vectors, sorted',
    (draw) => ({
      vector: vectorOf(draw.any()),
      hybrid: { embedder: 'default', semanticRatio: 1 },
      sort: [`size${draw.pick([':asc', ':desc'])}`],
      limit: 10,
    }),
    { notInEngine: NO_VECTORS },
  ),
  classOf('vectors', 'vectors, distinct', (draw) => vectorsOfDistinct(draw, ONE_VECTOR), {
    notInEngine: NO_VECTORS,
    notExact: EQUAL_VECTORS,
  }),
  classOf('vectors', 'several vectors, distinct', (draw) => vectorsOfDistinct(draw), {
    notInEngine: NO_VECTORS,
    notExact: REFILLED,
  }),
  classOf(
    'vectors',
    'hybrid, sorted',
    (draw) => hybrid(draw, { sort: [`size${draw.pick([':asc', ':desc'])}`] }),
    { notInEngine: NO_VECTORS, notExact: FUSED },
  ),
  classOf(
    'vectors',
    'hybrid, threshold',
    (draw) => hybrid(draw, { rankingScoreThreshold: draw.turn([0.3, 0.6, 0.8]), showRankingScore: true }),
    { notInEngine: NO_VECTORS, otherCause: FUSED },
  ),
  classOf(
    'vectors',
    'hybrid, distinct',
    (draw) => hybrid(draw, { distinct: draw.turn(['size', 'kind']), filter: ONE_VECTOR }),
    {
      notInEngine: NO_VECTORS,
      otherCause: FUSED,
    },
  ),
  classOf(
    'vectors',
    'documents with vectors',
    (draw) => ({
      q: draw.turn([draw.common(), '']),
      retrieveVectors: draw.at % 2 === 0,
      limit: 5,
    }),
    { notInEngine: NO_VECTORS },
  ),
  classOf('vectors', 'similar documents', similar, { notInEngine: NO_VECTORS, notExact: SIMILAR }),
];

const WRONG: readonly Record<string, unknown>[] = [
  { q: 'x', filter: 'secret = 3' },
  { q: 'x', filter: ['kind = noun', 'oops'] },
  { q: 'x', filter: 3 },
  { q: 'x', filter: 'kind = ' },
  { sort: ['secret:asc'] },
  { sort: ['id:asc'] },
  { sort: ['size'] },
  { facets: ['secret'] },
  { distinct: 'secret' },
  { limit: 'many' },
  { limit: -1 },
  { doggo: 1 },
  { q: 'x', matchingStrategy: 'some' },
  { rankingScoreThreshold: 3 },
  { attributesToSearchOn: ['secret.field'], q: 3 },
  { page: 'first' },
  { filter: '_geoRadius(1, 2, 3)' },
  { sort: ['_geoPoint(1, 2):asc'] },
  { q: 'x', filter: 'kind = noun AND (size < 3' },
  { hybrid: { embedder: 'nothing' }, q: 'x' },
];

const WRONG_ELSEWHERE: readonly Ask[] = [
  { method: 'GET', path: '/indexes/words/search?limit=many' },
  { method: 'GET', path: '/indexes/words/search?q=x&filter=secret%20%3D%203' },
  { method: 'GET', path: '/indexes/words/search?doggo=1' },
  { method: 'POST', path: '/indexes/nowhere/search', body: { q: 'x' } },
  {
    method: 'POST',
    path: '/multi-search',
    body: { queries: [{ indexUid: 'words', q: 'x', filter: 'secret = 3' }] },
  },
  { method: 'POST', path: '/multi-search', body: { queries: [{ indexUid: 'nowhere', q: 'x' }] } },
  { method: 'POST', path: '/multi-search', body: { queries: [{ q: 'x' }] } },
  { method: 'POST', path: '/multi-search', body: { queries: [{ indexUid: 'words', limit: 'many' }] } },
  { method: 'POST', path: '/indexes/words/documents/fetch', body: { filter: 'secret = 3' } },
  { method: 'POST', path: '/indexes/words/documents/fetch', body: { limit: 'many' } },
  { method: 'GET', path: '/indexes/words/documents/nobody' },
];

const WRONG_IN_OTHERS: readonly Ask[] = [
  { method: 'POST', path: '/indexes/words/facet-search', body: { facetName: 'secret' } },
  { method: 'POST', path: '/indexes/words/facet-search', body: { facetQuery: 'x' } },
  { method: 'POST', path: '/indexes/words/similar', body: { id: 'n1', embedder: 'nothing' } },
  {
    method: 'POST',
    path: '/multi-search',
    body: { federation: {}, queries: [{ indexUid: 'words', limit: 3 }] },
  },
  { method: 'POST', path: '/multi-search', body: { federation: { limit: -1 }, queries: [] } },
  {
    method: 'POST',
    path: '/multi-search',
    body: { federation: { facetsByIndex: { words: ['secret'] } }, queries: [{ indexUid: 'words', q: 'x' }] },
  },
];

export const ERROR_CLASSES: readonly QueryClass[] = [
  classOf('words', 'errors', (draw) => draw.search(draw.turn(WRONG)), { refused: true }),
  classOf('words', 'errors of other routes', (draw) => draw.turn(WRONG_ELSEWHERE), { refused: true }),
  classOf('words', 'errors of facets, vectors and federations', (draw) => draw.turn(WRONG_IN_OTHERS), {
    refused: true,
    notInEngine: NO_ROUTE,
  }),
];
