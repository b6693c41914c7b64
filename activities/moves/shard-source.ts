// Reading an index from a node, whatever name its index has there now.
import type { NodeId, TopologyIndex } from '../../shared/core/topology.js';
import { type NodeClient, NodeRefusal } from '../../shared/io/node-client.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

/** Runs `read` against the physical index on a node; again when its stream has just renamed it. */
export async function readFromNode<T>(
  deps: ActivityDeps,
  move: Pick<MoveRow, 'incarnation' | 'indexUid'>,
  node: NodeId,
  read: (client: NodeClient, indexName: string, index: TopologyIndex) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const topology = await deps.store.readTopology();
    const index = topology.indexes.find((candidate) => candidate.incarnation === move.incarnation);
    if (!index || index.deletedSeq !== null)
      throw finalFailure('IndexDeleted', `the index ${move.indexUid} has been deleted`);
    const name = index.physicalNames[node];
    try {
      if (name === undefined) throw new Error(`node ${node} does not have the index ${move.indexUid} yet`);
      return await read(await deps.nodes.client(node), name, index);
    } catch (error) {
      if (!(error instanceof NodeRefusal && error.code === 'index_not_found') || attempt >= 20) throw error;
      await deps.clock.sleep(50);
    }
  }
}
