// Facet search over all shards: every node counts the values of its own documents, and the sums are one node's answer.
import { cutAnswer } from '../../shared/core/answer.js';
import {
  type Counted,
  decidingSearch,
  type FacetSearchQuery,
  facetHitRules,
  facetSearchBody,
  judgeFacetSearch,
  LOOKED_AT,
  mergeFacetHits,
  noFacetHits,
} from '../../shared/core/facet-search.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { runSearch, type SearchOutcome } from './run-search.js';
import { askShards, textOf, withIndex } from './spread-request.js';

/** Runs a facet search. Throws ApiError, also for what a node finds wrong with the query; `own` is the client's body. */
export function runFacetSearch(
  ctx: ProxyContext,
  uid: string,
  query: FacetSearchQuery,
  own: object,
): Promise<SearchOutcome> {
  const startedMs = performance.now();
  return withIndex(ctx, uid, async (hold, index) => {
    if (judgeFacetSearch(query, index) === 'nothing') return { text: noFacetHits(query), unavailable: [] };
    const counted = await whatCounts(ctx, index, query);
    const asked = await askShards(ctx, hold, index, {
      route: 'facet-search',
      stickyText: `${uid}\n${JSON.stringify(query)}`,
      body: (shards) => facetSearchBody(query, shards, counted),
      own,
    });
    if (asked === null) return null;
    const elapsedMs = Math.round(performance.now() - startedMs);
    const text = mergeFacetHits(asked.answers.map(textOf), facetHitRules(query, index), elapsedMs);
    return { text, unavailable: [...asked.unavailable] };
  });
}

async function whatCounts(
  ctx: ProxyContext,
  index: TopologyIndex,
  query: FacetSearchQuery,
): Promise<Counted> {
  const deciding = decidingSearch(query);
  if (deciding === null) return 'as asked';
  const { text } = await runSearch(ctx, index.uid, deciding);
  const enough = Math.min(LOOKED_AT, searchSettings(index).maxTotalHits);
  return cutAnswer(text).hits.length / 2 >= enough ? 'all matches' : 'above threshold';
}
