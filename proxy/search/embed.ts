// Turns a query's text into its vector on one node, so that an embedder is asked once and not by every node.
import { readHybrid, searchKind } from '../../shared/core/dfs-hybrid.js';
import { memberText } from '../../shared/core/json-scan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';
import { tell } from './gathering.js';

/** The query with its vector. The same query where it needs none, and where a node has to say what is wrong with it. */
export async function embedQuery(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  query: SearchQuery,
): Promise<SearchQuery> {
  if (query.hybrid === undefined || searchKind(query) === 'keyword' || Array.isArray(query.vector))
    return query;
  if (Object.keys(index.physicalNames).length < 2) return query;
  const body = JSON.stringify({
    q: query.q,
    hybrid: { embedder: readHybrid(query)!.embedder, semanticRatio: 1 },
    limit: 0,
    retrieveVectors: true,
  });
  const [answer] = await scatter(ctx, hold, index, {
    stickyKey: body,
    deadlineMs: ctx.options.searchDeadlineMs,
    shards: [0],
    build: (_shards, node, current) => ({
      method: 'POST',
      path: `/indexes/${current.physicalNames[node]}/search`,
      body,
    }),
    onUnavailable: () => undefined,
  });
  if (answer?.response.status !== 200) return query;
  tell(ctx.gathered, 'vector of the text', [answer]);
  const vector = memberText(answer.response.body.toString('latin1'), 0, 'queryVector');
  return vector === null ? query : { ...query, vector: JSON.parse(vector) as number[] };
}
