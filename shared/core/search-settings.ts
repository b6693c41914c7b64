// The few settings of an index that a search needs at the proxy, with Meilisearch's defaults, and what follows from
// them for every search.
import { toKeyText } from './byte-text.js';
import { type HitView, plainView } from './hits.js';
import type { TopologyIndex } from './topology.js';

export interface SearchSettings {
  /** Null: all attributes. */
  readonly displayed: readonly string[] | null;
  /** Patterns of the user's filterable attributes. */
  readonly filterable: readonly string[];
  /** The rules themselves, as the user set them. */
  readonly filterableRules: unknown;
  /** Key texts of the searchable attributes, or null for all. */
  readonly searchable: readonly string[] | null;
  readonly sortable: readonly string[];
  readonly hasSortRule: boolean;
  readonly distinct: string | null;
  readonly maxTotalHits: number;
  readonly maxValuesPerFacet: number;
  readonly sortFacetValuesBy: Readonly<Record<string, string>>;
  /** Key text of the primary key, or null. */
  readonly primaryKeyText: string | null;
  /** The rules that sort by the primary key. */
  readonly keyRules: readonly string[];
  /** True when the user's own ranking rules have one of them. */
  readonly ranksByKey: boolean;
  /** What hits show to a query that asks for nothing special. */
  readonly view: HitView;
}

const known = new WeakMap<TopologyIndex, SearchSettings>();

/** The search settings of an index; worked out once for each version of it. */
export function searchSettings(index: TopologyIndex): SearchSettings {
  let settings = known.get(index);
  if (!settings) {
    settings = readSearchSettings(index.settings, index.primaryKey);
    known.set(index, settings);
  }
  return settings;
}

/** Reads the user's settings. */
export function readSearchSettings(
  settings: Readonly<Record<string, unknown>>,
  primaryKey: string | null,
): SearchSettings {
  const displayed = names(settings.displayedAttributes);
  const searchable = names(settings.searchableAttributes);
  const faceting = record(settings.faceting);
  const rules = settings.rankingRules;
  const limited = displayed === null || displayed.includes('*') ? null : displayed;
  const keyRules = primaryKey === null ? [] : [`${primaryKey}:asc`, `${primaryKey}:desc`];
  return {
    displayed: limited,
    filterable: patterns(settings.filterableAttributes),
    filterableRules: settings.filterableAttributes ?? [],
    searchable: searchable === null || searchable.includes('*') ? null : searchable.map(toKeyText),
    sortable: names(settings.sortableAttributes) ?? [],
    hasSortRule: !Array.isArray(rules) || rules.includes('sort'),
    distinct: typeof settings.distinctAttribute === 'string' ? settings.distinctAttribute : null,
    maxTotalHits: count(record(settings.pagination).maxTotalHits, 1_000),
    maxValuesPerFacet: count(faceting.maxValuesPerFacet, 100),
    sortFacetValuesBy: record(faceting.sortFacetValuesBy) as Record<string, string>,
    primaryKeyText: primaryKey === null ? null : toKeyText(primaryKey),
    keyRules,
    ranksByKey: names(rules)?.some((rule) => keyRules.includes(rule)) ?? false,
    view: {
      ...plainView(primaryKey),
      showDetails: false,
      displayed: limited?.map(toKeyText) ?? null,
    },
  };
}

function names(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : null;
}

function patterns(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) =>
    typeof item === 'string' ? [item] : (names(record(item).attributePatterns) ?? []),
  );
}

function record(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function count(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
