// Facet search: reads the request, says what only Miroir can judge, and makes one list of values out of those of
// nodes that hold disjoint shards: the same values, counts, order and cut as one node gives.
import { compareBytes, fromByteText, toByteText } from './byte-text.js';
import { ApiError } from './errors.js';
import { normalizeFacet } from './facets.js';
import { facetSearchable, filterableMatch } from './filterable-match.js';
import { membersOf, scanArray } from './json-scan.js';
import { findHiddenFilter, judgeFilter } from './search-judge.js';
import { withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import { readSearchBody } from './search-request.js';
import { searchSettings } from './search-settings.js';
import { SHARD_FIELD, type TopologyIndex } from './topology.js';

/** The parameters of POST /indexes/:uid/facet-search that mean something; others are ignored, as Meilisearch does. */
export interface FacetSearchQuery {
  facetName: string;
  facetQuery?: string | null;
  exhaustiveFacetCount?: boolean | null;
  /** What selects the documents whose values are counted. */
  search: SearchQuery;
}

const SEARCH_FIELDS = [
  'q',
  'vector',
  'media',
  'hybrid',
  'filter',
  'matchingStrategy',
  'attributesToSearchOn',
  'rankingScoreThreshold',
  'locales',
  'useNetwork',
] as const;

/** The query in a parsed body, or null when a node must say what is wrong with it. */
export function readFacetSearchBody(body: unknown): FacetSearchQuery | null {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return null;
  const given = body as Record<string, unknown>;
  const { facetName, facetQuery = null, exhaustiveFacetCount = null } = given;
  if (typeof facetName !== 'string') return null;
  if (facetQuery !== null && typeof facetQuery !== 'string') return null;
  if (exhaustiveFacetCount !== null && typeof exhaustiveFacetCount !== 'boolean') return null;
  const search = readSearchBody(
    Object.fromEntries(SEARCH_FIELDS.filter((name) => name in given).map((name) => [name, given[name]])),
  );
  return search === null ? null : { facetName, facetQuery, exhaustiveFacetCount, search };
}

/** What to do with a query: ask the nodes, or answer that there is nothing. Throws the ApiError of a wrong one. */
export function judgeFacetSearch(query: FacetSearchQuery, index: TopologyIndex): 'ask' | 'nothing' {
  if (query.search.useNetwork ?? false) {
    throw new ApiError(
      'miroir_not_supported',
      'Miroir does not support the search parameter `useNetwork` yet.',
    );
  }
  const { facetName } = query;
  const hidden = facetName === SHARD_FIELD || facetName.startsWith(`${SHARD_FIELD}.`);
  if (!hidden && findHiddenFilter(query.search.filter) === null) return 'ask';
  if (index.settings.facetSearch === false) {
    throw new ApiError('facet_search_disabled', 'The facet search is disabled for this index');
  }
  judgeFilter('', query.search.filter, searchSettings(index), 'invalid_search_filter');
  const match = filterableMatch(index.settings.filterableAttributes, facetName);
  if (match?.facetSearch) return 'nothing';
  throw notSearchable(index, facetName, match?.rule ?? null);
}

function notSearchable(index: TopologyIndex, field: string, rule: number | null): ApiError {
  const lead = `Attribute \`${field}\` is not facet-searchable. `;
  const add = ' To make it facet-searchable add it to the `filterableAttributes` index settings.';
  const { displayed } = searchSettings(index);
  const all = facetSearchable(index.settings.filterableAttributes);
  const patterns = all
    .filter((pattern) => displayed === null || displayed.includes(pattern))
    .sort(compareBytes);
  const text =
    rule !== null
      ? `Note: this attribute matches rule #${rule} in filterableAttributes, but this rule does not enable facetSearch.\n` +
        `Hint: enable facetSearch in rule #${rule} by adding \`"facetSearch": true\` to the rule.\n` +
        `Hint: prepend another rule matching ${field} with facetSearch: true before rule #${rule}`
      : patterns.length === 0
        ? `This index does not have configured facet-searchable attributes.${add}`
        : `Available facet-searchable attributes patterns are: \`${patterns.join(', ')}${patterns.length < all.length ? ', <..hidden-attributes>' : ''}\`.${add}`;
  return new ApiError('invalid_facet_search_facet_name', `${lead}${text}`);
}

/** Which documents one node counts values of. */
export type Counted =
  /** Those that it takes by itself. */
  | 'as asked'
  /** All that match, whatever their score. */
  | 'all matches'
  /** Those above the threshold, however many. */
  | 'above threshold';

/** The body for a node that answers for some shards. */
export function facetSearchBody(
  { facetName, facetQuery, exhaustiveFacetCount, search }: FacetSearchQuery,
  shards: readonly number[],
  counted: Counted,
): string {
  const { filter, rankingScoreThreshold, ...rest } = search;
  const body = JSON.stringify({
    facetName,
    facetQuery,
    ...rest,
    rankingScoreThreshold: counted === 'all matches' ? null : rankingScoreThreshold,
    exhaustiveFacetCount: counted === 'above threshold' ? true : exhaustiveFacetCount,
  });
  return `${body.slice(0, -1)},"filter":${withShards(filter, shards)}}`;
}

/** How many hits one node looks at before it counts, unless it is asked to be exhaustive. */
export const LOOKED_AT = 20;

/**
 * The search whose number of hits decides which documents one node would count, or null when it does not depend on
 * it: with a threshold, all matches count as soon as there are LOOKED_AT hits above it.
 */
export function decidingSearch({ search, exhaustiveFacetCount }: FacetSearchQuery): SearchQuery | null {
  const { rankingScoreThreshold = null, hybrid, vector, media, ...plain } = search;
  if (rankingScoreThreshold === null || exhaustiveFacetCount) return null;
  const byVector =
    (vector ?? media ?? null) !== null || ((hybrid ?? null) !== null && (search.q ?? '') !== '');
  if (byVector) return null;
  return { ...plain, rankingScoreThreshold, limit: LOOKED_AT, attributesToRetrieve: [] };
}

export interface FacetHitRules {
  /** The user's faceting.maxValuesPerFacet. */
  readonly maxValues: number;
  readonly sortBy: 'alpha' | 'count';
  /** Whether values were searched for, which puts them in the order of their search terms. */
  readonly searched: boolean;
}

/** The rules of an index for one facet. */
export function facetHitRules(query: FacetSearchQuery, index: TopologyIndex): FacetHitRules {
  const { maxValuesPerFacet, sortFacetValuesBy } = searchSettings(index);
  const sortBy = sortFacetValuesBy[query.facetName] ?? sortFacetValuesBy['*'];
  return {
    maxValues: maxValuesPerFacet,
    sortBy: sortBy === 'count' ? 'count' : 'alpha',
    searched: (query.facetQuery ?? null) !== null,
  };
}

interface FacetHit {
  /** The value as the node wrote it, with its quotes. */
  raw: string;
  count: number;
  /** What makes two values the same. */
  identity: string;
  /** Where it stands in the order in which Meilisearch walks. */
  walkKey: string;
}

/** The answer's body out of those of nodes, all as byte text. */
export function mergeFacetHits(
  answers: readonly string[],
  rules: FacetHitRules,
  processingTimeMs: number,
): string {
  const bodies = answers.map((text) => new Map(membersOf(text, 0)));
  const lists = bodies.map((members) => readHits(members.get('facetHits') ?? '[]', rules));
  const shown =
    rules.sortBy === 'alpha'
      ? mergeWalks(lists, rules.maxValues)
      : mostCounted(walkAgain(lists), rules.maxValues);
  const hits = shown.map(({ raw, count }) => `{"value":${raw},"count":${count}}`);
  const facetQuery = bodies[0]?.get('facetQuery') ?? 'null';
  return `{"facetHits":[${hits.join(',')}],"facetQuery":${facetQuery},"processingTimeMs":${processingTimeMs}}`;
}

/** The answer for a facet that exists for Miroir only. */
export function noFacetHits(query: FacetSearchQuery): string {
  const facetQuery = toByteText(JSON.stringify(query.facetQuery ?? null));
  return `{"facetHits":[],"facetQuery":${facetQuery},"processingTimeMs":0}`;
}

function readHits(text: string, rules: FacetHitRules): FacetHit[] {
  const places = scanArray(text, 0);
  const out: FacetHit[] = [];
  for (let i = 0; i + 1 < places.length; i += 2) {
    const hit = new Map(membersOf(text, places[i]!));
    const raw = hit.get('value')!;
    const identity = normalizeFacet(raw.slice(1, -1));
    const walkKey = rules.searched ? `${searchTerm(identity)}\0${identity}` : identity;
    out.push({ raw, count: Number(hit.get('count')), identity, walkKey });
  }
  return out;
}

/**
 * What Meilisearch turns a value into before it compares it with a facet query: close to its own for scripts without
 * letters of many readings. Only decides between neighbours that no node has both of.
 */
function searchTerm(identity: string): string {
  const plain = fromByteText(identity)
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .replaceAll('æ', 'ae')
    .replaceAll('œ', 'oe')
    .replace(/[‘’]/g, "'");
  return toByteText(plain);
}

/** One list in the order that all lists are in. Nodes know their own order best; keys decide between nodes only. */
function mergeWalks(lists: readonly (readonly FacetHit[])[], max: number): FacetHit[] {
  const totals = new Map<string, FacetHit>();
  const waiting = new Map<string, number>();
  for (const list of lists) {
    for (const hit of list) {
      addTo(totals, hit);
      waiting.set(hit.identity, (waiting.get(hit.identity) ?? 0) + 1);
    }
  }
  const next = lists.map(() => 0);
  const merged: FacetHit[] = [];
  while (merged.length < max) {
    const heads = lists.flatMap((list, source) => list[next[source]!] ?? []);
    if (heads.length === 0) break;
    // A value that another list has further down must wait for what stands before it there.
    const ready = heads.filter(
      (head) =>
        heads.filter(({ identity }) => identity === head.identity).length === waiting.get(head.identity),
    );
    const best = (ready.length > 0 ? ready : heads).reduce((left, right) =>
      compareBytes(left.walkKey, right.walkKey) <= 0 ? left : right,
    );
    const total = totals.get(best.identity);
    if (total !== undefined) merged.push(total);
    totals.delete(best.identity);
    for (const [source, list] of lists.entries()) {
      if (list[next[source]!]?.identity === best.identity) {
        next[source]!++;
        waiting.set(best.identity, waiting.get(best.identity)! - 1);
      }
    }
  }
  return merged;
}

/** All values in the order in which one node would meet them; the nodes' own order is that of their counts. */
function walkAgain(lists: readonly (readonly FacetHit[])[]): FacetHit[] {
  const totals = new Map<string, FacetHit>();
  for (const list of lists) for (const hit of list) addTo(totals, hit);
  return [...totals.values()].sort((left, right) => compareBytes(left.walkKey, right.walkKey));
}

/** Documents spell a value differently; which spelling one node would show depends on its oldest document. */
function addTo(totals: Map<string, FacetHit>, hit: FacetHit): void {
  const known = totals.get(hit.identity);
  if (known === undefined) totals.set(hit.identity, { ...hit });
  else {
    known.count += hit.count;
    if (hit.raw < known.raw) known.raw = hit.raw;
  }
}

/**
 * The values with the highest counts, highest first, and the larger value first among equals. At the cut Meilisearch
 * lets every value that it meets push out the smallest with no higher count.
 */
function mostCounted(walked: readonly FacetHit[], max: number): FacetHit[] {
  if (max === 0) return [];
  const kept = new SmallestFirst();
  for (const hit of walked) {
    const entry = { hit, value: decoded(hit.raw) };
    if (kept.size < max) kept.push(entry);
    else if (kept.smallest.hit.count <= hit.count) kept.replaceSmallest(entry);
  }
  return kept.descending();
}

function decoded(raw: string): string {
  return raw.includes('\\') ? toByteText(JSON.parse(fromByteText(raw)) as string) : raw.slice(1, -1);
}

interface CountedValue {
  hit: FacetHit;
  value: string;
}

function compareCounted(left: CountedValue, right: CountedValue): number {
  return left.hit.count - right.hit.count || compareBytes(left.value, right.value);
}

/** A binary heap. */
class SmallestFirst {
  private readonly items: CountedValue[] = [];

  get size(): number {
    return this.items.length;
  }

  get smallest(): CountedValue {
    return this.items[0]!;
  }

  push(item: CountedValue): void {
    let at = this.items.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (compareCounted(this.items[above]!, item) <= 0) break;
      this.items[at] = this.items[above]!;
      at = above;
    }
    this.items[at] = item;
  }

  replaceSmallest(item: CountedValue): void {
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.items.length) break;
      const other = below + 1;
      if (other < this.items.length && compareCounted(this.items[other]!, this.items[below]!) < 0)
        below = other;
      if (compareCounted(item, this.items[below]!) <= 0) break;
      this.items[at] = this.items[below]!;
      at = below;
    }
    this.items[at] = item;
  }

  descending(): FacetHit[] {
    return [...this.items].sort((left, right) => compareCounted(right, left)).map(({ hit }) => hit);
  }
}
