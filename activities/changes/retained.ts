// Which changes in `retaining` are over.
import { editsOf, releasedNodes } from '../../shared/core/change-edits.js';
import type { NodeId } from '../../shared/core/topology.js';
import type { Store } from '../../shared/io/store.js';

/**
 * Changes that keep nothing any more, with the nodes that leave with them. What earlier changes keep on such a node is
 * waited for, unless the node is in trouble: then it cannot be read again, and goes as it is.
 */
export async function listClosable(store: Store): Promise<{ id: string; leaving: NodeId[] }[]> {
  const closable: { id: string; leaving: NodeId[] }[] = [];
  for (const { id, input } of await store.listRetainedOut()) {
    const leaving = releasedNodes(editsOf(input));
    if (await isEmpty(store, leaving)) closable.push({ id, leaving });
  }
  return closable;
}

async function isEmpty(store: Store, nodes: readonly NodeId[]): Promise<boolean> {
  const { kept, serving } = await store.countReplicas(nodes);
  if (serving > 0) return false;
  if (kept === 0) return true;
  const streams = await store.readStreams();
  return nodes.every((node) => streams.find((stream) => stream.node === node)?.lastError);
}
