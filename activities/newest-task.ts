// How far a node's own tasks go. A node's numbers only rise, so one that knows less than it has confirmed was wiped or restored.
import type { NodeClient, NodeRequest } from '../shared/io/node-client.js';

/** The number of the newest task that a node knows; -1 where it knows none. */
export async function readNewestTask(
  client: NodeClient,
  limits: Pick<NodeRequest, 'signal' | 'headersTimeoutMs'>,
): Promise<number> {
  const { results } = await client.json<{ results: { uid: number }[] }>({
    method: 'GET',
    path: '/tasks?limit=1',
    ...limits,
  });
  return results[0]?.uid ?? -1;
}
