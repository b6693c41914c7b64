// Whether a node's settings are those that the journal says, hidden parts included.
import { defaultSettings, nodeSettings, type SettingsObject } from './settings.js';

/** Meilisearch keeps these as sets: their order says nothing. */
const SETS = new Set([
  'filterableAttributes',
  'sortableAttributes',
  'stopWords',
  'nonSeparatorTokens',
  'separatorTokens',
  'dictionary',
  'disableOnWords',
  'disableOnAttributes',
]);

/**
 * The keys in which what a node answers to GET /settings differs from what it must have. Of embedders only what the
 * user gave is compared: nodes add defaults and mask secrets.
 */
export function settingsDrift(
  settings: SettingsObject,
  primaryKey: string | null,
  actual: Readonly<Record<string, unknown>>,
): string[] {
  const wanted = nodeSettings(settings, primaryKey);
  return Object.entries(defaultSettings())
    .filter(([key, fallback]) => !matches(key, wanted[key], actual[key], fallback))
    .map(([key]) => key);
}

function matches(key: string, wanted: unknown, actual: unknown, fallback: unknown): boolean {
  if (key === 'embedders') return includes(wanted ?? {}, actual ?? {}) && sameKeys(wanted, actual);
  const filled = wanted ?? fallback;
  if (isObject(filled) && isObject(fallback) && key !== 'synonyms') {
    const given = isObject(actual) ? actual : {};
    return Object.entries(fallback).every(([field, inner]) =>
      matches(field, filled[field], given[field], inner),
    );
  }
  return canonical(key, filled) === canonical(key, actual ?? null);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sameKeys(wanted: unknown, actual: unknown): boolean {
  const keys = (value: unknown) => Object.keys(isObject(value) ? value : {}).sort();
  return keys(wanted).join('\n') === keys(actual).join('\n');
}

/** Whether everything given is there; secrets come back masked. */
function includes(given: unknown, actual: unknown): boolean {
  if (!isObject(given)) return canonical('', given) === canonical('', actual);
  if (!isObject(actual)) return false;
  return Object.entries(given).every(
    ([key, value]) => key === 'apiKey' || value === null || includes(value, actual[key]),
  );
}

/** JSON with sorted keys, and sorted elements where their order says nothing. */
function canonical(key: string, value: unknown): string {
  if (Array.isArray(value)) {
    const texts = value.map((element) => canonical('', element));
    return `[${(SETS.has(key) ? texts.sort() : texts).join(',')}]`;
  }
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const pairs = Object.entries(value).map(
    ([name, inner]) => `${JSON.stringify(name)}:${canonical(name, inner)}`,
  );
  return `{${pairs.sort().join(',')}}`;
}
