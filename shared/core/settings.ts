// An index's settings: the user's patches checked and merged, the view that clients get, and what nodes are told.
import { ApiError, type MeilisearchError, meilisearchError } from './errors.js';
import { unknownField, wrongKind } from './field-errors.js';
import { checkKind } from './setting-kinds.js';
import { RANKING_RULES, SETTINGS, type SettingRow, typoLengthsProblem } from './setting-table.js';
import { maskSecret } from './tasks.js';
import { SHARD_FIELD } from './topology.js';

/** Settings in Meilisearch's form. A key that is missing has its default. */
export type SettingsObject = Readonly<Record<string, unknown>>;

/** Every sub-route with its key and the method that updates it. */
export const SETTING_ROUTES: readonly Pick<SettingRow, 'key' | 'route' | 'method'>[] = SETTINGS;

/** Nodes must never cut facet values, nor a search short that the proxy will merge. */
const NODE_MAX_VALUES_PER_FACET = 1_000_000_000;
const NODE_SEARCH_CUTOFF_MS = 60_000;

const NESTED = new Set(['typoTolerance', 'faceting', 'pagination', 'chat']);
const COMPLETED = new Set(['typoTolerance', 'faceting', 'pagination']);
const KEYS = SETTINGS.map((setting) => setting.key);

/** Checks the body of PATCH /settings and answers it in Meilisearch's own form and order; throws ApiError. */
export function checkSettings(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw wrongKind('', 'an object', body, 'bad_request');
  }
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const setting = SETTINGS.find((candidate) => candidate.key === key);
    if (setting === undefined) throw unknownField(key, KEYS);
    checked[key] = value === null ? null : checkKind(setting.kind, value, `.${key}`, setting.code);
  }
  checkTogether(checked);
  return Object.fromEntries(
    KEYS.filter((key) => checked[key] !== undefined).map((key) => [key, checked[key]]),
  );
}

/** Checks the body of a sub-route; the answer is a patch with that one key. */
export function checkSetting(key: string, value: unknown): Record<string, unknown> {
  const setting = SETTINGS.find((candidate) => candidate.key === key);
  if (setting === undefined) throw unknownField(key, KEYS);
  const checked = { [key]: value === null ? null : checkKind(setting.kind, value, '', setting.code) };
  checkTogether(checked);
  return checked;
}

/** What Meilisearch checks once every value has its shape: mixed rules, and features that are off. */
function checkTogether(patch: Record<string, unknown>): void {
  if (patch.foreignKeys) {
    throw new ApiError(
      'feature_not_enabled',
      'setting `foreignKeys` in the index settings requires enabling the `foreign_keys` experimental feature. ' +
        'See https://github.com/orgs/meilisearch/discussions/873',
    );
  }
  const rules = (patch.rankingRules ?? []) as string[];
  if (rules.includes('attribute') && (rules.includes('attributeRank') || rules.includes('wordPosition'))) {
    throw new ApiError(
      'invalid_settings_ranking_rules',
      'Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. You must either use the ' +
        'attribute ranking rule alone or the attributeRank and wordPosition ranking rules.',
    );
  }
}

/** The patch of DELETE /settings: everything back to its default. */
export function resetPatch(): Record<string, unknown> {
  return Object.fromEntries(KEYS.map((key) => [key, null]));
}

/** The settings after a patch; null resets, objects are merged field by field as Meilisearch does. */
export function mergeSettings(current: SettingsObject, patch: SettingsObject): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...current };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete merged[key];
    else if (key === 'embedders') merged[key] = mergeEmbedders(asObject(merged[key]), asObject(value));
    else if (NESTED.has(key)) merged[key] = mergeObject(asObject(merged[key]), asObject(value));
    else if (key === 'displayedAttributes' || key === 'searchableAttributes') {
      // A star anywhere means all fields, which is the default.
      if ((value as string[]).includes('*')) delete merged[key];
      else merged[key] = [...new Set(value as string[])];
    } else merged[key] = value;
  }
  return merged;
}

function asObject(value: unknown): Record<string, unknown> {
  return (value ?? {}) as Record<string, unknown>;
}

function mergeObject(
  current: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...current };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (key === 'minWordSizeForTypos') merged[key] = mergeObject(asObject(merged[key]), asObject(value));
    else merged[key] = value;
  }
  return merged;
}

function mergeEmbedders(
  current: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...current };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      delete merged[name];
      continue;
    }
    const before = asObject(merged[name]);
    const change = asObject(value);
    // Another source starts from its own defaults.
    const kept = change.source !== undefined && change.source !== before.source ? {} : before;
    merged[name] = mergeObject(kept, change);
  }
  return merged;
}

/** Why these merged settings cannot be: the failure of the task that asked for them, or null. */
export function settingsFailure(settings: SettingsObject, indexUid: string): MeilisearchError | null {
  const lengths = asObject(asObject(settings.typoTolerance).minWordSizeForTypos);
  const oneTypo = (lengths.oneTypo ?? 5) as number;
  const twoTypos = (lengths.twoTypos ?? 9) as number;
  if (oneTypo <= twoTypos) return null;
  const problem = typoLengthsProblem(oneTypo, twoTypos);
  return meilisearchError('invalid_settings_typo_tolerance', `Index \`${indexUid}\`: ${problem}`);
}

/** What GET /settings answers for an index on which nothing was set, in Meilisearch's key order. */
export function defaultSettings(): Record<string, unknown> {
  return {
    displayedAttributes: ['*'],
    searchableAttributes: ['*'],
    filterableAttributes: [],
    sortableAttributes: [],
    rankingRules: [...RANKING_RULES],
    stopWords: [],
    nonSeparatorTokens: [],
    separatorTokens: [],
    dictionary: [],
    synonyms: {},
    distinctAttribute: null,
    proximityPrecision: 'byWord',
    typoTolerance: {
      enabled: true,
      minWordSizeForTypos: { oneTypo: 5, twoTypos: 9 },
      disableOnWords: [],
      disableOnAttributes: [],
      disableOnNumbers: false,
    },
    faceting: { maxValuesPerFacet: 100, sortFacetValuesBy: { '*': 'alpha' } },
    pagination: { maxTotalHits: 1000 },
    embedders: {},
    searchCutoffMs: null,
    localizedAttributes: null,
    facetSearch: true,
    prefixSearch: 'indexingTime',
  };
}

/** What a client sees of an index's settings: complete, in Meilisearch's order, secrets masked. */
export function userView(settings: SettingsObject): Record<string, unknown> {
  const view = defaultSettings();
  for (const key of Object.keys(view)) {
    const value = settings[key];
    if (value !== undefined) view[key] = NESTED.has(key) ? fill(asObject(view[key]), asObject(value)) : value;
  }
  const embedders = Object.entries(asObject(view.embedders));
  view.embedders = Object.fromEntries(embedders.map(([name, config]) => [name, masked(asObject(config))]));
  return view;
}

function fill(defaults: Record<string, unknown>, given: Record<string, unknown>): Record<string, unknown> {
  const filled = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const nested = key === 'minWordSizeForTypos' || key === 'sortFacetValuesBy';
    filled[key] = nested ? { ...asObject(filled[key]), ...asObject(value) } : value;
  }
  return filled;
}

function masked(embedder: Record<string, unknown>): Record<string, unknown> {
  if (typeof embedder.apiKey !== 'string') return embedder;
  return { ...embedder, apiKey: maskSecret(embedder.apiKey) };
}

/** What GET of a sub-route answers. */
export function settingView(settings: SettingsObject, key: string): unknown {
  if (key === 'foreignKeys') return settings.foreignKeys ?? [];
  if (key === 'chat') return { ...CHAT_DEFAULTS, ...asObject(settings.chat) };
  return userView(settings)[key];
}

const CHAT_DEFAULTS = {
  description: '',
  documentTemplate:
    '{% for field in fields %}{% if field.is_searchable and field.value != nil %}{{ field.name }}: ' +
    '{{ field.value }}\n{% endif %}{% endfor %}',
  documentTemplateMaxBytes: 400,
  searchParameters: {},
};

/**
 * All settings as a node must have them, the hidden parts included: the body of a PATCH that leaves nothing as it
 * was. Keys that the user did not set are null, which resets them.
 */
export function nodeSettings(settings: SettingsObject, primaryKey: string | null): Record<string, unknown> {
  const full: Record<string, unknown> = {};
  for (const key of KEYS) {
    const value = settings[key];
    // These two are behind experimental features: naming them is an error where they are off.
    if (value === undefined && (key === 'chat' || key === 'foreignKeys')) continue;
    full[key] = value === undefined || !COMPLETED.has(key) ? (value ?? null) : completed(settings, key);
  }
  full.displayedAttributes = ['*'];
  full.filterableAttributes = nodeFilterable((settings.filterableAttributes ?? []) as FilterableRule[]);
  const sortable = (settings.sortableAttributes ?? []) as string[];
  const rules = (settings.rankingRules ?? RANKING_RULES) as string[];
  if (primaryKey === null) {
    full.sortableAttributes = [...sortable];
    full.rankingRules = [...rules];
  } else {
    full.sortableAttributes = sortable.includes(primaryKey) ? [...sortable] : [...sortable, primaryKey];
    full.rankingRules = [...rules, `${primaryKey}:asc`];
  }
  full.faceting = { ...completed(settings, 'faceting'), maxValuesPerFacet: NODE_MAX_VALUES_PER_FACET };
  full.searchCutoffMs = settings.searchCutoffMs ?? NODE_SEARCH_CUTOFF_MS;
  return full;
}

/**
 * The smallest PATCH that brings a node from the settings before an entry to those after it: the keys of the entry
 * with their merged values and hidden parts. An empty object means that a node has nothing to do.
 */
export function nodePatch(
  patch: SettingsObject,
  merged: SettingsObject,
  primaryKey: string | null,
): Record<string, unknown> {
  const full = nodeSettings(merged, primaryKey);
  const smallest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(patch)) {
    if (key === 'displayedAttributes') continue;
    if (key === 'embedders') {
      // Meilisearch merges embedders itself, and only a null removes one.
      smallest[key] = value;
    } else if (full[key] !== undefined) {
      smallest[key] = full[key];
    }
  }
  return smallest;
}

/** An object setting with a null for every field that the user left alone, so that a PATCH leaves nothing over. */
function completed(settings: SettingsObject, key: string): Record<string, unknown> {
  const given = asObject(settings[key]);
  const lengths = asObject(given.minWordSizeForTypos);
  const fields = Object.keys(asObject(defaultSettings()[key]));
  const filled = Object.fromEntries(fields.map((field) => [field, given[field] ?? null]));
  if (given.minWordSizeForTypos !== undefined) {
    filled.minWordSizeForTypos = { oneTypo: lengths.oneTypo ?? null, twoTypos: lengths.twoTypos ?? null };
  }
  return filled;
}

type FilterableRule = string | { attributePatterns: string[]; features: unknown };

const HIDDEN_RULE: FilterableRule = {
  attributePatterns: [SHARD_FIELD],
  features: { facetSearch: false, filter: { equality: true, comparison: false } },
};

/** The user's list with the hidden field: a plain name among names, a rule of its own among rules. */
function nodeFilterable(rules: readonly FilterableRule[]): FilterableRule[] {
  if (rules.every((rule) => typeof rule === 'string')) return [...rules, SHARD_FIELD];
  // The first rule that matches a field decides. Only where a user's pattern would match must ours come before:
  // error messages name rules by their position.
  const taken = rules.some((rule) => typeof rule !== 'string' && rule.attributePatterns.some(matchesHidden));
  return taken ? [HIDDEN_RULE, ...rules] : [...rules, HIDDEN_RULE];
}

function matchesHidden(pattern: string): boolean {
  const text = pattern.replace(/^\*|\*$/g, '');
  const [open, closed] = [pattern.startsWith('*'), pattern.length > 1 && pattern.endsWith('*')];
  if (pattern === '*') return true;
  if (open && closed) return SHARD_FIELD.includes(text);
  if (open) return SHARD_FIELD.endsWith(text);
  return closed ? SHARD_FIELD.startsWith(text) : SHARD_FIELD === pattern;
}
