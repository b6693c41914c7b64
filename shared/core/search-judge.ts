// What nodes cannot judge because they hold more than the user set: the hidden field, the hidden sortable primary
// key. Raises Meilisearch's own errors as if those did not exist.
import { compareBytes } from './byte-text.js';
import { ApiError } from './errors.js';
import type { SearchQuery } from './search-request.js';
import type { SearchSettings } from './search-settings.js';
import { SHARD_FIELD } from './topology.js';

/** Throws the ApiError that the user's own settings call for. */
export function judgeSearch(
  uid: string,
  query: SearchQuery,
  settings: SearchSettings,
  primaryKey: string | null,
): void {
  refuseUnsupported(query);
  const index = `Index \`${uid}\`: `;
  judgeFilter(index, query.filter, settings, 'invalid_search_filter');
  judgeSort(index, query, settings, primaryKey);
  judgeFacets(query, settings);
  if (typeof query.distinct === 'string' && isHidden(query.distinct)) {
    throw new ApiError(
      'invalid_search_distinct',
      `${index}Attribute \`${query.distinct}\` is not filterable and thus, cannot be used as distinct attribute. ${availablePatterns(settings.filterable, settings.displayed)}`,
    );
  }
}

/** Throws for a filter on the hidden field; `lead` stands before the message. */
export function judgeFilter(lead: string, filter: unknown, settings: SearchSettings, code: string): void {
  const found = findHiddenFilter(filter);
  if (found === null) return;
  const list = [...settings.filterable].sort(compareBytes).map((item) => `\`${item}\``);
  const available =
    list.length === 0
      ? 'This index does not have configured filterable attributes.'
      : `Available filterable attribute patterns are: ${list.join(', ')}.`;
  throw new ApiError(
    code,
    `${lead}Attribute \`${found.token}\` is not filterable. ${available}\n${found.at + 1}:${found.at + 1 + found.token.length} ${found.text}`,
  );
}

const UNSUPPORTED = ['media', 'personalize', 'useNetwork'] as const;

function refuseUnsupported(query: SearchQuery): void {
  for (const name of UNSUPPORTED) {
    const value = query[name];
    if (value === undefined || value === null) continue;
    throw new ApiError(
      'miroir_not_supported',
      `Miroir does not support the search parameter \`${name}\` yet.`,
    );
  }
}

function isHidden(field: string): boolean {
  return field === SHARD_FIELD || field.startsWith(`${SHARD_FIELD}.`);
}

function isFacetedBy(field: string, of: string): boolean {
  return field === of || field.startsWith(`${of}.`);
}

function judgeSort(
  index: string,
  query: SearchQuery,
  settings: SearchSettings,
  primaryKey: string | null,
): void {
  if (primaryKey === null || !settings.hasSortRule) return;
  for (const rule of query.sort ?? []) {
    const field = /^(.*):(?:asc|desc)$/.exec(rule)?.[1];
    if (field === undefined || !isFacetedBy(field, primaryKey)) continue;
    if (settings.sortable.some((own) => isFacetedBy(field, own))) continue;
    throw new ApiError(
      'invalid_search_sort',
      `${index}Attribute \`${field}\` is not sortable. ${availableList('sortable attributes', 'sortable attributes', settings.sortable, settings.displayed)}`,
    );
  }
}

function judgeFacets(query: SearchQuery, settings: SearchSettings): void {
  for (const pattern of query.facets ?? []) {
    const named = isHidden(pattern) || (pattern !== '*' && pattern.endsWith('*') && matchesHidden(pattern));
    if (!named && settings.filterable.length > 0) continue;
    throw new ApiError(
      'invalid_search_facets',
      `Invalid facet distribution: Pattern \`${pattern}\` is not filterable. ${availablePatterns(settings.filterable, null)}`,
    );
  }
}

function matchesHidden(pattern: string): boolean {
  const prefix = pattern.slice(0, -1);
  return prefix.length > 1 && SHARD_FIELD.startsWith(prefix);
}

function availablePatterns(list: readonly string[], displayed: readonly string[] | null): string {
  return availableList('filterable attributes patterns', 'filterable attributes', list, displayed);
}

function availableList(
  what: string,
  whatNone: string,
  list: readonly string[],
  displayed: readonly string[] | null,
): string {
  const shown = list.filter((item) => displayed === null || displayed.includes(item)).sort(compareBytes);
  if (shown.length === 0) return `This index does not have configured ${whatNone}.`;
  const rest = shown.length < list.length ? ', <..hidden-attributes>' : '';
  return `Available ${what} are: \`${shown.join(', ')}${rest}\`.`;
}

interface Found {
  token: string;
  at: number;
  text: string;
}

/** Where a filter names the hidden field as an attribute, or null. As a mere value it is harmless. */
export function findHiddenFilter(filter: unknown): Found | null {
  if (Array.isArray(filter)) {
    for (const item of filter) {
      const found = findHiddenFilter(item);
      if (found) return found;
    }
    return null;
  }
  if (typeof filter !== 'string' || !filter.includes(SHARD_FIELD)) return null;
  const tokens = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s()[\],=!<>"']+/g;
  for (const match of filter.matchAll(tokens)) {
    const quoted = match[0].startsWith('"') || match[0].startsWith("'");
    const token = quoted ? match[0].slice(1, -1) : match[0];
    if (!isHidden(token)) continue;
    const next = filter.slice(match.index + match[0].length).trimStart();
    // After a value comes the end, a conjunction or a closing mark; after an attribute an operator.
    if (next === '' || /^(?:\)|\]|,|AND\b|OR\b)/.test(next)) continue;
    return { token, at: match.index, text: filter };
  }
  return null;
}
