// Settings of an index: Meilisearch's keys and defaults, merging, and which attribute is filterable or sortable.
import { ApiError } from '../shared/core/errors.js';
import { RELEVANCY_RULES } from '../shared/core/setting-table.js';
import { defaultSettings as meilisearchDefaults } from '../shared/core/settings.js';

export interface FilterableRule {
  attributePatterns: string[];
  features?: { facetSearch?: boolean; filter?: { equality?: boolean; comparison?: boolean } };
}

export interface Settings {
  displayedAttributes: string[];
  searchableAttributes: string[];
  filterableAttributes: (string | FilterableRule)[];
  sortableAttributes: string[];
  foreignKeys?: unknown[];
  rankingRules: string[];
  stopWords: string[];
  nonSeparatorTokens: string[];
  separatorTokens: string[];
  dictionary: string[];
  synonyms: Record<string, string[]>;
  distinctAttribute: string | null;
  proximityPrecision: string;
  typoTolerance: {
    enabled: boolean;
    minWordSizeForTypos: { oneTypo: number; twoTypos: number };
    disableOnWords: string[];
    disableOnAttributes: string[];
    disableOnNumbers: boolean;
  };
  faceting: { maxValuesPerFacet: number; sortFacetValuesBy: Record<string, string> };
  pagination: { maxTotalHits: number };
  embedders: Record<string, unknown>;
  searchCutoffMs: number | null;
  localizedAttributes: unknown[] | null;
  facetSearch: boolean;
  prefixSearch: string;
}

/** What an index without settings of its own has. */
export function defaultSettings(): Settings {
  return meilisearchDefaults() as unknown as Settings;
}

type Kind = 'array' | 'string' | 'object' | 'integer' | 'boolean';
const KINDS: Record<string, Kind> = {
  displayedAttributes: 'array',
  searchableAttributes: 'array',
  filterableAttributes: 'array',
  sortableAttributes: 'array',
  foreignKeys: 'array',
  rankingRules: 'array',
  stopWords: 'array',
  nonSeparatorTokens: 'array',
  separatorTokens: 'array',
  dictionary: 'array',
  synonyms: 'object',
  distinctAttribute: 'string',
  proximityPrecision: 'string',
  typoTolerance: 'object',
  faceting: 'object',
  pagination: 'object',
  embedders: 'object',
  searchCutoffMs: 'integer',
  localizedAttributes: 'array',
  facetSearch: 'boolean',
  prefixSearch: 'string',
  chat: 'object',
};
const EXPECTED: Record<Kind, string> = {
  array: 'an array',
  string: 'a string',
  object: 'an object',
  integer: 'a positive integer',
  boolean: 'a boolean',
};
/** Lists that Meilisearch keeps as sorted sets. */
const SETS = new Set([
  'sortableAttributes',
  'stopWords',
  'nonSeparatorTokens',
  'separatorTokens',
  'dictionary',
]);
const RULES = new Set([...RELEVANCY_RULES, 'sort']);

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Sub-route names and the settings that they stand for. */
export const SETTING_ROUTES: ReadonlyMap<string, string> = new Map(
  Object.keys(KINDS).map((name) => [kebab(name), name]),
);

/** What deserr calls a JSON value. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  const text = JSON.stringify(value);
  if (Array.isArray(value)) return `an array: \`${text}\``;
  if (typeof value === 'object') return `an object: \`${text}\``;
  if (typeof value === 'string') return `a string: \`${text}\``;
  if (typeof value === 'boolean') return `a boolean: \`${text}\``;
  return Number.isInteger(value)
    ? `${(value as number) < 0 ? 'a negative' : 'a positive'} integer: \`${text}\``
    : `a number: \`${text}\``;
}

function hasKind(value: unknown, kind: Kind): boolean {
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return typeof value === 'object' && !Array.isArray(value);
  if (kind === 'integer') return Number.isInteger(value) && (value as number) >= 0;
  return typeof value === kind;
}

/** Throws Meilisearch's error for an unknown key, a wrong type or a wrong ranking rule. */
export function checkSettings(patch: unknown): asserts patch is Record<string, unknown> {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    throw new ApiError(
      'bad_request',
      `Invalid value type: expected an object, but found ${describeValue(patch)}`,
    );
  }
  for (const [name, value] of Object.entries(patch)) {
    const kind = KINDS[name];
    if (!kind) {
      const names = Object.keys(KINDS).map((known) => `\`${known}\``);
      throw new ApiError('bad_request', `Unknown field \`${name}\`: expected one of ${names.join(', ')}`);
    }
    if (value !== null && !hasKind(value, kind)) {
      throw new ApiError(
        `invalid_settings_${kebab(name).replaceAll('-', '_')}`,
        `Invalid value type at \`.${name}\`: expected ${EXPECTED[kind]}, but found ${describeValue(value)}`,
      );
    }
  }
  const rules = (patch as { rankingRules?: unknown[] | null }).rankingRules ?? [];
  for (const [at, rule] of rules.entries()) {
    if (RULES.has(String(rule)) || /^.+:(asc|desc)$/.test(String(rule))) continue;
    throw new ApiError(
      'invalid_settings_ranking_rules',
      `Invalid value at \`.rankingRules[${at}]\`: \`${rule}\` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, exactness and custom ranking rules.`,
    );
  }
}

/** The settings after a patch: null resets, objects merge one level down. */
export function mergeSettings(current: Settings, patch: Record<string, unknown>): Settings {
  const merged: Record<string, unknown> = { ...current };
  const defaults = defaultSettings() as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      if (name in defaults) merged[name] = defaults[name];
      else delete merged[name];
    } else if (KINDS[name] === 'object' && name !== 'synonyms') {
      merged[name] = mergeObject(merged[name], value, defaults[name]);
    } else merged[name] = SETS.has(name) ? [...new Set(value as string[])].sort() : value;
  }
  return merged as unknown as Settings;
}

function mergeObject(current: unknown, patch: unknown, defaults: unknown): unknown {
  const merged: Record<string, unknown> = { ...(current as object) };
  for (const [name, value] of Object.entries(patch as object)) {
    if (value === null) {
      const initial = (defaults as Record<string, unknown> | undefined)?.[name];
      if (initial === undefined) delete merged[name];
      else merged[name] = initial;
    } else if (typeof value === 'object' && !Array.isArray(value)) {
      merged[name] = { ...(merged[name] as object), ...value };
    } else merged[name] = value;
  }
  return merged;
}

/** Whether a pattern (`name`, `name.*`, `*suffix`, `*`) covers an attribute, its parents included. */
export function patternCovers(pattern: string, attribute: string): boolean {
  if (pattern === '*') return true;
  if (pattern.startsWith('*') && pattern.endsWith('*')) return attribute.includes(pattern.slice(1, -1));
  if (pattern.startsWith('*')) return attribute.endsWith(pattern.slice(1));
  if (pattern.endsWith('*')) return attribute.startsWith(pattern.slice(0, -1));
  return attribute === pattern || attribute.startsWith(`${pattern}.`);
}

export interface FilterFeatures {
  rule: number;
  equality: boolean;
  comparison: boolean;
}

/** What the first rule that covers an attribute allows; null where none does. */
export function filterFeatures(settings: Settings, attribute: string): FilterFeatures | null {
  for (const [rule, entry] of settings.filterableAttributes.entries()) {
    if (typeof entry === 'string') {
      if (patternCovers(entry, attribute)) return { rule, equality: true, comparison: true };
    } else if (entry.attributePatterns.some((pattern) => patternCovers(pattern, attribute))) {
      const filter = entry.features?.filter;
      return { rule, equality: filter?.equality ?? true, comparison: filter?.comparison ?? false };
    }
  }
  return null;
}

/** All filterable patterns, sorted, for messages. */
export function filterablePatterns(settings: Settings): string[] {
  const patterns = settings.filterableAttributes.flatMap((entry) =>
    typeof entry === 'string' ? [entry] : entry.attributePatterns,
  );
  return [...new Set(patterns)].sort();
}

/** What a message says of the filterable attributes that there are. */
export function describeFilterable(settings: Settings): string {
  const patterns = filterablePatterns(settings);
  return patterns.length === 0
    ? 'This index does not have configured filterable attributes.'
    : `Available filterable attributes patterns are: \`${patterns.join(', ')}\`.`;
}

export function isSortable(settings: Settings, attribute: string): boolean {
  return settings.sortableAttributes.some((pattern) => patternCovers(pattern, attribute));
}

/** Attributes that ranking rules sort by. */
export function customRules(settings: Settings): string[] {
  return settings.rankingRules.flatMap((rule) => /^(.+):(?:asc|desc)$/.exec(rule)?.[1] ?? []);
}
