// The plan of a change: the smallest diff between the committed replicas and the rendezvous target. Every leaving
// replica is paired with an arriving one and goes only after it, so redundancy is never lowered; what is left over
// beyond the replication factor is dropped at the end.
import { type Hash64, placeShards } from './placement.js';
import { refusePlan } from './plan-capacity.js';
import { diffShard, narrowTarget, pairByZone, type ShardDiff } from './plan-shard.js';
import { spreadMoves } from './spread.js';
import type { NodeId, Replica, Topology, TopologyIndex } from './topology.js';

/** `copy` brings a replica to a target; `drop` only takes one away. */
export type MoveKind = 'copy' | 'drop';

/**
 * Why a move is planned. `leaving`: the source's node gives its replicas up. `replaced`: the target's node takes the
 * source's place. `missing`: the shard has fewer replicas than its replication factor. `diverged`: the target's replica
 * differs from the others. `placement`: the target ranks before the source. `surplus`: more than the replication factor.
 */
export type MoveReason = 'leaving' | 'replaced' | 'missing' | 'diverged' | 'placement' | 'surplus';

export interface PlannedMove {
  kind: MoveKind;
  reason: MoveReason;
  indexUid: string;
  incarnation: number;
  shard: number;
  /** Whose replica goes away after the flip, or null when a replica is added. */
  sourceNode: NodeId | null;
  /** Where the documents are read from: always in-sync, the source itself where possible. Of a drop the source. */
  copyFrom: NodeId;
  /** Of a drop the source, too: nothing arrives anywhere. */
  targetNode: NodeId;
}

/** A shard that nothing can be copied from. */
export interface UnavailableShard {
  indexUid: string;
  shard: number;
}

export interface Plan {
  moves: PlannedMove[];
  /** The fewest replicas that any plan to this target has to copy; `moves` copies exactly so many. */
  minimumReplicas: number;
  /** Only with lost nodes: shards without an in-sync replica elsewhere. They are left alone. */
  unavailable: UnavailableShard[];
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
  /**
   * Nodes that are gone until they return: they receive nothing, nothing is read from them, and what they hold counts
   * as missing and stays where it is. Never desired, even if named so.
   */
  lost?: ReadonlySet<NodeId>;
  /** Plans only what puts each value into the place of its key; other replicas stay where they are. */
  replaced?: ReadonlyMap<NodeId, NodeId>;
}

/** Plans the moves that bring every index to its target on `desiredNodes`. A fresh index needs none. */
export function planMoves(input: PlanInput): Plan {
  const planner = new Planner(input);
  for (const index of input.topology.indexes) planner.add(index);
  return planner.plan();
}

/** The same index by index, for callers that have other things to do in between. */
export class Planner {
  private refusal: string | null;
  private readonly desired: ReadonlySet<NodeId>;
  private readonly lost: ReadonlySet<NodeId>;
  private readonly moves: PlannedMove[] = [];
  private readonly unavailable: UnavailableShard[] = [];
  private readonly reads = new Map<NodeId, number>();

  constructor(private readonly input: PlanInput) {
    this.lost = input.lost ?? new Set();
    this.desired = new Set(input.desiredNodes.filter((id) => !this.lost.has(id)));
    this.refusal = refusePlan({ ...input, desired: this.desired, lost: this.lost });
  }

  add(index: TopologyIndex): void {
    if (index.deletedSeq !== null || this.refusal !== null) return;
    const { topology, hash, replicationFactor } = this.input;
    const factor = replicationFactor ?? index.replicationFactor;
    const targets = placeShards({
      incarnationKey: index.incarnation,
      shardCount: index.shardCount,
      replicationFactor: factor,
      nodes: topology.nodes.filter((node) => this.desired.has(node.id) && node.weight > 0),
      hash,
    });
    for (let shard = 0; shard < index.shardCount; shard++) {
      const replicas = (index.shards[shard] ?? []).filter((replica) => !this.lost.has(replica.node));
      const ranked = targets[shard]!;
      const { replaced } = this.input;
      const target = replaced ? narrowTarget(replicas, ranked, replaced, factor, this.desired) : ranked;
      const diff = diffShard(replicas, target, { desired: this.desired, factor });
      if (diff !== null) this.addShard(index, shard, replicas, target, diff);
    }
  }

  plan(): Plan {
    const { refusal, unavailable } = this;
    if (refusal !== null) return { moves: [], minimumReplicas: 0, unavailable, refusal };
    const copies = this.moves.filter((move) => move.kind === 'copy').length;
    return { moves: spreadMoves(this.moves), minimumReplicas: copies, unavailable, refusal };
  }

  private addShard(
    index: TopologyIndex,
    shard: number,
    replicas: readonly Replica[],
    target: readonly NodeId[],
    diff: ShardDiff,
  ): void {
    const place = { indexUid: index.uid, incarnation: index.incarnation, shard };
    for (const [source, targetNode] of pairByZone(diff, this.input.topology.nodes)) {
      const copyFrom = this.chooseCopySource(replicas, source, target);
      if (copyFrom === null) {
        if (this.lost.size === 0) this.refusal ??= withoutReplica(index, shard);
        else this.unavailable.push({ indexUid: index.uid, shard });
        return;
      }
      this.reads.set(copyFrom, (this.reads.get(copyFrom) ?? 0) + 1);
      const reason = this.reasonOf(source, targetNode, diff);
      this.moves.push({ kind: 'copy', reason, ...place, sourceNode: source, copyFrom, targetNode });
    }
    for (const node of diff.surplus)
      this.moves.push({
        kind: 'drop',
        reason: 'surplus',
        ...place,
        sourceNode: node,
        copyFrom: node,
        targetNode: node,
      });
  }

  private reasonOf(source: NodeId | null, target: NodeId, diff: ShardDiff): MoveReason {
    if (diff.diverged.includes(target)) return 'diverged';
    if (source === null) return 'missing';
    if (this.input.replaced?.get(source) === target) return 'replaced';
    return this.desired.has(source) ? 'placement' : 'leaving';
  }

  private chooseCopySource(
    replicas: readonly Replica[],
    source: NodeId | null,
    target: readonly NodeId[],
  ): NodeId | null {
    const readable = replicas.filter((replica) => replica.state === 'in-sync').map((replica) => replica.node);
    if (source !== null && readable.includes(source)) return source;
    // One that stays: a replica that is itself leaving could be deleted under the copy.
    const staying = readable.filter((node) => target.includes(node));
    let best: NodeId | null = null;
    for (const node of staying.length > 0 ? staying : readable) {
      if (best === null || (this.reads.get(node) ?? 0) < (this.reads.get(best) ?? 0)) best = node;
    }
    return best;
  }
}

function withoutReplica(index: TopologyIndex, shard: number): string {
  return (
    `Shard ${shard} of index \`${index.uid}\` has no in-sync replica to copy from. ` +
    'Bring back a node that holds it first.'
  );
}
