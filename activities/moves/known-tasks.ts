// Whether a node is still the one that its stream has confirmed entries on. One that was wiped or restored answers as if
// nothing had happened until its stream finds out.
import type { NodeId } from '../../shared/core/topology.js';
import type { ActivityDeps } from '../deps.js';
import { readNewestTask } from '../newest-task.js';

/** Throws where the node does not know the newest task that its stream has seen confirmed; its stream will find out. */
export async function requireKnownTasks(
  { store, nodes }: Pick<ActivityDeps, 'store' | 'nodes'>,
  node: NodeId,
): Promise<void> {
  // Before the node is asked: what is confirmed meanwhile it need not have known.
  const streams = await store.readStreams();
  const confirmed = streams.find((stream) => stream.node === node)?.lastTaskUid ?? -1;
  const newest = await readNewestTask(await nodes.client(node), { headersTimeoutMs: 3_000 });
  if (newest < confirmed)
    throw new Error(
      `node ${node} has confirmed task ${confirmed}, which it does not know any more: it was wiped or restored`,
    );
}
