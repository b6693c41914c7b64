// The plan of a change: the smallest diff between the committed replicas and the rendezvous target. Every leaving
// replica is paired with an arriving one and goes only after it, so redundancy is never lowered.
import { type Hash64, placeShards } from './placement.js';
import { isDemoted, isDiverged } from './replica-states.js';
import { spreadMoves } from './spread.js';
import type { NodeId, Replica, Topology, TopologyIndex, TopologyNode } from './topology.js';

export interface PlannedMove {
  indexUid: string;
  incarnation: number;
  shard: number;
  /** Whose replica goes away after the flip, or null when a replica is added. */
  sourceNode: NodeId | null;
  /** Where the documents are read from: always in-sync, the source itself where possible. */
  copyFrom: NodeId;
  targetNode: NodeId;
}

export interface SurplusReplica {
  indexUid: string;
  incarnation: number;
  shard: number;
  node: NodeId;
}

export interface Plan {
  moves: PlannedMove[];
  /** The fewest replicas that any plan to this target has to copy; `moves` has exactly so many. */
  minimumReplicas: number;
  /** Replicas beyond the replication factor: nothing has to be copied before they go. */
  surplus: SurplusReplica[];
  /** Why no plan is possible, with what is missing; `moves` is then empty. */
  refusal: string | null;
}

export interface PlanInput {
  topology: Topology;
  /** The nodes that may hold replicas afterwards. */
  desiredNodes: readonly NodeId[];
  hash: Hash64;
  /** Overrides the replication factor of every index; otherwise each index keeps its own. */
  replicationFactor?: number;
}

/** Plans the moves that bring every index to its target on `desiredNodes`. A fresh index needs none. */
export function planMoves(input: PlanInput): Plan {
  const { topology, hash } = input;
  const refusal = refuse(input);
  if (refusal !== null) return { moves: [], minimumReplicas: 0, surplus: [], refusal };
  const desired = new Set(input.desiredNodes);
  const nodes = topology.nodes.filter((node) => desired.has(node.id) && node.weight > 0);
  const zones = new Map(topology.nodes.map((node) => [node.id, node.zone]));
  const moves: PlannedMove[] = [];
  const surplus: SurplusReplica[] = [];
  const reads = new Map<NodeId, number>();
  for (const index of topology.indexes) {
    if (index.deletedSeq !== null) continue;
    const targets = placeShards({
      incarnationKey: index.incarnation,
      shardCount: index.shardCount,
      replicationFactor: input.replicationFactor ?? index.replicationFactor,
      nodes,
      hash,
    });
    for (let shard = 0; shard < index.shardCount; shard++) {
      const replicas = index.shards[shard] ?? [];
      const diff = diffShard(replicas, targets[shard]!, desired);
      if (diff === null) continue;
      const place = { indexUid: index.uid, incarnation: index.incarnation, shard };
      for (const [source, target] of pairByZone(diff, zones)) {
        const copyFrom = chooseCopySource(replicas, source, targets[shard]!, reads);
        if (copyFrom === null)
          return { moves: [], minimumReplicas: 0, surplus: [], refusal: lost(index, shard) };
        reads.set(copyFrom, (reads.get(copyFrom) ?? 0) + 1);
        moves.push({ ...place, sourceNode: source, copyFrom, targetNode: target });
      }
      for (const node of diff.leaving.slice(diff.arriving.length)) surplus.push({ ...place, node });
    }
  }
  return { moves: spreadMoves(moves), minimumReplicas: moves.length, surplus, refusal: null };
}

interface ShardDiff {
  leaving: NodeId[];
  arriving: NodeId[];
}

/** Null when the shard is where it should be. */
function diffShard(replicas: readonly Replica[], target: NodeId[], desired: Set<NodeId>): ShardDiff | null {
  const held: Replica[] = [];
  const underWay: NodeId[] = [];
  for (const replica of replicas) {
    // A demoted replica is still its node's: it is promoted again, not copied again.
    // A diverged one is copied anew where it is wanted, and goes where it is not.
    if (isDiverged(replica) && target.includes(replica.node)) continue;
    if (replica.state === 'in-sync' || isDemoted(replica) || isDiverged(replica)) held.push(replica);
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
  // The source of a move under way is spoken for.
  const free = leaving.slice(0, Math.max(0, leaving.length - underWayTargets(underWay, target)));
  return { leaving: free.map((replica) => replica.node), arriving };
}

function underWayTargets(underWay: NodeId[], target: NodeId[]): number {
  return underWay.filter((node) => target.includes(node)).length;
}

/** Pairs within a zone first: then no step between two flips puts two replicas into one zone. */
function pairByZone(diff: ShardDiff, zones: Map<NodeId, string | null>): [NodeId | null, NodeId][] {
  const sources = diff.leaving.slice(0, diff.arriving.length);
  const pairs: [NodeId | null, NodeId][] = [];
  const open: NodeId[] = [];
  for (const target of diff.arriving) {
    const zone = zones.get(target) ?? null;
    const match = zone === null ? -1 : sources.findIndex((source) => zones.get(source) === zone);
    if (match < 0) open.push(target);
    else pairs.push([sources.splice(match, 1)[0]!, target]);
  }
  for (const target of open) pairs.push([sources.shift() ?? null, target]);
  return pairs;
}

function chooseCopySource(
  replicas: readonly Replica[],
  source: NodeId | null,
  target: NodeId[],
  reads: Map<NodeId, number>,
): NodeId | null {
  const readable = replicas.filter((replica) => replica.state === 'in-sync').map((replica) => replica.node);
  if (source !== null && readable.includes(source)) return source;
  // One that stays: a replica that is itself leaving could be deleted under the copy.
  const staying = readable.filter((node) => target.includes(node));
  let best: NodeId | null = null;
  for (const node of staying.length > 0 ? staying : readable) {
    if (best === null || (reads.get(node) ?? 0) < (reads.get(best) ?? 0)) best = node;
  }
  return best;
}

function refuse({ topology, desiredNodes, replicationFactor }: PlanInput): string | null {
  const known = new Map<NodeId, TopologyNode>(topology.nodes.map((node) => [node.id, node]));
  const unknown = desiredNodes.filter((id) => !known.has(id));
  if (unknown.length > 0) return `There is no node ${unknown.map((id) => `\`${id}\``).join(', ')}.`;
  const eligible = [...new Set(desiredNodes)].filter((id) => known.get(id)!.weight > 0);
  // Too few nodes are no reason against a change that takes none away: each node that comes helps.
  if (!leavesReplicas(topology, new Set(eligible))) return null;
  let needed = 0;
  let needing = '';
  for (const index of topology.indexes) {
    const factor = replicationFactor ?? index.replicationFactor;
    if (index.deletedSeq !== null || factor <= needed) continue;
    needed = factor;
    needing = `index \`${index.uid}\``;
  }
  if (eligible.length >= needed) return null;
  const missing = needed - eligible.length;
  const names = eligible.map((id) => `\`${id}\``).join(', ');
  return (
    `Only ${eligible.length} ${eligible.length === 1 ? 'node' : 'nodes'}${names && ` (${names})`} could hold replicas, ` +
    `but ${needing} keeps ${needed} replicas of each shard: ${missing} more ${missing === 1 ? 'node is' : 'nodes are'} ` +
    'needed. Add nodes first.'
  );
}

function leavesReplicas(topology: Topology, eligible: ReadonlySet<NodeId>): boolean {
  return topology.indexes.some(
    (index) =>
      index.deletedSeq === null &&
      index.shards.some((replicas) =>
        replicas.some(
          (replica) => (replica.state === 'in-sync' || isDemoted(replica)) && !eligible.has(replica.node),
        ),
      ),
  );
}

function lost(index: TopologyIndex, shard: number): string {
  return (
    `Shard ${shard} of index \`${index.uid}\` has no in-sync replica to copy from. ` +
    'Bring back a node that holds it first.'
  );
}
