// Whether the fleet is to heal itself now: what there is to heal, and why it must wait. Pure; the plan itself is the
// planner's.
import type { NodeHealth } from './node-health.js';
import type { PlannedMove } from './plan.js';
import { isDemoted, isDiverged } from './replica-states.js';
import type { NodeId, Topology } from './topology.js';

export interface HealingNeed {
  /** Replicas that differ, on nodes that answer, with another one to copy from. */
  diverged: number;
  /** Shards with fewer replicas than they should have because nodes are lost. */
  missing: number;
  /** Nodes that are back after their shards were copied elsewhere. */
  returned: NodeId[];
}

/** What there is to heal. */
export function findNeed(topology: Topology, health: readonly NodeHealth[]): HealingNeed {
  const stateOf = new Map(health.map((row) => [row.node, row.state]));
  const isLost = (node: NodeId) => stateOf.get(node) === 'lost';
  const isUp = (node: NodeId) => (stateOf.get(node) ?? 'healthy') === 'healthy';
  const need: HealingNeed = { diverged: 0, missing: 0, returned: [] };
  for (const index of topology.indexes) {
    if (index.deletedSeq !== null) continue;
    for (const replicas of index.shards) {
      const readable = replicas.some((replica) => replica.state === 'in-sync' && !isLost(replica.node));
      if (!readable) continue;
      need.diverged += replicas.filter((replica) => isDiverged(replica) && isUp(replica.node)).length;
      const kept = replicas.filter(
        (replica) => (replica.state === 'in-sync' || isDemoted(replica)) && !isLost(replica.node),
      );
      if (kept.length < index.replicationFactor && replicas.some((replica) => isLost(replica.node)))
        need.missing += 1;
    }
  }
  need.returned = health.filter((row) => row.healedAway && row.state === 'healthy').map((row) => row.node);
  return need;
}

/** The change's cause, or null where nothing is to be healed. */
export function describeNeed(need: HealingNeed, health: readonly NodeHealth[]): string | null {
  const parts: string[] = [];
  const lost = health.filter((row) => row.state === 'lost').map((row) => row.node);
  if (need.missing > 0)
    parts.push(
      `${need.missing} shards have too few replicas, for ${lost.join(', ')} ${lost.length === 1 ? 'is' : 'are'} lost`,
    );
  if (need.diverged > 0) parts.push(`${need.diverged} replicas differ and are copied anew`);
  if (need.returned.length > 0) parts.push(`${need.returned.join(', ')} is back: what is too much goes`);
  return parts.length === 0 ? null : parts.join('; ');
}

/**
 * Why healing waits, or null. When half of the fleet is away it is more likely the network, or this observer, and copies
 * would only load those that are left.
 */
export function pauseHealing(topology: Topology, health: readonly NodeHealth[]): string | null {
  const members = topology.nodes.filter((node) => node.state !== 'joining').map((node) => node.id);
  const away = health.filter(
    (row) => members.includes(row.node) && (row.state === 'down' || row.state === 'lost'),
  );
  if (away.length === 0 || away.length * 2 < members.length) return null;
  return `${away.length} of ${members.length} nodes are away: healing waits until more than half of the fleet is there`;
}

/** Moves that restore what should be; those that only bring shards to a better place are an operator's to start. */
export function isHealing(move: PlannedMove): boolean {
  return move.reason === 'missing' || move.reason === 'diverged' || move.reason === 'surplus';
}

/** Nodes that are gone: nothing is planned on them or read from them. One that is being removed is emptied as ever. */
export function lostNodes(health: readonly NodeHealth[], removed: readonly NodeId[]): Set<NodeId> {
  const lost = health.filter(({ node, state }) => state === 'lost' && !removed.includes(node));
  return new Set(lost.map(({ node }) => node));
}
