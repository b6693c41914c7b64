// The table's part about the other search routes: facet search, similar documents and federated search.
import { get, post, type SideRequest } from './request.js';

const facetSearches: unknown[] = [
  { facetName: 'genre' },
  { facetName: 'genre', facetQuery: 'po' },
  { facetName: 'tags', facetQuery: 'r', q: 'stone' },
  { facetName: 'tags', facetQuery: 'gardn', filter: 'year > 1940' },
  { facetName: 'author.name', exhaustiveFacetCount: true },
  { facetName: 'tags', q: 'river stone', matchingStrategy: 'all', attributesToSearchOn: ['title'] },
  { facetName: 'tags', q: 'river', rankingScoreThreshold: 0.4 },
  { facetName: 'year' },
  { facetName: 'genre', facetQuery: null, limit: 'ignored' },
  { facetName: 'title' },
  { facetName: '_miroir' },
  { facetName: 5 },
  { facetName: 'genre', facetQuery: 5 },
  { facetName: 'genre', filter: 'title = a' },
  { facetName: 'genre', filter: '_miroir = a' },
  { facetName: 'genre', q: 'a', hybrid: { embedder: 'none' } },
  { facetName: 'genre', exhaustiveFacetCount: 1 },
  {},
  [],
];

const similar: SideRequest[] = [
  post('/indexes/books/similar', { id: 1, embedder: 'none' }),
  post('/indexes/books/similar', { id: 1 }),
  post('/indexes/books/similar', { embedder: 'none' }),
  post('/indexes/books/similar', { id: 1, embedder: 'none', limt: 1 }),
  post('/indexes/none/similar', { id: 1, embedder: 'none' }),
  get('/indexes/books/similar?id=1&embedder=none'),
  get('/indexes/books/similar?id=1&embedder=none&limit=x'),
  get('/indexes/books/similar'),
];

const light = { federationOptions: { weight: 0.01 } };

const federated: unknown[] = [
  { federation: {}, queries: [] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'river stone' }] },
  {
    federation: { limit: 7, offset: 2 },
    queries: [
      { indexUid: 'books', q: 'garden' },
      { indexUid: 'pets', q: 'pet', ...light },
    ],
  },
  {
    federation: { page: 2, hitsPerPage: 4, facetsByIndex: { books: ['genre', 'year'] } },
    queries: [
      { indexUid: 'books', q: 'winter light', showRankingScore: true },
      { indexUid: 'books', q: 'winter', filter: 'genre = novel', ...light },
    ],
  },
  {
    federation: { facetsByIndex: { books: ['genre', 'tags'] }, mergeFacets: { maxValuesPerFacet: 3 } },
    queries: [{ indexUid: 'books', q: 'music' }],
  },
  { federation: { distinct: 'genre' }, queries: [{ indexUid: 'books', q: 'ocean' }] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'a', limit: 1 }] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'a', facets: ['genre'] }] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'a', federationOptions: { weight: -1 } }] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'a', federationOptions: { remote: 'there' } }] },
  { federation: {}, queries: [{ indexUid: 'none', q: 'a' }] },
  { federation: {}, queries: [{ indexUid: 'books', q: 'a', sort: ['text:asc'] }] },
  { federation: { facetsByIndex: { books: ['title'] } }, queries: [{ indexUid: 'books', q: 'a' }] },
  { federation: { facetsByIndex: { none: ['title'] } }, queries: [{ indexUid: 'books', q: 'a' }] },
  { federation: { limt: 1 }, queries: [] },
  { federation: 5, queries: [] },
  { queries: [{ indexUid: 'books', q: 'a', federationOptions: {} }] },
];

/** Reads what the searches before have set up. */
export const SEARCH_ROUTES: SideRequest[] = [
  ...facetSearches.map((body) => post('/indexes/books/facet-search', body)),
  post('/indexes/none/facet-search', { facetName: 'a' }),
  get('/indexes/books/facet-search'),
  ...similar,
  ...federated.map((body) => post('/multi-search', body)),
];
