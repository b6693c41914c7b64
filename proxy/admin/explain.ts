// Explains one search: which shards and nodes were asked and what the choice of replicas saw, what each node answered
// and how long it took, and which ranking rule put each of the first hits before the next.
import { cutAnswer, totalOf } from '../../shared/core/answer.js';
import { ApiError } from '../../shared/core/errors.js';
import { type ExplainedHit, explainOrder } from '../../shared/core/explain.js';
import { pinnedShards } from '../../shared/core/filter-pins.js';
import { shardOf } from '../../shared/core/placement.js';
import { nodeBody, planSearch } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { findIndex, type NodeId, type TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { scatter } from '../scatter.js';
import type { Gathering } from '../search/gathering.js';
import { relayRefusal } from '../search/refer.js';
import { type AskedScoring, runRanked } from '../search/scoring.js';
import { requireVisibleIndex } from '../visible-indexes.js';

const FIRST_HITS = 10;

export interface ExplainView {
  indexUid: string;
  epoch: number;
  /** Fewer than all where the filter pins the primary key. */
  shards: { asked: number; of: number };
  replicas: { node: NodeId; inSyncShards: number; costMs: number | null }[];
  answers: {
    node: NodeId;
    shards: readonly number[];
    request: unknown;
    /** As the proxy saw it, and as the node counts. */
    tookMs: number;
    nodeMs: number;
    hits: number;
    total: number;
  }[];
  /** What was asked of nodes beside the search itself, or found in the cache, in the order in which it was there. */
  gathered: Gathering[];
  /** The ids of the first hits as the search answers them: another order than by rules only where they are rescored. */
  ranked: unknown[];
  hits: (Omit<ExplainedHit, 'source'> & { node: NodeId; shard: number | null })[];
}

/** Runs the search as over several nodes, details included, and says what happened. Throws ApiError like a search. */
export async function explainSearch(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  scoring: AskedScoring | null = null,
): Promise<ExplainView> {
  const { gathered, ranked } = await follow(ctx, uid, query, scoring);
  const hold = ctx.watcher.acquire('search');
  try {
    const index = requireVisibleIndex(hold.topology, uid);
    const plan = planSearch(query, index);
    const requests = new Map<NodeId, string>();
    const shards = pinnedShards(index, query.filter, ctx.hash);
    let names = index.physicalNames;
    const answers = await scatter(ctx, hold, index, {
      stickyKey: plan.stickyText,
      deadlineMs: ctx.options.searchDeadlineMs,
      shards,
      build: (own, node, current) => {
        names = current.physicalNames;
        const body = nodeBody(plan, own, false);
        requests.set(node, body);
        return { method: 'POST', path: `/indexes/${names[node]}/search`, body };
      },
    });
    const refused = answers.find((answer) => answer.response.status >= 400);
    if (refused) {
      const error = await relayRefusal(ctx, names, hold.topology, index, plan.query, refused);
      throw error ?? new ApiError('miroir_topology_changed', 'The topology changed meanwhile; try again.');
    }
    const cut = answers.map((answer) => cutAnswer(answer.response.body.toString('latin1')));
    const first = explainOrder(cut, plan, Math.min(FIRST_HITS, plan.paging.required));
    return {
      indexUid: uid,
      epoch: hold.topology.epoch,
      shards: { asked: shards?.length ?? index.shardCount, of: index.shardCount },
      replicas: viewReplicas(ctx, index),
      answers: answers.map((answer, at) => ({
        node: answer.node,
        shards: answer.shards,
        request: JSON.parse(requests.get(answer.node)!),
        tookMs: tenths(answer.tookMs),
        nodeMs: Number(cut[at]!.rest.get('processingTimeMs')),
        hits: cut[at]!.hits.length / 2,
        total: totalOf(cut[at]!),
      })),
      gathered,
      ranked,
      hits: first.map(({ source, ...hit }) => ({
        ...hit,
        node: answers[source]!.node,
        shard: hit.id === null ? null : shardOf(String(hit.id), index.shardCount, ctx.hash),
      })),
    };
  } finally {
    hold.release();
  }
}

/** Runs the search as it is served, and hears what it asks. */
async function follow(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  scoring: AskedScoring | null,
): Promise<Pick<ExplainView, 'gathered' | 'ranked'>> {
  const gathered: Gathering[] = [];
  const hear = (gathering: Gathering) =>
    gathered.push({
      ...gathering,
      tookMs: tenths(gathering.tookMs),
      nodes: gathering.nodes.map(({ node, shards, tookMs }) => ({ node, shards, tookMs: tenths(tookMs) })),
    });
  const { attributesToRetrieve: _, ...whole } = query;
  const { text } = await runRanked({ ...ctx, gathered: hear }, uid, whole, scoring);
  const { hits } = JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) as { hits: object[] };
  const hold = ctx.watcher.acquire('search');
  const key = findIndex(hold.topology, uid)?.primaryKey ?? '';
  hold.release();
  const ranked = hits.slice(0, FIRST_HITS).map((hit) => (hit as Record<string, unknown>)[key] ?? null);
  return { gathered, ranked };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** What the choice of replicas saw: fewest nodes first, then the cheaper ones; a cost of null is a node that is down. */
function viewReplicas(ctx: ProxyContext, index: TopologyIndex): ExplainView['replicas'] {
  const counts = new Map<NodeId, number>();
  for (const { node, state } of index.shards.flat())
    if (state === 'in-sync') counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts].sort().map(([node, inSyncShards]) => {
    const cost = ctx.nodes.cost(node);
    return { node, inSyncShards, costMs: Number.isFinite(cost) ? tenths(cost) : null };
  });
}
