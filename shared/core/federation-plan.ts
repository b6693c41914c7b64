// What nodes are asked for a federation: each query by itself, and what several queries of one index match together.
import type { FederatedQuery, Federation } from './federation-request.js';
import { BARE_VIEW, type HitView } from './hits.js';
import { openBody, readOpenBody, type SearchPlan, withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';

/** A query as a search of its own: its first hits, with all that is compared between queries. */
export function ownSearch(
  { query }: FederatedQuery,
  federation: Federation,
  facets: readonly string[] | null,
): SearchQuery {
  const { paging, distinct, showPerformanceDetails } = federation;
  return {
    ...query,
    ...(distinct === null ? {} : { distinct }),
    ...(facets === null ? {} : { facets: [...facets] }),
    ...(showPerformanceDetails ? { showPerformanceDetails } : {}),
    ...(paging.mode === 'page' ? { page: 1, hitsPerPage: paging.required } : { limit: paging.required }),
    showRankingScore: true,
    showRankingScoreDetails: true,
  };
}

/** The same plan with everything that nodes add left in the hits, also where one node answers alone. */
export function bareHits(plan: SearchPlan): SearchPlan {
  const spread = plan.spread();
  // A facet that only the merge needs is not for the node that answers alone.
  const { facets: _, ...rest } = readOpenBody(spread.body);
  const facets = plan.query.facets ?? null;
  return {
    ...plan,
    alone: { body: openBody(facets === null ? rest : { ...rest, facets }), view: BARE_VIEW },
    spread: () => ({ ...spread, view: BARE_VIEW }),
  };
}

/** What the client may see of a query's hits. */
export function federatedView(plan: SearchPlan, { query }: FederatedQuery): HitView {
  const { view } = plan.spread();
  const hidden = query.showRankingScore ? [] : ['_rankingScore'];
  return {
    ...view,
    showDetails: query.showRankingScoreDetails ?? false,
    drop: new Set([...view.drop, ...hidden]),
  };
}

export interface CountedQuery {
  readonly query: SearchQuery;
  /** Whether what is below its threshold counts as well: it does once there are enough hits above. */
  readonly all: boolean;
  /** Whether it matches everything that its filter lets through. */
  readonly byVector: boolean;
}

/** Excludes what no document has: it matches all of them, but is no empty query, which could not be compared. */
const EVERYTHING = '-miroirzqxjkvbwq';

/** A node's body that counts what any of the queries of an index matches among some shards, with facets. */
export function countBody(
  name: string,
  queries: readonly CountedQuery[],
  facets: readonly string[] | null,
  distinct: string | null,
  shards: readonly number[],
): string {
  const asked = queries.map(({ query, all, byVector }) => {
    const { q, matchingStrategy, attributesToSearchOn, locales, rankingScoreThreshold } = query;
    const body = JSON.stringify({
      indexUid: name,
      q: byVector || (q ?? '').trim() === '' ? EVERYTHING : q,
      matchingStrategy,
      attributesToSearchOn,
      locales,
      attributesToRetrieve: [],
      rankingScoreThreshold: all ? null : rankingScoreThreshold,
    });
    return `${body.slice(0, -1)},"filter":${withShards(query.filter, shards)}}`;
  });
  const federation = JSON.stringify({
    page: 1,
    hitsPerPage: 1,
    facetsByIndex: facets === null ? {} : { [name]: facets },
    distinct,
  });
  return `{"federation":${federation},"queries":[${asked.join(',')}]}`;
}
