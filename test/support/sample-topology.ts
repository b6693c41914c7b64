// Topologies for tests of the pure core, at rest unless a test changes them.
import { type Hash64, type PlacementNode, placeShards } from '../../shared/core/placement.js';
import type { NodeId, Replica, ReplicaState, Topology, TopologyIndex } from '../../shared/core/topology.js';
import { physicalName } from '../../shared/core/topology.js';

export function sampleNodes(ids: readonly string[]): PlacementNode[] {
  return ids.map((id) => ({ id, zone: null, weight: 1 }));
}

export function sampleReplica(
  node: NodeId,
  state: ReplicaState = 'in-sync',
  moveId: string | null = null,
): Replica {
  return { node, state, moveId, sinceEpoch: 1 };
}

/** An index with exactly these replicas, in-sync where only a node is named. */
export function sampleIndex(
  shards: readonly (readonly (NodeId | Replica)[])[],
  more: Partial<TopologyIndex> = {},
): TopologyIndex {
  const incarnation = more.incarnation ?? 1;
  const rows = shards.map((replicas) =>
    replicas.map((replica) => (typeof replica === 'string' ? sampleReplica(replica) : replica)),
  );
  const holders = new Set(rows.flat().map((replica) => replica.node));
  return {
    uid: 'products',
    incarnation,
    primaryKey: 'id',
    shardCount: rows.length,
    replicationFactor: rows[0]?.length ?? 1,
    settings: {},
    visible: true,
    createdAt: '2026-01-01T00:00:00Z',
    updatedAt: '2026-01-01T00:00:00Z',
    deletedSeq: null,
    physicalNames: Object.fromEntries(
      [...holders].map((id) => [id, physicalName('products', incarnation, 1)]),
    ),
    shards: rows,
    ...more,
  };
}

/** An index whose committed replicas are its placement. */
export function placedIndex(
  nodes: readonly PlacementNode[],
  shardCount: number,
  replicationFactor: number,
  hash: Hash64,
  more: Partial<TopologyIndex> = {},
): TopologyIndex {
  const incarnationKey = more.incarnation ?? 1;
  const placed = placeShards({ incarnationKey, shardCount, replicationFactor, nodes, hash });
  return sampleIndex(placed, { replicationFactor, ...more });
}

export function sampleTopology(
  nodes: readonly PlacementNode[],
  indexes: readonly TopologyIndex[],
  replicationFactor = 2,
): Topology {
  return {
    clusterId: 'main',
    journalId: 'journal-1',
    nextIncarnation: 1 + Math.max(0, ...indexes.map((index) => index.incarnation)),
    epoch: 7,
    replicationFactor,
    defaultShardCount: 64,
    nodes: nodes.map((node) => ({ ...node, url: `http://${node.id}.test:7700`, state: 'active' })),
    indexes,
  };
}
