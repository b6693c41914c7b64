// Federated multi-search over three nodes against one plain node with the same last rule: byte by byte, timings aside.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RANKING_RULES } from '../../shared/core/setting-table.js';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet, type SplitIndex } from '../support/split-indexes.js';

const WORDS = ['river', 'stone', 'red', 'house', 'winter', 'garden', 'light', 'song'];
const documents = (count: number, shift: number) =>
  Array.from({ length: count }, (_, id) => ({
    id,
    title: [WORDS[(id + shift) % 8], WORDS[(id * 3 + 1) % 8], WORDS[(id >> 3) % 8]].join(' '),
    text: Array.from({ length: id % 9 }, (_, at) => WORDS[(id * 5 + at * shift) % 8]).join(' '),
    kind: ['a', 'b', 'c', 'D'][(id * 7 + shift) % 4],
    size: (id * 37 + shift) % 50,
    group: id % 21,
    secret: `hidden ${id % 7}`,
    _geo: { lat: (id % 9) - shift, lng: (id % 7) * 0.5 },
  }));
/** No two documents are equally near. */
const pointOf = (id: number): number[] => [0, 1, 2].map((at) => Math.sin((id + 1) * (at + 1.3)));
const SETTINGS = {
  filterableAttributes: ['kind', 'size', 'group'],
  sortableAttributes: ['size', 'title', '_geo'],
};
const LAST = 'id:asc';
const INDEXES: SplitIndex[] = [
  { uid: 'books', settings: SETTINGS, documents: documents(240, 1) },
  {
    uid: 'films',
    settings: {
      ...SETTINGS,
      displayedAttributes: ['id', 'title', 'kind'],
      faceting: { maxValuesPerFacet: 3, sortFacetValuesBy: { kind: 'count' } },
      pagination: { maxTotalHits: 30 },
    },
    documents: documents(160, 3),
  },
  {
    uid: 'ranked',
    settings: {
      ...SETTINGS,
      rankingRules: ['sort', 'words', 'typo', 'proximity', 'attribute', 'exactness', 'size:desc'],
    },
    documents: documents(120, 2),
  },
  {
    uid: 'points',
    settings: { ...SETTINGS, embedders: { default: { source: 'userProvided', dimensions: 3 } } },
    documents: documents(90, 4).map((document) => ({
      ...document,
      _vectors: { default: pointOf(document.id) },
    })),
  },
];

const q = (indexUid: string, text: string, more: object = {}) => ({ indexUid, q: text, ...more });
const near = (id: number, semanticRatio: number, more: object = {}) => ({
  indexUid: 'points',
  vector: pointOf(id).map((value) => value + 0.01),
  hybrid: { embedder: 'default', semanticRatio },
  ...more,
});
const weighted = (indexUid: string, text: string, weight: number, more: object = {}) =>
  q(indexUid, text, { federationOptions: { weight }, ...more });

const ANSWERED: [name: string, federation: object, queries: object[]][] = [
  ['no query', {}, []],
  ['one query', {}, [q('books', 'red house')]],
  ['two indexes', {}, [q('books', 'red house'), q('films', 'stone')]],
  [
    'weights',
    { limit: 30 },
    [weighted('books', 'river', 0.8), weighted('films', 'winter', 1.3), q('films', 'song')],
  ],
  ['weight 0', { limit: 9 }, [weighted('books', 'river', 0), q('films', 'winter garden')]],
  ['the same query twice', {}, [q('books', 'garden'), q('books', 'garden')]],
  [
    'queries of one index',
    { limit: 40 },
    [q('books', 'light'), q('books', 'light stone'), q('books', 'red', { filter: 'kind = a' })],
  ],
  ['pages', { page: 2, hitsPerPage: 7 }, [q('books', 'song red'), q('films', 'song')]],
  ['page 0', { page: 0 }, [q('books', 'song red'), q('films', 'song')]],
  ['no hits per page', { hitsPerPage: 0 }, [q('books', 'song red')]],
  ['offset', { offset: 11, limit: 6 }, [q('books', 'winter'), q('films', 'winter'), q('books', 'stone')]],
  ['limit 0', { limit: 0 }, [q('books', 'winter'), q('books', 'stone')]],
  [
    'deeper than maxTotalHits',
    { offset: 25, limit: 40 },
    [q('films', 'winter'), q('films', 'red'), q('books', 'red')],
  ],
  ['placeholders', { limit: 12 }, [q('books', ''), { indexUid: 'books', filter: 'size > 20' }]],
  [
    'scores and details',
    {},
    [
      q('books', 'red', { showRankingScore: true }),
      q('films', 'red', { showRankingScoreDetails: true, showRankingScore: true }),
    ],
  ],
  [
    'formatted',
    { limit: 5 },
    [
      q('books', 'red', { attributesToHighlight: ['title'], attributesToRetrieve: ['size'] }),
      q('films', 'red', { showMatchesPosition: true }),
    ],
  ],
  [
    'nothing retrieved',
    { limit: 5 },
    [
      q('books', 'red', { attributesToRetrieve: [] }),
      q('films', 'red', { attributesToRetrieve: ['secret'] }),
    ],
  ],
  [
    'sorted',
    { limit: 40 },
    [q('books', 'red', { sort: ['size:desc'] }), q('films', 'stone light', { sort: ['size:desc'] })],
  ],
  [
    'sorted first',
    { limit: 40 },
    [
      q('ranked', 'red house', { sort: ['size:asc'] }),
      weighted('ranked', 'stone', 0.5, { sort: ['size:asc'] }),
    ],
  ],
  [
    'sorted placeholders',
    { limit: 30 },
    [q('books', '', { sort: ['size:asc'] }), q('films', '', { sort: ['size:asc'] })],
  ],
  [
    'geo',
    { limit: 15 },
    [q('books', '', { sort: ['_geoPoint(1, 2):desc'] }), q('films', '', { sort: ['_geoPoint(1, 2):desc'] })],
  ],
  [
    'facets by index',
    { facetsByIndex: { books: ['kind', 'size'], films: ['*'], ranked: null } },
    [q('books', 'red'), q('films', 'red')],
  ],
  [
    'facets of a union',
    { facetsByIndex: { books: ['kind', 'size'] } },
    [q('books', 'red'), q('books', 'stone', { filter: 'size < 30' }), q('films', 'red')],
  ],
  ['no facets', { facetsByIndex: { books: [] } }, [q('books', 'red')]],
  [
    'merged facets',
    { facetsByIndex: { books: ['size'], films: ['size', 'group'] }, mergeFacets: {} },
    [q('books', 'red'), q('films', 'red')],
  ],
  [
    'merged facets, cut',
    { facetsByIndex: { books: ['kind', 'size'], films: ['size'] }, mergeFacets: { maxValuesPerFacet: 2 } },
    [q('books', 'red'), q('films', 'red')],
  ],
  ['facets merged from nothing', { mergeFacets: {} }, [q('books', 'red')]],
  ['distinct over indexes', { distinct: 'group', limit: 50 }, [q('books', 'river'), q('films', 'river')]],
  [
    'distinct over pages',
    { distinct: 'group', page: 2, hitsPerPage: 9 },
    [q('books', 'river'), q('films', 'river')],
  ],
  ['distinct in a query', { limit: 9 }, [q('books', 'river', { distinct: 'kind' }), q('films', 'river')]],
  [
    'threshold',
    { page: 1 },
    [
      q('books', 'red house', { rankingScoreThreshold: 0.7 }),
      q('films', 'stone', { rankingScoreThreshold: 0.95 }),
    ],
  ],
  [
    'thresholds of one index',
    { limit: 6 },
    [
      q('books', 'red house', { rankingScoreThreshold: 0.7 }),
      q('books', 'stone light', { rankingScoreThreshold: 0.99 }),
    ],
  ],
  ['vectors asked for', { limit: 1 }, [q('books', 'red', { retrieveVectors: true })]],
];

const BY_VECTOR: [name: string, federation: object, queries: object[]][] = [
  ['one vector', { limit: 12 }, [near(5, 1)]],
  [
    'vectors beside words',
    { limit: 25 },
    [near(5, 1), q('books', 'red house'), near(7, 1, { filter: 'kind = a' })],
  ],
  [
    'weighted vectors',
    { limit: 25 },
    [near(5, 1, { federationOptions: { weight: 0.7 } }), q('films', 'red stone')],
  ],
  ['hybrid', { limit: 25 }, [near(5, 0.5, { q: 'red garden' }), q('books', 'red garden')]],
  [
    'hybrid, mostly words',
    { limit: 5 },
    [near(9, 0.1, { q: 'river' }), q('points', 'river', { filter: 'size > 10' })],
  ],
  [
    'vectors and facets',
    { facetsByIndex: { points: ['kind'] } },
    [near(2, 1, { filter: 'size > 20' }), q('points', 'song')],
  ],
  ['pages', { page: 2, hitsPerPage: 6 }, [near(2, 0.6, { q: 'song' }), q('books', 'song')]],
  ['retrieved vectors', { limit: 3 }, [near(2, 1, { retrieveVectors: true }), q('books', 'song')]],
];

const REFUSED: [name: string, body: unknown][] = [
  [
    'a wrong embedder',
    { federation: {}, queries: [q('books', 'a'), { ...near(1, 1), hybrid: { embedder: 'none' } }] },
  ],
  ['a wrong vector', { federation: {}, queries: [{ ...near(1, 1), vector: [1] }] }],
  ['a vector alone', { federation: {}, queries: [{ indexUid: 'points', vector: [1, 2, 3] }] }],
  ['a position', { federation: {}, queries: [q('books', 'a', { federationOptions: { queryPosition: 7 } })] }],
  ['limit in a query', { federation: {}, queries: [q('books', 'a'), q('books', 'a', { limit: 2 })] }],
  ['page in a query', { federation: {}, queries: [q('books', 'a', { page: 2 })] }],
  ['facets in a query', { federation: {}, queries: [q('books', 'a', { facets: ['kind', 'size'] })] }],
  [
    'performance details in a query',
    { federation: {}, queries: [q('books', 'a', { showPerformanceDetails: true })] },
  ],
  ['distinct twice', { federation: { distinct: 'kind' }, queries: [q('books', 'a', { distinct: 'kind' })] }],
  ['a negative weight', { federation: {}, queries: [weighted('books', 'a', -1)] }],
  ['a wrong weight', { federation: {}, queries: [q('books', 'a', { federationOptions: { weight: 'a' } })] }],
  ['unknown options', { federation: {}, queries: [q('books', 'a', { federationOptions: { wait: 1 } })] }],
  ['a remote', { federation: {}, queries: [q('books', 'a', { federationOptions: { remote: 'there' } })] }],
  ['an unknown field', { federation: { limt: 1 }, queries: [] }],
  ['a wrong limit', { federation: { limit: 'a' }, queries: [] }],
  ['a null limit', { federation: { limit: null }, queries: [] }],
  ['no object', { federation: 5, queries: [] }],
  ['no queries', { federation: {} }],
  ['a missing index', { federation: {}, queries: [q('books', 'a'), q('none', 'a')] }],
  [
    'a wrong filter',
    { federation: {}, queries: [q('books', 'a'), q('films', 'a', { filter: 'title = a' })] },
  ],
  ['a wrong sort', { federation: {}, queries: [q('books', 'a', { sort: ['kind:asc'] })] }],
  [
    'wrong facets',
    { federation: { facetsByIndex: { films: ['title'] } }, queries: [q('books', 'a'), q('films', 'a')] },
  ],
  [
    'hidden facets',
    { federation: { facetsByIndex: { films: ['_miroir'] } }, queries: [q('books', 'a'), q('films', 'a')] },
  ],
  [
    'wrong facets of an unused index',
    { federation: { facetsByIndex: { films: ['title'] } }, queries: [q('books', 'a')] },
  ],
  [
    'facets of a missing index',
    { federation: { facetsByIndex: { none: ['title'] } }, queries: [q('books', 'a')] },
  ],
  [
    'facets of a wrong index',
    { federation: { facetsByIndex: { 'not ok': ['title'] } }, queries: [q('books', 'a')] },
  ],
  [
    'facets in different orders',
    {
      federation: { facetsByIndex: { books: ['kind'], films: ['kind'] }, mergeFacets: {} },
      queries: [q('books', 'red'), q('films', 'red')],
    },
  ],
  ['a wrong distinct', { federation: { distinct: 'title' }, queries: [q('books', 'a')] }],
  ['options without federation', { queries: [weighted('books', 'a', 1)] }],
  [
    'sorts that cannot be compared',
    {
      federation: {},
      queries: [q('books', '', { sort: ['size:asc'] }), q('films', '', { sort: ['size:desc'] })],
    },
  ],
  [
    'a sort beside relevancy',
    { federation: {}, queries: [q('ranked', 'red', { sort: ['size:asc'] }), q('books', 'red')] },
  ],
];

const withLast = (index: SplitIndex): SplitIndex => ({
  ...index,
  settings: {
    ...index.settings,
    rankingRules: [...((index.settings.rankingRules as string[]) ?? RANKING_RULES), LAST],
  },
});

describe.skipIf(!onRealMeilisearch)('federated search on real nodes', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    fleet = await SplitFleet.start(INDEXES, withLast);
  }, 120_000);

  afterAll(async () => {
    await fleet?.close();
  });

  it.each([...ANSWERED, ...BY_VECTOR])('answers as one node does: %s', async (_name, federation, queries) => {
    const body = { federation, queries };
    const expected = await fleet.plain('/multi-search', body);
    expect(expected.status, expected.text).toBe(200);
    // The twin shows the rule that the fleet hides.
    const text = expected.text.replace(/,?"id:asc":\{[^}]*\}/g, '');
    expect(await fleet.ours('/multi-search', body)).toEqual({ ...expected, text });
  });

  it.each(REFUSED)('refuses as one node does: %s', async (_name, body) => {
    const expected = await fleet.plain('/multi-search', body);
    expect(expected.status, expected.text).toBe(400);
    expect(await fleet.ours('/multi-search', body)).toEqual(expected);
  });

  it('compares what only the hidden rule could keep from being compared', async () => {
    const queries = [q('books', 'red'), q('books', ''), q('films', '', { sort: ['size:desc'] })];
    const answer = await fleet.ours('/multi-search', {
      federation: { limit: 3 },
      queries: queries.slice(0, 2),
    });
    expect(answer.status).toBe(200);
    const hits = (JSON.parse(answer.text) as { hits: { _federation: { queriesPosition: number } }[] }).hits;
    expect(hits.map(({ _federation }) => _federation.queriesPosition)).toEqual([0, 0, 0]);
    const sorted = { federation: { limit: 3 }, queries: queries.slice(1) };
    expect((await fleet.ours('/multi-search', sorted)).status).toBe(200);
  });
});
