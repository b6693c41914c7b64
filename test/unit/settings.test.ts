import { describe, expect, it } from 'vitest';
import { ApiError } from '../../shared/core/errors.js';
import {
  checkSetting,
  checkSettings,
  defaultSettings,
  mergeSettings,
  nodePatch,
  nodeSettings,
  resetPatch,
  SETTING_ROUTES,
  settingsFailure,
  settingView,
  userView,
} from '../../shared/core/settings.js';

function refusal(run: () => unknown): [string, string] {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return [error.code, error.message];
    throw error;
  }
  throw new Error('accepted');
}

const KEYS =
  '`displayedAttributes`, `searchableAttributes`, `filterableAttributes`, `sortableAttributes`, `foreignKeys`, ' +
  '`rankingRules`, `stopWords`, `nonSeparatorTokens`, `separatorTokens`, `dictionary`, `synonyms`, ' +
  '`distinctAttribute`, `proximityPrecision`, `typoTolerance`, `faceting`, `pagination`, `embedders`, ' +
  '`searchCutoffMs`, `localizedAttributes`, `facetSearch`, `prefixSearch`, `chat`';

// Messages as given by Meilisearch 1.50.0.
describe('checkSettings', () => {
  it.each<[unknown, string, string]>([
    [{ zz: 1 }, 'bad_request', `Unknown field \`zz\`: expected one of ${KEYS}`],
    [[], 'bad_request', 'Invalid value type: expected an object, but found an array: `[]`'],
    [
      { rankingRules: ['zz'] },
      'invalid_settings_ranking_rules',
      'Invalid value at `.rankingRules[0]`: `zz` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, exactness and custom ranking rules.',
    ],
    [
      { rankingRules: ['_geoPoint(1,2):asc'] },
      'invalid_settings_ranking_rules',
      "Invalid value at `.rankingRules[0]`: `_geoPoint` is a reserved keyword and thus can't be used as a ranking rule. `_geoPoint` can only be used for sorting at search time",
    ],
    [
      { rankingRules: ['_geo:asc'] },
      'invalid_settings_ranking_rules',
      "Invalid value at `.rankingRules[0]`: `_geo` is a reserved keyword and thus can't be used as a ranking rule",
    ],
    [
      { rankingRules: ['attribute', 'wordPosition'] },
      'invalid_settings_ranking_rules',
      'Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. You must either use the attribute ranking rule alone or the attributeRank and wordPosition ranking rules.',
    ],
    [
      { displayedAttributes: 'doggo' },
      'invalid_settings_displayed_attributes',
      'Invalid value type at `.displayedAttributes`: expected an array, but found a string: `"doggo"`',
    ],
    [
      { filterableAttributes: [3] },
      'invalid_settings_filterable_attributes',
      'Invalid value type at `.filterableAttributes[0]`: expected a string, but found a positive integer: `3`',
    ],
    [
      { filterableAttributes: [{}] },
      'invalid_settings_filterable_attributes',
      'Missing field `attributePatterns` inside `.filterableAttributes[0]`',
    ],
    [
      { filterableAttributes: [{ attributePatterns: ['a'], features: { filter: { z: 1 } } }] },
      'invalid_settings_filterable_attributes',
      'Unknown field `z` inside `.filterableAttributes[0].features.filter`: expected one of `equality`, `comparison`',
    ],
    [
      { typoTolerance: { minWordSizeForTypos: { oneTypo: 300 } } },
      'invalid_settings_typo_tolerance',
      'Invalid value at `.typoTolerance.minWordSizeForTypos.oneTypo`: value: `300` is too large to be deserialized, maximum value authorized is `255`',
    ],
    [
      { typoTolerance: { minWordSizeForTypos: { oneTypo: 9, twoTypos: 5 } } },
      'invalid_settings_typo_tolerance',
      'Invalid value at `.typoTolerance.minWordSizeForTypos`: `minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found `oneTypo: 9` and twoTypos: 5`.',
    ],
    [
      { pagination: { maxTotalHits: 0 } },
      'invalid_settings_pagination',
      'Invalid value at `.pagination.maxTotalHits`: a non-zero integer value lower than `18446744073709551615` was expected, but found a zero',
    ],
    [
      { searchCutoffMs: 1.5 },
      'invalid_settings_search_cutoff_ms',
      'Invalid value type at `.searchCutoffMs`: expected a positive integer, but found a number: `1.5`',
    ],
    [
      { proximityPrecision: 'zz' },
      'invalid_settings_proximity_precision',
      'Unknown value `zz` at `.proximityPrecision`: expected one of `byWord`, `byAttribute`',
    ],
    [
      { synonyms: { a: [3] } },
      'invalid_settings_synonyms',
      'Invalid value type at `.synonyms.a[0]`: expected a string, but found a positive integer: `3`',
    ],
    [
      { embedders: { a: { source: 'userProvided' } } },
      'invalid_settings_embedders',
      '`.embedders.a`: Missing field `dimensions` (note: this field is mandatory for source `userProvided`)',
    ],
    [
      { chat: { zz: 1 } },
      'invalid_settings_index_chat',
      'Unknown field `zz` inside `.chat`: expected one of `description`, `documentTemplate`, `documentTemplateMaxBytes`, `searchParameters`',
    ],
  ])('refuses %j', (body, code, message) => {
    expect(refusal(() => checkSettings(body))).toEqual([code, message]);
  });

  it('names no key for a sub-route', () => {
    expect(refusal(() => checkSetting('proximityPrecision', 'zz'))).toEqual([
      'invalid_settings_proximity_precision',
      'Unknown value `zz`: expected one of `byWord`, `byAttribute`',
    ]);
    expect(refusal(() => checkSetting('synonyms', { a: 3 }))[1]).toBe(
      'Invalid value type at `.a`: expected an array, but found a positive integer: `3`',
    );
    expect(refusal(() => checkSetting('rankingRules', ['zz']))[1]).toContain('Invalid value at `[0]`: ');
  });

  it('answers the patch in the order and form in which Meilisearch shows it', () => {
    const patch = checkSettings({
      stopWords: ['b', 'a', 'b'],
      synonyms: { Z: ['b', 'a'], A: ['x'] },
      filterableAttributes: ['q', { attributePatterns: ['b*'] }],
      rankingRules: null,
    });
    expect(JSON.stringify(patch)).toBe(
      '{"filterableAttributes":["q",{"attributePatterns":["b*"],"features":{"facetSearch":false,' +
        '"filter":{"equality":true,"comparison":false}}}],"rankingRules":null,"stopWords":["a","b"],' +
        '"synonyms":{"A":["x"],"Z":["b","a"]}}',
    );
  });

  it('knows every route', () => {
    expect(SETTING_ROUTES).toHaveLength(22);
    const patched = SETTING_ROUTES.filter((route) => route.method === 'PATCH').map((route) => route.route);
    expect(patched).toEqual(['typo-tolerance', 'faceting', 'pagination', 'embedders', 'chat']);
    expect(SETTING_ROUTES.some((route) => route.route === 'search-cutoff-ms')).toBe(true);
  });
});

describe('merging and views', () => {
  it('shows the defaults of Meilisearch 1.50 in its order', () => {
    expect(JSON.stringify(userView({}))).toBe(
      '{"displayedAttributes":["*"],"searchableAttributes":["*"],"filterableAttributes":[],"sortableAttributes":[],"rankingRules":["words","typo","proximity","attributeRank","sort","wordPosition","exactness"],"stopWords":[],"nonSeparatorTokens":[],"separatorTokens":[],"dictionary":[],"synonyms":{},"distinctAttribute":null,"proximityPrecision":"byWord","typoTolerance":{"enabled":true,"minWordSizeForTypos":{"oneTypo":5,"twoTypos":9},"disableOnWords":[],"disableOnAttributes":[],"disableOnNumbers":false},"faceting":{"maxValuesPerFacet":100,"sortFacetValuesBy":{"*":"alpha"}},"pagination":{"maxTotalHits":1000},"embedders":{},"searchCutoffMs":null,"localizedAttributes":null,"facetSearch":true,"prefixSearch":"indexingTime"}',
    );
  });

  it('merges objects field by field and resets with null', () => {
    let settings = mergeSettings(
      {},
      { typoTolerance: { enabled: false, minWordSizeForTypos: { oneTypo: 6 } } },
    );
    settings = mergeSettings(settings, { typoTolerance: { minWordSizeForTypos: { twoTypos: 12 } } });
    settings = mergeSettings(settings, { faceting: { sortFacetValuesBy: { c: 'count' } }, stopWords: ['a'] });
    expect(userView(settings)).toMatchObject({
      typoTolerance: { enabled: false, minWordSizeForTypos: { oneTypo: 6, twoTypos: 12 } },
      faceting: { maxValuesPerFacet: 100, sortFacetValuesBy: { '*': 'alpha', c: 'count' } },
      stopWords: ['a'],
    });
    settings = mergeSettings(settings, { typoTolerance: { enabled: null }, stopWords: null });
    expect(userView(settings)).toMatchObject({ typoTolerance: { enabled: true }, stopWords: [] });
    expect(mergeSettings(settings, resetPatch())).toEqual({});
    expect(mergeSettings({ searchableAttributes: ['a'] }, { searchableAttributes: ['b', '*'] })).toEqual({});
  });

  it('masks keys of embedders and drops an embedder that is null', () => {
    const settings = mergeSettings(
      {},
      { embedders: { a: { source: 'rest', apiKey: 'abcdefghijkl' }, b: {} } },
    );
    expect(settingView(settings, 'embedders')).toEqual({ a: { source: 'rest', apiKey: 'abXXXX...' }, b: {} });
    expect(Object.keys(mergeSettings(settings, { embedders: { a: null } }).embedders as object)).toEqual([
      'b',
    ]);
  });

  it('finds what only the merged settings show', () => {
    const patch = checkSettings({ typoTolerance: { minWordSizeForTypos: { oneTypo: 10 } } });
    expect(settingsFailure(mergeSettings({}, patch), 'movies')?.message).toContain(
      'Index `movies`: `minWordSizeForTypos` setting is invalid.',
    );
    expect(settingsFailure({}, 'movies')).toBeNull();
  });
});

describe('what nodes are told', () => {
  it('adds the hidden parts and never shows fewer fields than all', () => {
    const node = nodeSettings(
      { displayedAttributes: ['a'], filterableAttributes: ['a'], sortableAttributes: ['b'] },
      'id',
    );
    expect(node).toMatchObject({
      displayedAttributes: ['*'],
      filterableAttributes: ['a', '_miroir'],
      sortableAttributes: ['b', 'id'],
      searchCutoffMs: 60_000,
      stopWords: null,
    });
    expect(node.rankingRules).toEqual([...(defaultSettings().rankingRules as string[]), 'id:asc']);
    expect(nodeSettings({}, null).rankingRules).toEqual(defaultSettings().rankingRules);
    expect((node.faceting as { maxValuesPerFacet: number }).maxValuesPerFacet).toBeGreaterThan(1e6);
    expect(nodeSettings({ searchCutoffMs: 5 }, null).searchCutoffMs).toBe(5);
  });

  it('puts the hidden rule first only where a pattern would match the hidden field', () => {
    const rule = (pattern: string) => ({ attributePatterns: [pattern], features: {} });
    const hiddenAt = (pattern: string) =>
      JSON.stringify(
        (nodeSettings({ filterableAttributes: [rule(pattern)] }, null).filterableAttributes as unknown[])[0],
      ).includes('_miroir');
    expect(['*', '_*', '*r', '*iro*'].map(hiddenAt)).toEqual([true, true, true, true]);
    expect(['a*', '*x', '*zz*', 'a'].map(hiddenAt)).toEqual([false, false, false, false]);
  });

  it('sends only the keys of the entry, merged and with their hidden parts', () => {
    const patch = { typoTolerance: { enabled: null }, sortableAttributes: ['z'], displayedAttributes: ['a'] };
    const merged = mergeSettings(
      { stopWords: ['a'], typoTolerance: { enabled: false, disableOnNumbers: true } },
      patch,
    );
    expect(nodePatch(patch, merged, 'id')).toEqual({
      typoTolerance: {
        enabled: null,
        minWordSizeForTypos: null,
        disableOnWords: null,
        disableOnAttributes: null,
        disableOnNumbers: true,
      },
      sortableAttributes: ['z', 'id'],
    });
    expect(nodePatch({ displayedAttributes: ['a'] }, merged, 'id')).toEqual({});
    expect(nodePatch({ faceting: null }, {}, 'id')).toEqual({
      faceting: { maxValuesPerFacet: 1_000_000_000, sortFacetValuesBy: null },
    });
  });
});
