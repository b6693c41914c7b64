// Lets a node say what is wrong with a request, and relays its error without what Miroir added.
import { ApiError } from '../../shared/core/errors.js';
import { cleanMessage, type HiddenParts } from '../../shared/core/search-errors.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import type { NodeId, Topology, TopologyIndex } from '../../shared/core/topology.js';
import type { NodeRequest, NodeResponse } from '../../shared/io/node-client.js';
import type { ProxyContext } from '../context.js';
import type { ScatterAnswer } from '../scatter.js';

/**
 * The error to answer with after a node refused a rewritten query. The node is asked once more with the client's own
 * query, so that positions and lists in the message are the client's. Null when it refuses no more.
 */
export async function relayRefusal(
  ctx: ProxyContext,
  names: TopologyIndex['physicalNames'],
  topology: Topology,
  index: TopologyIndex,
  query: SearchQuery | object,
  refused: ScatterAnswer,
  route = 'search',
): Promise<ApiError | null> {
  const own = await askNode(ctx, refused.node, {
    method: 'POST',
    path: `/indexes/${names[refused.node]}/${route}`,
    body: JSON.stringify(query),
  });
  if (own === null || !isRefusal(own) || own.body.includes('"code":"index_not_found"')) return null;
  return readError(own, hiddenParts(topology, index));
}

/**
 * Sends a request that the proxy cannot read to some node, and throws the node's error. `build` gets the physical name
 * of each index on that node. `accepted` is thrown when the node has nothing against it.
 */
export async function referToNode(
  ctx: ProxyContext,
  topology: Topology,
  index: TopologyIndex | null,
  build: (names: (uid: string) => string) => NodeRequest,
  accepted = new ApiError('bad_request', 'Miroir cannot read the parameters of this search.'),
): Promise<never> {
  const nodes = topology.nodes
    .filter((node) => index === null || index.physicalNames[node.id] !== undefined)
    .map((node) => node.id)
    .sort((left, right) => ctx.nodes.cost(left) - ctx.nodes.cost(right));
  for (const node of nodes) {
    const response = await askNode(
      ctx,
      node,
      build((uid) => physicalNameOf(topology, uid, node)),
    );
    if (response === null) continue;
    if (isRefusal(response)) throw readError(response, hiddenParts(topology, index));
    // The node understands what the proxy does not: nothing that may be relayed, since it saw its own part only.
    throw accepted;
  }
  throw new ApiError('miroir_node_unreachable', 'No node answers.');
}

/** The error of a node's answer, without what Miroir added. */
export function nodeError(topology: Topology, index: TopologyIndex, response: NodeResponse): ApiError {
  return readError(response, hiddenParts(topology, index));
}

function physicalNameOf(topology: Topology, uid: string, node: NodeId): string {
  const index = topology.indexes.find(
    (known) => known.uid === uid && known.deletedSeq === null && known.visible,
  );
  return index?.physicalNames[node] ?? uid;
}

async function askNode(ctx: ProxyContext, node: NodeId, request: NodeRequest): Promise<NodeResponse | null> {
  try {
    const signal = AbortSignal.timeout(ctx.options.searchDeadlineMs);
    return (await ctx.nodes.client(node)?.request({ ...request, signal })) ?? null;
  } catch (error) {
    ctx.log.debug({ node, error: String(error) }, 'a node did not answer');
    return null;
  }
}

function isRefusal(response: NodeResponse): boolean {
  return (
    response.status >= 400 && response.status < 500 && response.status !== 401 && response.status !== 403
  );
}

function hiddenParts(topology: Topology, index: TopologyIndex | null): HiddenParts {
  const names = new Map<string, string>();
  for (const known of topology.indexes) {
    for (const name of Object.values(known.physicalNames)) names.set(name, known.uid);
  }
  const settings = index === null ? null : searchSettings(index);
  return {
    names,
    primaryKey: index?.primaryKey ?? null,
    sortable: settings?.sortable ?? [],
    displayed: settings?.displayed ?? null,
  };
}

function readError(response: NodeResponse, hidden: HiddenParts): ApiError {
  // Of Miroir's own making are nodes that lack a route: the embedded engine has fewer.
  if (response.status === 404 && response.body.length === 0) {
    return new ApiError('miroir_not_supported', 'The nodes do not have the route that this request needs.');
  }
  try {
    const body = JSON.parse(response.body.toString('utf8')) as { message?: unknown; code?: unknown };
    if (typeof body.message === 'string' && typeof body.code === 'string') {
      return new ApiError(body.code, cleanMessage(body.message, hidden), response.status);
    }
  } catch {
    // Not Meilisearch's shape: named below.
  }
  return new ApiError('miroir_node_unreachable', `A node refused a search with status ${response.status}.`);
}
