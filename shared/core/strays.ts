// Strays: documents on a node that belong to none of the shards that it holds.
import { type NodeId, shardFilter, type TopologyIndex } from './topology.js';

/** Shards of which the node has a replica in whatever state: what it holds of them is no stray. */
export function heldShards(index: TopologyIndex, node: NodeId): number[] {
  return index.shards.flatMap((replicas, shard) =>
    replicas.some((replica) => replica.node === node) ? [shard] : [],
  );
}

/** Matches what belongs to no held shard, documents without a mark included. */
export function strayFilter(held: readonly number[]): string {
  return `NOT ${shardFilter(held)}`;
}
