// Whether the nodes that would be left can hold what the indexes keep: a refusal names what is missing.
import { isDemoted } from './replica-states.js';
import type { NodeId, Topology, TopologyNode } from './topology.js';

export interface CapacityInput {
  topology: Topology;
  desiredNodes: readonly NodeId[];
  /** Those of them that are not lost. */
  desired: ReadonlySet<NodeId>;
  lost: ReadonlySet<NodeId>;
  replicationFactor?: number;
}

/** Null when the change may be planned. */
export function refusePlan(input: CapacityInput): string | null {
  const { topology, desiredNodes, desired } = input;
  const known = new Map<NodeId, TopologyNode>(topology.nodes.map((node) => [node.id, node]));
  const unknown = desiredNodes.filter((id) => !known.has(id));
  if (unknown.length > 0) return `There is no node ${unknown.map((id) => `\`${id}\``).join(', ')}.`;
  const eligible = topology.nodes.filter((node) => desired.has(node.id) && node.weight > 0);
  // Too few nodes are no reason against a change that takes none away: each node that comes helps.
  if (!leavesReplicas(input, new Set(eligible.map((node) => node.id)))) return null;
  const { factor, uid } = mostReplicas(input);
  if (eligible.length >= factor) return null;
  const missing = factor - eligible.length;
  const names = eligible.map((node) => `\`${node.id}\``).join(', ');
  return (
    `Only ${eligible.length} ${eligible.length === 1 ? 'node' : 'nodes'}${names && ` (${names})`} could hold replicas, ` +
    `but index \`${uid}\` keeps ${factor} replicas of each shard: ${missing} more ${missing === 1 ? 'node is' : 'nodes are'} ` +
    'needed. Add nodes first.'
  );
}

/** The index that keeps the most replicas of each shard. */
function mostReplicas({ topology, replicationFactor }: CapacityInput): { factor: number; uid: string } {
  let most = { factor: 0, uid: '' };
  for (const index of topology.indexes) {
    const factor = replicationFactor ?? index.replicationFactor;
    if (index.deletedSeq === null && factor > most.factor) most = { factor, uid: index.uid };
  }
  return most;
}

function leavesReplicas({ topology, lost }: CapacityInput, eligible: ReadonlySet<NodeId>): boolean {
  return topology.indexes.some(
    (index) =>
      index.deletedSeq === null &&
      index.shards.some((replicas) =>
        replicas.some(
          (replica) =>
            (replica.state === 'in-sync' || isDemoted(replica)) &&
            !lost.has(replica.node) &&
            !eligible.has(replica.node),
        ),
      ),
  );
}
