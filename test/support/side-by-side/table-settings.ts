// The table's part about settings: every sub-route read, changed, read again and reset, and every kind of wrong value.
import { SETTINGS } from '../../../shared/core/setting-table.js';
import { del, get, gets, patch, post, raw, type SideRequest, send } from './request.js';

const settings = (more = '') => `/indexes/tuned/settings${more}`;

/** A value that each setting takes. */
const GOOD: Record<string, unknown[]> = {
  displayedAttributes: [['title', 'id'], ['*'], null],
  searchableAttributes: [['title', 'text'], null],
  filterableAttributes: [
    ['kind', 'age'],
    [
      {
        attributePatterns: ['kind', 'a*'],
        features: { facetSearch: true, filter: { equality: true, comparison: false } },
      },
    ],
    ['kind', { attributePatterns: ['b*'] }],
    [],
  ],
  sortableAttributes: [['age', 'Age', 'age'], []],
  rankingRules: [
    ['words', 'age:desc'],
    ['words', 'typo', 'proximity', 'attribute', 'sort', 'exactness'],
  ],
  stopWords: [['the', 'a', 'the']],
  nonSeparatorTokens: [['@', '#']],
  separatorTokens: [['&sep', '|']],
  dictionary: [['J. R. R.', 'w.o.w']],
  synonyms: [{ b: ['a', 'c'], a: ['b'] }],
  distinctAttribute: ['kind', null],
  proximityPrecision: ['byAttribute', null],
  typoTolerance: [
    { enabled: false },
    { minWordSizeForTypos: { oneTypo: 4 }, disableOnWords: ['x'], disableOnAttributes: ['title'] },
    { enabled: null, disableOnNumbers: true },
  ],
  faceting: [{ maxValuesPerFacet: 3 }, { sortFacetValuesBy: { '*': 'count', kind: 'alpha' } }],
  pagination: [{ maxTotalHits: 77 }],
  searchCutoffMs: [150, null],
  localizedAttributes: [[{ attributePatterns: ['*_ja'], locales: ['jpn'] }], null],
  facetSearch: [false],
  prefixSearch: ['disabled'],
};

/** Values that are wrong for nearly every setting, and those that are wrong in a way of their own. */
const WRONG: unknown[] = [5, 'text', true, ['a', 1], { a: 1 }, [null]];
const OWN: Record<string, unknown[]> = {
  filterableAttributes: [
    [{ attributePatterns: 'a' }],
    [{}],
    [{ attributePatterns: ['a'], feature: {} }],
    ['_geo', '_vectors'],
  ],
  sortableAttributes: [['_geo'], ['_geoPoint(1,2)']],
  rankingRules: [
    ['wrds'],
    ['age:up'],
    ['_geo:asc'],
    ['_geoPoint(1,2):asc'],
    ['_geoRadius(1,2,3):asc'],
    ['words', 'words'],
  ],
  synonyms: [{ a: 'b' }, { a: [1] }],
  typoTolerance: [
    { enabled: 'yes' },
    { minWordSizeForTypos: { oneTypo: 9, twoTypos: 3 } },
    { minWordSizeForTypos: { oneTypo: 300 } },
    { minWordSizeForTypos: { oneTypo: 10 } },
    { minWordSize: {} },
    { disableOnWords: 'x' },
  ],
  faceting: [
    { maxValuesPerFacet: -1 },
    { maxValuesPerFacet: 1.5 },
    { sortFacetValuesBy: { a: 'up' } },
    { max: 1 },
  ],
  pagination: [{ maxTotalHits: 0 }, { maxTotalHits: 'x' }, { maxTotalHit: 1 }],
  searchCutoffMs: [-5, 1.5],
  localizedAttributes: [[{ attributePatterns: ['a'], locales: ['xx'] }], [{ locales: ['eng'] }]],
  proximityPrecision: ['byLetter'],
  prefixSearch: ['never'],
  displayedAttributes: [['a', 'a']],
  searchableAttributes: [['a', 'a']],
};

function subRoute({ key, route, method }: (typeof SETTINGS)[number]): SideRequest[] {
  const path = settings(`/${route}`);
  const good = GOOD[key] ?? [];
  return [
    get(path),
    ...good.flatMap((value) => [send(method, path, value), get(path)]),
    ...[...WRONG, ...(OWN[key] ?? [])].map((value) => send(method, path, value)),
    raw(method, path, ''),
    get(path),
    del(path),
    get(path),
  ];
}

/** Left out: what an experimental feature hides, and embedders, which need a model or a provider. */
const LEFT_OUT = new Set(['foreignKeys', 'chat', 'embedders']);

export const SETTING_REQUESTS: SideRequest[] = [
  ...gets('/indexes/none/settings', '/indexes/not ok/settings', '/indexes/none/settings/synonyms'),
  post('/indexes/tuned/documents', [
    { id: 1, title: 'the cat', text: 'a cat and a dog', kind: 'cat', age: 3 },
    { id: 2, title: 'a dog', text: 'the dog', kind: 'dog', age: 2 },
  ]),
  get(settings()),
  ...SETTINGS.filter(({ key }) => !LEFT_OUT.has(key)).flatMap(subRoute),
  get(settings()),
  patch(settings(), { stopWords: ['of'], rankingRules: ['words'], typoTolerance: { enabled: false } }),
  patch(settings(), { typoTolerance: { disableOnWords: ['z', 'a'] }, pagination: { maxTotalHits: 9 } }),
  get(settings()),
  patch(settings(), {}),
  patch(settings(), { stopWords: null }),
  patch(settings(), { stopWrds: ['a'] }),
  patch(settings(), { unknown: 1 }),
  patch(settings(), { stopWords: 'a' }),
  patch(settings(), { faceting: { maxValuesPerFacet: 'a' } }),
  patch(settings(), { rankingRules: ['words', 'words:up'] }),
  patch(settings(), []),
  patch(settings(), null),
  raw('PATCH', settings(), '{"stopWords": ['),
  raw('PATCH', settings(), '{}', 'text/csv'),
  post(settings(), {}),
  send('PUT', settings(), {}),
  patch('/indexes/not ok/settings', {}),
  patch('/indexes/by-settings/settings', { stopWords: ['a'] }),
  get('/indexes/by-settings'),
  get('/indexes/by-settings/settings/stop-words'),
  send('PUT', '/indexes/by-setting/settings/stop-words', ['b']),
  get('/indexes/by-setting'),
  patch('/indexes/never/settings', { unknown: 1 }),
  get('/indexes/never'),
  del(settings()),
  get(settings()),
  del('/indexes/none/settings'),
  del('/indexes/none/settings/synonyms'),
  patch('/indexes/tuned/settings/stop-words', ['a']),
  send('PUT', '/indexes/tuned/settings/faceting', {}),
  get('/indexes/tuned/settings/none'),
];
