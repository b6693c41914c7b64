// Federated multi-search: every query is merged over all nodes like a search of its own, then their hits are merged as
// one Meilisearch merges them.
import { randomUUID } from 'node:crypto';
import { cutAnswer, totalOf } from '../../shared/core/answer.js';
import { compareBytes } from '../../shared/core/byte-text.js';
import { searchKind } from '../../shared/core/dfs-hybrid.js';
import { ApiError } from '../../shared/core/errors.js';
import {
  facetMembers,
  type IndexFacets,
  inconsistentFacet,
  mergeNodeFacets,
} from '../../shared/core/federation-facets.js';
import { mergeIndex, mergeIndexes, type QueryHits } from '../../shared/core/federation-hits.js';
import { bareHits, countBody, federatedView, ownSearch } from '../../shared/core/federation-plan.js';
import { atQuery, type FederatedQuery, type Federation } from '../../shared/core/federation-request.js';
import { areComparable, ruleKinds } from '../../shared/core/federation-rules.js';
import { pagingText } from '../../shared/core/search-answer.js';
import type { SearchPlan } from '../../shared/core/search-plan.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import type { ProxyContext } from '../context.js';
import { scatter } from '../scatter.js';
import { requireVisibleIndex } from '../visible-indexes.js';
import { nodeError } from './refer.js';
import { runAll } from './run-all.js';
import { runSearch, type SearchOutcome } from './run-search.js';
import { withIndex, withTopology } from './spread-request.js';

/** What a node must say, because only it knows the words; nothing that a node has against the request is lost. */
export class NodeMustJudge extends Error {}

interface QueryAnswer extends QueryHits {
  readonly plan: SearchPlan;
  readonly outcome: SearchOutcome;
}

/** Runs a federated search. Throws ApiError, or NodeMustJudge where a node knows what is wrong. */
export async function runFederation(ctx: ProxyContext, federation: Federation): Promise<SearchOutcome> {
  const startedMs = performance.now();
  // Meilisearch goes through indexes by their names, and through an index's queries in their order.
  const queries = [...federation.queries].sort(
    (left, right) => compareBytes(left.uid, right.uid) || left.position - right.position,
  );
  await judge(ctx, queries);
  const groups = new Map<string, FederatedQuery[]>();
  for (const query of queries) groups.set(query.uid, [...(groups.get(query.uid) ?? []), query]);
  const answers = await runQueries(ctx, federation, queries, groups);
  const unavailable = answers.flatMap(({ outcome }) => outcome.unavailable);
  const merged: ReturnType<typeof mergeIndex>[] = [];
  const facets: IndexFacets[] = [];
  let total = 0;
  for (const uid of groups.keys()) {
    const own = answers.filter(({ query }) => query.uid === uid);
    const { settings } = own[0]!.plan;
    const required = Math.min(federation.paging.required, settings.maxTotalHits);
    const index = mergeIndex(own, required, federation.distinct);
    const matched =
      own.length === 1 ? matchedByOne(own[0]!) : await matchedByAny(ctx, federation, own, required);
    unavailable.push(...matched.unavailable);
    total += matched.total - index.refused;
    merged.push(index);
    if ((federation.facetsByIndex.get(uid) ?? null) !== null) {
      facets.push({ uid, ...matched.facets, sortBy: settings.sortFacetValuesBy });
    }
  }
  await judgeUnusedFacets(ctx, federation, groups);
  if (federation.mergeFacets !== null && inconsistentFacet(facets) !== null) throw new NodeMustJudge();
  const { skip, take } = federation.paging;
  const { shown, refused, semantic } = mergeIndexes(merged, skip, take, federation.distinct);
  const members = [
    `"hits":[${shown.join(',')}]`,
    ...queryVectors(answers),
    `"processingTimeMs":${Math.round(performance.now() - startedMs)}`,
    pagingText(federation.paging, Math.max(0, total - refused)),
    ...facetMembers(facets, federation.mergeFacets),
  ];
  const rest = answers[0] === undefined ? null : cutAnswer(answers[0].text).rest;
  members.push(`"requestUid":${rest?.get('requestUid') ?? `"${randomUUID()}"`}`);
  if (queries.some(({ query }) => searchKind(query) !== 'keyword'))
    members.push(`"semanticHitCount":${semantic}`);
  const performanceDetails = rest?.get('performanceDetails');
  if (performanceDetails !== undefined) members.push(`"performanceDetails":${performanceDetails}`);
  const flaws = answers.flatMap(({ outcome }) => outcome.flaws ?? []);
  return { text: `{${members.join(',')}}`, unavailable, flaws };
}

/** The vectors of the queries that asked for any. */
function queryVectors(answers: readonly QueryAnswer[]): string[] {
  if (!answers.some(({ query }) => query.query.retrieveVectors)) return [];
  const vectors = answers
    .map(({ query, text }) => ({ query, vector: cutAnswer(text).rest.get('queryVector') }))
    .filter(({ query, vector }) => query.query.retrieveVectors && vector !== undefined)
    .sort((left, right) => left.query.position - right.query.position)
    .map(({ query, vector }) => `"${query.position}":${vector}`);
  return [`"queryVectors":{${vectors.join(',')}}`];
}

/** Whether all indexes are there, and all queries can be compared by the users' own rules. */
function judge(ctx: ProxyContext, queries: readonly FederatedQuery[]): Promise<boolean> {
  return withTopology(ctx, async ({ topology }) => {
    const kinds = queries.map(({ uid, query, position }) => {
      try {
        return ruleKinds(query, requireVisibleIndex(topology, uid).settings.rankingRules);
      } catch (error) {
        throw atQuery(error as Error, position);
      }
    });
    if (!areComparable(kinds)) throw new NodeMustJudge();
    return true;
  });
}

/** All answers in the order of the queries. Throws the error of the first query that has one. */
async function runQueries(
  ctx: ProxyContext,
  federation: Federation,
  queries: readonly FederatedQuery[],
  groups: ReadonlyMap<string, readonly FederatedQuery[]>,
): Promise<QueryAnswer[]> {
  const answers = await runAll(queries, (query) => {
    // The first query of an index tells whether its facets can be had; if it is the only one, it counts them too.
    const patterns = federation.facetsByIndex.get(query.uid) ?? null;
    const facets =
      groups.get(query.uid)![0] === query && patterns !== null && patterns.length > 0 ? patterns : null;
    return runQuery(ctx, federation, query, facets).catch((error: Error) =>
      named(error, query, facets !== null),
    );
  });
  for (const answer of answers) if (answer instanceof Error) throw answer;
  return answers as QueryAnswer[];
}

function named(error: Error, { uid, position }: FederatedQuery, withFacets: boolean): Error {
  if (!withFacets || !(error instanceof ApiError) || error.code !== 'invalid_search_facets')
    return atQuery(error, position);
  return atQuery(new ApiError(error.code, insideFacets(uid, error.message), error.status), position);
}

function insideFacets(uid: string, message: string): string {
  return `Inside \`.federation.facetsByIndex.${uid}\`: ${message}`;
}

async function runQuery(
  ctx: ProxyContext,
  federation: Federation,
  query: FederatedQuery,
  facets: readonly string[] | null,
): Promise<QueryAnswer> {
  let plan: SearchPlan | null = null;
  const outcome = await runSearch(ctx, query.uid, ownSearch(query, federation, facets), (planned) => {
    plan = planned;
    return bareHits(planned);
  });
  const used = plan!;
  const { primaryKey } = used as SearchPlan;
  return { query, text: outcome.text, primaryKey, view: federatedView(used, query), plan: used, outcome };
}

interface Matched {
  readonly total: number;
  readonly facets: { readonly distribution: string; readonly stats: string };
  readonly unavailable: readonly number[];
}

function matchedByOne({ text }: QueryAnswer): Matched {
  const answer = cutAnswer(text);
  const { rest } = answer;
  const facets = {
    distribution: rest.get('facetDistribution') ?? '{}',
    stats: rest.get('facetStats') ?? '{}',
  };
  return { total: totalOf(answer), facets, unavailable: [] };
}

/** Documents that several queries match count once: nodes hold disjoint ones, so their sums are right. */
function matchedByAny(
  ctx: ProxyContext,
  federation: Federation,
  answers: readonly QueryAnswer[],
  required: number,
): Promise<Matched> {
  const { uid } = answers[0]!.query;
  const queries = answers.map(({ query: { query }, text }) => {
    const { hits, rest } = cutAnswer(text);
    const found = hits.length / 2 >= required;
    return {
      query,
      all: federation.paging.mode === 'offset' && found,
      // By a vector everything matches; when words alone have found enough that is good, vectors are not looked at.
      byVector: searchKind(query) !== 'keyword' && !(found && rest.get('semanticHitCount') === '0'),
    };
  });
  const patterns = federation.facetsByIndex.get(uid) ?? null;
  // Without pages only those duplicates do not count that were met before the page was full.
  const distinct = federation.paging.mode === 'page' ? federation.distinct : null;
  return withIndex(ctx, uid, async (hold, index) => {
    const unavailable: number[] = [];
    let names = index.physicalNames;
    const parts = await scatter(ctx, hold, index, {
      stickyKey: `${uid}\n${JSON.stringify(queries)}`,
      deadlineMs: ctx.options.searchDeadlineMs,
      build: (shards, node, current) => {
        names = current.physicalNames;
        const body = countBody(names[node]!, queries, patterns, distinct, shards);
        return { method: 'POST', path: '/multi-search', body };
      },
      onUnavailable:
        ctx.options.unavailable === 'partial' ? (shards) => void unavailable.push(...shards) : undefined,
    });
    const refused = parts.find(({ response }) => response.status >= 400);
    if (refused !== undefined) throw nodeError(hold.topology, index, refused.response);
    const texts = parts.map(({ node, response }) => ({
      text: response.body.toString('latin1'),
      name: names[node]!,
    }));
    const total = texts.reduce((sum, { text }) => sum + totalOf(cutAnswer(text)), 0);
    const { maxValuesPerFacet, sortFacetValuesBy } = searchSettings(index);
    const facets = mergeNodeFacets(texts, {
      maxValues: maxValuesPerFacet,
      sortBy: sortFacetValuesBy,
      candidates: total,
      hidden: null,
    });
    return { total, facets, unavailable };
  });
}

/** Facets of an index that no query uses are nowhere shown, but they must be right. */
async function judgeUnusedFacets(
  ctx: ProxyContext,
  { facetsByIndex }: Federation,
  used: ReadonlyMap<string, unknown>,
): Promise<void> {
  for (const [uid, patterns] of [...facetsByIndex].sort(([left], [right]) => compareBytes(left, right))) {
    if (used.has(uid)) continue;
    try {
      await runSearch(ctx, uid, { limit: 0, facets: patterns === null ? null : [...patterns] });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const message = `${insideFacets(uid, error.message)}\n - Note: index \`${uid}\` is not used in queries`;
      throw new ApiError(error.code, message, error.code === 'index_not_found' ? 400 : error.status);
    }
  }
}
