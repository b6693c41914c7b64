// Plans a search: what nodes are asked, what of their hits the client may see, and how answers become one.
import { toKeyText } from './byte-text.js';
import { type HitView, plainView } from './hits.js';
import { judgeSearch } from './search-judge.js';
import { type Paging, readPaging, type SearchQuery } from './search-request.js';
import { type SearchSettings, searchSettings } from './search-settings.js';
import { SHARD_FIELD, shardFilter, type TopologyIndex } from './topology.js';

export interface SearchPlan {
  readonly query: SearchQuery;
  readonly settings: SearchSettings;
  readonly paging: Paging;
  /** True when the query sorts by distance. */
  readonly byDistance: boolean;
  /** Key text of the primary key, or null when it is not among the retrieved fields. */
  readonly primaryKey: string | null;
  /** The field by which only one document each is kept, or null. */
  readonly distinct: string | null;
  readonly distinctKey: string | null;
  /** False: nodes send all hits, and only the merge drops those whose value was met before. */
  readonly nodesDecideDistinct: boolean;
  /** A facet that only Miroir asks for, as key text. */
  readonly hiddenFacet: string | null;
  /** The same for all pages of a query. */
  readonly stickyText: string;
  /** The query's JSON without filter and paging, without its closing brace: for a node that answers alone. */
  readonly aloneBody: string;
  /** The same for several nodes. */
  readonly spreadBody: string;
  readonly aloneView: HitView;
  readonly spreadView: HitView;
}

/** Plans a query of an index. Throws the ApiError of what the user's settings forbid. */
export function planSearch(query: SearchQuery, index: TopologyIndex): SearchPlan {
  const settings = searchSettings(index);
  judgeSearch(index.uid, query, settings, index.primaryKey);
  const paging = readPaging(query, settings.maxTotalHits);
  const { filter, offset, limit, page, hitsPerPage, ...rest } = query;
  const alone = limitToDisplayed(rest, settings.displayed);
  const byDistance = query.sort?.some((rule) => rule.startsWith('_geoPoint(')) ?? false;
  const distinct = query.distinct ?? settings.distinct;
  const aloneBody = openBody(alone);
  const view = clientView(query, index, settings);

  const added: string[] = [];
  if (index.primaryKey !== null && !index.primaryKey.includes('.')) added.push(index.primaryKey);
  if (byDistance) added.push('_geo');
  if (distinct !== null && !distinct.includes('.')) added.push(distinct);
  const retrieved = alone.attributesToRetrieve ?? null;
  const missing = new Set(retrieved === null || retrieved.includes('*') ? [] : without(added, retrieved));
  const countsDistinct = distinct !== null && paging.mode === 'page';
  const facets = query.facets ?? [];
  const hiddenFacet = countsDistinct && !facets.includes(distinct) && !facets.includes('*') ? distinct : null;
  const spread: SearchQuery = { ...alone, showRankingScoreDetails: true };
  if (missing.size > 0) spread.attributesToRetrieve = [...retrieved!, ...missing];
  if (hiddenFacet !== null) spread.facets = [...facets, hiddenFacet];
  return {
    query,
    settings,
    paging,
    byDistance,
    primaryKey: index.primaryKey === null ? null : toKeyText(index.primaryKey),
    distinct,
    distinctKey: distinct === null ? null : toKeyText(distinct),
    nodesDecideDistinct: true,
    hiddenFacet: hiddenFacet === null ? null : toKeyText(hiddenFacet),
    stickyText: `${index.uid}\n${aloneBody}\n${filter === undefined ? '' : JSON.stringify(filter)}`,
    aloneBody,
    spreadBody: openBody(spread),
    aloneView: view,
    spreadView: hideAdded(view, missing, alone),
  };
}

function without(names: readonly string[], present: readonly string[]): string[] {
  return names.filter((name) => !present.includes(name));
}

function openBody(body: object): string {
  const text = JSON.stringify(body);
  return text === '{}' ? '{' : `${text.slice(0, -1)},`;
}

/** How many hits a node beside others is asked for: one more than wanted, which tells whether the cut splits a tie. */
export function askedOf(plan: SearchPlan): number {
  return plan.paging.required === 0 ? 0 : plan.paging.required + 1;
}

/** The body for a node that answers for some shards; nodes beside others are asked for everything from the top. */
export function nodeBody(
  plan: SearchPlan,
  shards: readonly number[],
  alone: boolean,
  asked = askedOf(plan),
): string {
  const open = alone ? plan.aloneBody : plan.spreadBody;
  const filter = `"filter":${withShards(plan.query.filter, shards)}`;
  return `${open}${filter},${alone ? ownPaging(plan.paging) : fromTheTop(plan.paging, asked)}}`;
}

/** Whether nodes can be kept from dropping hits: a distinct attribute in the settings cannot be switched off. */
export function canLeaveDistinctToMerge(plan: SearchPlan): boolean {
  return plan.settings.distinct === null;
}

/** The same search with the distinct field left to the merge. */
export function withoutDistinct(plan: SearchPlan): SearchPlan {
  const { distinct: _, ...body } = JSON.parse(`${plan.spreadBody}"":0}`) as SearchQuery & { ''?: number };
  delete body[''];
  return { ...plan, spreadBody: openBody(body), nodesDecideDistinct: false };
}

/** The body that counts what matches without the query's threshold, for a node beside others. */
export function countBody(plan: SearchPlan, shards: readonly number[]): string {
  const body = JSON.parse(nodeBody(plan, shards, false, 0)) as SearchQuery;
  delete body.rankingScoreThreshold;
  return JSON.stringify(body);
}

function ownPaging(paging: Paging): string {
  return paging.mode === 'offset'
    ? `"offset":${paging.first},"limit":${paging.second}`
    : `"page":${paging.first},"hitsPerPage":${paging.second}`;
}

function fromTheTop(paging: Paging, asked: number): string {
  return paging.mode === 'offset' ? `"offset":0,"limit":${asked}` : `"page":1,"hitsPerPage":${asked}`;
}

/** The client's filter and the shards, both of which must hold. */
export function withShards(filter: unknown, shards: readonly number[]): string {
  const mine = quotedShardFilter(shards);
  if (filter === undefined || filter === null) return `[${mine}]`;
  const own = JSON.stringify(Array.isArray(filter) ? filter : [filter]);
  return own === '[]' ? `[${mine}]` : `${own.slice(0, -1)},${mine}]`;
}

/** Routing shares its lists of shards between queries, so their filters are written once. */
const quotedFilters = new WeakMap<readonly number[], string>();

function quotedShardFilter(shards: readonly number[]): string {
  let text = quotedFilters.get(shards);
  if (text === undefined) {
    text = JSON.stringify(shardFilter(shards));
    quotedFilters.set(shards, text);
  }
  return text;
}

/** Nodes display everything, so the lists of fields are cut to what the user displays. */
function limitToDisplayed(query: SearchQuery, displayed: readonly string[] | null): SearchQuery {
  const out = { ...query };
  if (out.attributesToRetrieve?.includes(SHARD_FIELD)) {
    out.attributesToRetrieve = out.attributesToRetrieve.filter((name) => name !== SHARD_FIELD);
  }
  if (displayed === null) return out;
  const retrieve = out.attributesToRetrieve ?? ['*'];
  out.attributesToRetrieve = retrieve.includes('*')
    ? [...displayed]
    : retrieve.filter((name) => displayed.includes(name));
  if (out.attributesToHighlight) {
    out.attributesToHighlight = out.attributesToHighlight.includes('*')
      ? [...displayed]
      : out.attributesToHighlight.filter((name) => displayed.includes(name));
  }
  if (out.attributesToCrop) {
    out.attributesToCrop = out.attributesToCrop.flatMap((entry) => {
      const [name, length] = splitCrop(entry);
      if (name === '*') return displayed.map((field) => field + length);
      return displayed.includes(name) ? [entry] : [];
    });
  }
  return out;
}

/** An entry of attributesToCrop as its name and `:length`. */
function splitCrop(entry: string): [name: string, length: string] {
  const colon = entry.lastIndexOf(':');
  return colon < 0 ? [entry, ''] : [entry.slice(0, colon), entry.slice(colon)];
}

function clientView(query: SearchQuery, index: TopologyIndex, settings: SearchSettings): HitView {
  const sortsByKey = (rule: string): boolean =>
    rule === `${index.primaryKey}:asc` || rule === `${index.primaryKey}:desc`;
  const rules = index.settings.rankingRules;
  const own = [...(query.sort ?? []), ...(Array.isArray(rules) ? (rules as string[]) : [])].some(sortsByKey);
  const plain = plainView(index.primaryKey);
  return {
    ...plain,
    showDetails: query.showRankingScoreDetails ?? false,
    hiddenRule: own ? null : plain.hiddenRule,
    displayed: settings.displayed?.map(toKeyText) ?? null,
  };
}

function hideAdded(view: HitView, missing: ReadonlySet<string>, query: SearchQuery): HitView {
  if (missing.size === 0) return view;
  const formatted = new Set([
    ...(query.attributesToHighlight ?? []),
    ...(query.attributesToCrop ?? []).map((entry) => splitCrop(entry)[0]),
  ]);
  const names = [...missing].map(toKeyText);
  if (missing.has('_geo')) names.push('_geoDistance');
  const unformatted = [...missing]
    .filter((name) => !formatted.has('*') && !formatted.has(name))
    .map(toKeyText);
  return {
    ...view,
    drop: new Set([...view.drop, ...names]),
    dropFormatted: new Set([...view.dropFormatted, ...unformatted]),
  };
}
