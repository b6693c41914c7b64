// Settings of a node against the journal's: what Meilisearch answers differently in form only is no drift.
import { describe, expect, it } from 'vitest';
import { defaultSettings, nodeSettings } from '../../shared/core/settings.js';
import { settingsDrift } from '../../shared/core/settings-drift.js';

/** What a node answers that was given these settings. */
function answer(settings: Record<string, unknown>, primaryKey: string | null): Record<string, unknown> {
  const defaults = defaultSettings();
  const wanted = nodeSettings(settings, primaryKey);
  const filled = (key: string, inner: unknown) =>
    Object.fromEntries(
      Object.entries(defaults[key] as object).map(([field, fallback]) => [
        field,
        (inner as Record<string, unknown>)[field] ?? fallback,
      ]),
    );
  return Object.fromEntries(
    Object.entries(defaults).map(([key, fallback]) => {
      const value = wanted[key] ?? fallback;
      return [key, ['typoTolerance', 'faceting', 'pagination'].includes(key) ? filled(key, value) : value];
    }),
  );
}

describe('settings drift', () => {
  it.each([
    [{}, null],
    [{}, 'id'],
    [{ filterableAttributes: ['b', 'a'], stopWords: ['the', 'a'], rankingRules: ['words'] }, 'id'],
    [{ typoTolerance: { enabled: false }, synonyms: { a: ['b'], c: ['d', 'e'] } }, 'id'],
  ])('is none where a node has what it was given: %j', (settings, primaryKey) => {
    const actual = answer(settings, primaryKey);
    expect(settingsDrift(settings, primaryKey, actual)).toEqual([]);
    const reversed = {
      ...actual,
      filterableAttributes: [...(actual.filterableAttributes as string[])].reverse(),
    };
    expect(settingsDrift(settings, primaryKey, reversed)).toEqual([]);
  });

  it('names hidden parts that are gone, order where it matters, and fields inside of objects', () => {
    const settings = { sortableAttributes: ['price'], rankingRules: ['words', 'sort'] };
    const actual = answer(settings, 'id');
    expect(settingsDrift(settings, 'id', { ...actual, filterableAttributes: [] })).toEqual([
      'filterableAttributes',
    ]);
    expect(settingsDrift(settings, 'id', { ...actual, rankingRules: ['words', 'sort'] })).toEqual([
      'rankingRules',
    ]);
    expect(settingsDrift(settings, 'id', { ...actual, rankingRules: ['sort', 'words', 'id:asc'] })).toEqual([
      'rankingRules',
    ]);
    const tolerant = { ...actual, typoTolerance: { ...(actual.typoTolerance as object), enabled: false } };
    expect(settingsDrift(settings, 'id', tolerant)).toEqual(['typoTolerance']);
    const capped = { ...actual, faceting: { maxValuesPerFacet: 100, sortFacetValuesBy: { '*': 'alpha' } } };
    expect(settingsDrift(settings, 'id', capped)).toEqual(['faceting']);
  });

  it('compares of embedders what was given, never their secret', () => {
    const settings = { embedders: { own: { source: 'userProvided', dimensions: 3, apiKey: 'secret' } } };
    const actual = answer(settings, null);
    const masked = {
      ...actual,
      embedders: { own: { source: 'userProvided', dimensions: 3, apiKey: 'se...', more: 1 } },
    };
    expect(settingsDrift(settings, null, masked)).toEqual([]);
    expect(settingsDrift(settings, null, { ...actual, embedders: {} })).toEqual(['embedders']);
    expect(settingsDrift({}, null, masked)).toEqual(['embedders']);
  });
});
