// Plans a search: what nodes are asked, what of their hits the client may see, and how answers become one.
import { toKeyText } from './byte-text.js';
import { ruleKinds } from './federation-rules.js';
import { filterableMatch } from './filterable-match.js';
import type { HitView } from './hits.js';
import { judgeSearch } from './search-judge.js';
import { type Paging, readPaging, type SearchQuery } from './search-request.js';
import { type SearchSettings, searchSettings } from './search-settings.js';
import { SHARD_FIELD, shardFilter, type TopologyIndex } from './topology.js';

export interface SearchPlan {
  readonly query: SearchQuery;
  readonly settings: SearchSettings;
  readonly shardCount: number;
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
  /** Whether nodes can be asked for the values of the distinct field: it is filterable. */
  readonly distinctIsFaceted: boolean;
  /** Whether documents count by an order that a node does not have: then one that answers alone is merged like several. */
  readonly choosesByKey: boolean;
  /** Whether hits below the threshold may rank before others above it. */
  readonly rejectsBeforeHits: boolean;
  /** The same for all pages of a query. */
  readonly stickyText: string;
  /** For a node that answers alone. */
  readonly alone: NodeQuestion;
  /** For several nodes; worked out once it is asked for. */
  readonly spread: () => SpreadQuestion;
}

export interface NodeQuestion {
  /** The query's JSON without filter and paging, without its closing brace. */
  readonly body: string;
  /** What of the hits the client may see. */
  readonly view: HitView;
}

export interface SpreadQuestion extends NodeQuestion {
  /** A facet that only Miroir asks for, as key text. */
  readonly hiddenFacet: string | null;
}

/** Plans a query of an index. Throws the ApiError of what the user's settings forbid. */
export function planSearch(query: SearchQuery, index: TopologyIndex): SearchPlan {
  const settings = searchSettings(index);
  judgeSearch(index.uid, query, settings, index.primaryKey);
  const paging = readPaging(query, settings.maxTotalHits);
  const { filter, offset, limit, page, hitsPerPage, ...rest } = query;
  const asked = limitToDisplayed(rest, settings.displayed);
  const byDistance = query.sort?.some((rule) => rule.startsWith('_geoPoint(')) ?? false;
  const distinct = query.distinct ?? settings.distinct;
  const distinctIsFaceted = distinct !== null && filterableMatch(settings.filterableRules, distinct) !== null;
  const alone = { body: openBody(asked), view: clientView(query, settings) };
  let spread: SpreadQuestion | null = null;
  return {
    query,
    settings,
    shardCount: index.shardCount,
    paging,
    byDistance,
    primaryKey: settings.primaryKeyText,
    distinct,
    distinctKey: distinct === null ? null : toKeyText(distinct),
    nodesDecideDistinct: true,
    distinctIsFaceted,
    choosesByKey: distinct !== null && paging.mode === 'page' && paging.required > 0,
    rejectsBeforeHits: rejectsBeforeHits(query, index.settings.rankingRules),
    stickyText: `${index.uid}\n${alone.body}\n${filter === undefined ? '' : JSON.stringify(filter)}`,
    alone,
    spread: () =>
      (spread ??= planSpread(
        asked,
        alone,
        index.primaryKey,
        distinct,
        byDistance,
        distinctIsFaceted && paging.mode === 'page',
      )),
  };
}

/** A sorted value before a rule of relevancy: hits of a low score but a better value come first. */
function rejectsBeforeHits(query: SearchQuery, rankingRules: unknown): boolean {
  if ((query.rankingScoreThreshold ?? null) === null) return false;
  const kinds = ruleKinds(query, rankingRules);
  return (
    kinds.lastIndexOf('relevancy') > kinds.findIndex((kind) => kind !== 'relevancy') &&
    kinds.some((kind) => kind !== 'relevancy')
  );
}

/** The question for nodes that answer beside others: with the details and the fields that the merge needs. */
function planSpread(
  asked: SearchQuery,
  alone: NodeQuestion,
  primaryKey: string | null,
  distinct: string | null,
  byDistance: boolean,
  countsDistinct: boolean,
): SpreadQuestion {
  const needed = [primaryKey, byDistance ? '_geo' : null, distinct].filter((name) => name !== null);
  const retrieved = asked.attributesToRetrieve ?? null;
  const missing = new Set(retrieved === null ? [] : notRetrieved(needed, retrieved));
  const facets = asked.facets ?? [];
  const hiddenFacet =
    countsDistinct && distinct !== null && !facets.includes(distinct) && !facets.includes('*')
      ? distinct
      : null;
  let body: string;
  if (missing.size === 0 && hiddenFacet === null && asked.showRankingScoreDetails === undefined) {
    body = `${alone.body}"showRankingScoreDetails":true,`;
  } else {
    const query: SearchQuery = { ...asked, showRankingScoreDetails: true };
    if (missing.size > 0) query.attributesToRetrieve = [...retrieved!, ...missing];
    if (hiddenFacet !== null) query.facets = [...facets, hiddenFacet];
    body = openBody(query);
  }
  return {
    body,
    view: hideAdded(alone.view, missing, asked),
    hiddenFacet: hiddenFacet === null ? null : toKeyText(hiddenFacet),
  };
}

/** Fields to retrieve besides; not where a nested one could not be cut out again, beside others of its object. */
function notRetrieved(names: readonly string[], retrieved: readonly string[]): string[] {
  const isThere = (name: string): boolean =>
    retrieved.some((own) => own === '*' || own === name || name.startsWith(`${own}.`));
  const isApart = (name: string): boolean =>
    !name.includes('.') || !retrieved.some((own) => topOf(own) === topOf(name));
  return names.filter((name) => !isThere(name) && isApart(name));
}

/** The field of the document that a dotted name is in. */
function topOf(name: string): string {
  return name.split('.')[0]!;
}

/** A body without its closing brace, to which paging and filter are added. */
export function openBody(body: object): string {
  const text = JSON.stringify(body);
  return text === '{}' ? '{' : `${text.slice(0, -1)},`;
}

/** What openBody was given. */
export function readOpenBody(open: string): SearchQuery {
  return JSON.parse(`${open.replace(/,$/, '')}}`) as SearchQuery;
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
  const filter = filterText(plan, shards);
  return alone
    ? `${plan.alone.body}${filter}${ownPaging(plan.paging)}}`
    : `${plan.spread().body}${filter}${fromTheTop(plan.paging, asked)}}`;
}

/** Whether nodes can be kept from dropping hits: a distinct attribute in the settings cannot be switched off. */
export function canLeaveDistinctToMerge(plan: SearchPlan): boolean {
  return plan.settings.distinct === null;
}

/** The same search with the distinct field left to the merge. */
export function withoutDistinct(plan: SearchPlan): SearchPlan {
  const { distinct: _, ...body } = readOpenBody(plan.spread().body);
  const spread = { ...plan.spread(), body: openBody(body) };
  return { ...plan, spread: () => spread, nodesDecideDistinct: false };
}

/** The body that counts what matches without the query's threshold, for a node beside others. */
export function countBody(plan: SearchPlan, shards: readonly number[], asked = 0): string {
  const body = JSON.parse(nodeBody(plan, shards, false, asked)) as SearchQuery;
  delete body.rankingScoreThreshold;
  return JSON.stringify(asked === 0 ? body : { ...body, showRankingScore: true });
}

function ownPaging(paging: Paging): string {
  return paging.mode === 'offset'
    ? `"offset":${paging.first},"limit":${paging.second}`
    : `"page":${paging.first},"hitsPerPage":${paging.second}`;
}

function fromTheTop(paging: Paging, asked: number): string {
  return paging.mode === 'offset' ? `"offset":0,"limit":${asked}` : `"page":1,"hitsPerPage":${asked}`;
}

/**
 * The filter member with its comma. Every document carries the mark of one of the index's shards, so a filter that
 * names all of them excludes nothing: it is left out, since it costs a node more than the rest of a short query.
 */
function filterText({ query: { filter }, shardCount }: SearchPlan, shards: readonly number[]): string {
  if (shards.length < shardCount) return `"filter":${withShards(filter, shards)},`;
  return filter === undefined || filter === null ? '' : `"filter":${JSON.stringify(filter)},`;
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

function clientView(query: SearchQuery, settings: SearchSettings): HitView {
  const { view, ranksByKey, keyRules } = settings;
  const showDetails = query.showRankingScoreDetails ?? false;
  const own = ranksByKey || (query.sort?.some((rule) => keyRules.includes(rule)) ?? false);
  return showDetails || own ? { ...view, showDetails, hiddenRule: own ? null : view.hiddenRule } : view;
}

function hideAdded(view: HitView, missing: ReadonlySet<string>, query: SearchQuery): HitView {
  if (missing.size === 0) return view;
  const formatted = new Set([
    ...(query.attributesToHighlight ?? []),
    ...(query.attributesToCrop ?? []).map((entry) => splitCrop(entry)[0]),
  ]);
  const tops = [...missing].map(topOf);
  const names = tops.map(toKeyText);
  if (missing.has('_geo')) names.push('_geoDistance');
  const unformatted = tops.filter((name) => !formatted.has('*') && !formatted.has(name)).map(toKeyText);
  return {
    ...view,
    drop: new Set([...view.drop, ...names]),
    dropFormatted: new Set([...view.dropFormatted, ...unformatted]),
  };
}
