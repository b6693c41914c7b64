// One shard of a plan: which replicas arrive, which leave for them, which are more than there should be.
import { isDemoted, isDiverged } from './replica-states.js';
import type { NodeId, Replica, TopologyNode } from './topology.js';

export interface ShardDiff {
  /** At most as many as arrive: each goes after the flip of the one that takes its place. */
  leaving: NodeId[];
  arriving: NodeId[];
  /** Beyond the replication factor: they go without a copy. */
  surplus: NodeId[];
  /** Those of the arriving that hold a replica which differs. */
  diverged: NodeId[];
}

export interface ShardRules {
  desired: ReadonlySet<NodeId>;
  /** Replicas that the shard should have. */
  factor: number;
}

/** Null when the shard is where it should be. `replicas` are those that count: not of lost nodes. */
export function diffShard(
  replicas: readonly Replica[],
  target: readonly NodeId[],
  { desired, factor }: ShardRules,
): ShardDiff | null {
  const held: Replica[] = [];
  const underWay: NodeId[] = [];
  const diverged: NodeId[] = [];
  for (const replica of replicas) {
    // A demoted replica is still its node's: it is promoted again, not copied again.
    // A diverged one is copied anew where it is wanted, and goes where it is not.
    if (isDiverged(replica) && target.includes(replica.node)) diverged.push(replica.node);
    else if (isHeld(replica)) held.push(replica);
    else if (replica.state !== 'retained' && replica.state !== 'deleting') underWay.push(replica.node);
  }
  const arriving = target.filter(
    (node) => !underWay.includes(node) && !held.some((replica) => replica.node === node),
  );
  const leaving = held.filter((replica) => !target.includes(replica.node));
  if (arriving.length === 0 && leaving.length === 0) return null;
  // Paired first, so gone for certain: what stands on a node that may hold nothing, then what is demoted.
  const urgency = (replica: Replica) => (desired.has(replica.node) ? 0 : 2) + (isDemoted(replica) ? 1 : 0);
  leaving.sort((a, b) => urgency(b) - urgency(a) || (a.node < b.node ? -1 : 1));
  const sources = leaving.slice(0, arriving.length).map((replica) => replica.node);
  // While a move is under way its source is spoken for; with fewer nodes than replicas nothing is too many.
  const drops = underWay.length === 0 && target.length >= factor ? leaving.slice(arriving.length) : [];
  return {
    leaving: underWay.length === 0 ? sources : sources.slice(0, freeSources(leaving, underWay, target)),
    arriving,
    surplus: drops.map((replica) => replica.node),
    diverged,
  };
}

function freeSources(leaving: readonly Replica[], underWay: readonly NodeId[], target: readonly NodeId[]) {
  return Math.max(0, leaving.length - underWay.filter((node) => target.includes(node)).length);
}

function isHeld(replica: Replica): boolean {
  return replica.state === 'in-sync' || isDemoted(replica) || isDiverged(replica);
}

/**
 * The target of a shard when nodes are only replaced: its holders with each replaced one's successor in its place, cut
 * to `factor` by dropping first what placement would not choose. `ranked` is the placement's target.
 */
export function narrowTarget(
  replicas: readonly Replica[],
  ranked: readonly NodeId[],
  replaced: ReadonlyMap<NodeId, NodeId>,
  factor: number,
  desired: ReadonlySet<NodeId>,
): NodeId[] {
  const holders = replicas.filter(isHeld).map((replica) => replaced.get(replica.node) ?? replica.node);
  const order = (node: NodeId) => (desired.has(node) ? 0 : 2) + (ranked.includes(node) ? 0 : 1);
  return [...new Set(holders)].sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1)).slice(0, factor);
}

/** Pairs within a zone first: then no step between two flips puts two replicas into one zone. */
export function pairByZone(diff: ShardDiff, nodes: readonly TopologyNode[]): [NodeId | null, NodeId][] {
  const zoneOf = (id: NodeId) => nodes.find((node) => node.id === id)?.zone ?? null;
  const sources = [...diff.leaving];
  const pairs: [NodeId | null, NodeId][] = [];
  const open: NodeId[] = [];
  for (const target of diff.arriving) {
    const zone = zoneOf(target);
    const match = zone === null ? -1 : sources.findIndex((source) => zoneOf(source) === zone);
    if (match < 0) open.push(target);
    else pairs.push([sources.splice(match, 1)[0]!, target]);
  }
  for (const target of open) pairs.push([sources.shift() ?? null, target]);
  return pairs;
}
