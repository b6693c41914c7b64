// A plan as an operator judges it: every move with reason and size, and what the fleet looks like before, meanwhile and
// afterwards. Sizes are estimates, and unknown ones are null.
import { activeNodes, applyEdits, type ChangeEdits, describeEdits } from './change-edits.js';
import type { Plan, PlannedMove } from './plan.js';
import { estimateDurationMs, fitMoveTime, type MoveSample } from './plan-time.js';
import { isDemoted } from './replica-states.js';
import type { NodeId, Topology } from './topology.js';

export interface ReportedMove extends PlannedMove {
  /** The reason as a sentence. */
  why: string;
  /** Counted when the plan was made; null where the node did not answer. Of a drop 0. */
  documents: number | null;
  /** Estimated from the average size of the index's documents. */
  bytes: number | null;
}

export interface NodeLoad {
  id: NodeId;
  weight: number;
  replicasBefore: number;
  replicasAfter: number;
  /** That its copies bring to it. */
  documentsIn: number | null;
  bytesIn: number | null;
}

/** What a change is expected to do; kept with the change, to be held against what it did. */
export interface Prediction {
  copies: number;
  drops: number;
  documents: number | null;
  bytes: number | null;
  /** Until all moves have flipped, without retention and deletion; null while no earlier move is known. */
  durationMs: number | null;
}

export interface PlanReport extends Prediction {
  summary: string;
  warnings: string[];
  moves: ReportedMove[];
  nodes: NodeLoad[];
  /** How much more than its share the fullest node holds: 1 is even. By replicas and weights. */
  skewBefore: number;
  skewAfter: number;
  /** The fewest in-sync replicas that a shard has at any time of the change, and which; null without any index. */
  lowestRedundancy: { replicas: number; wanted: number; indexUid: string; shard: number } | null;
  /** Of how many earlier moves the time was measured. */
  samples: number;
}

export interface ReportInput {
  topology: Topology;
  edits: ChangeEdits;
  plan: Plan;
  /** Documents of each move of the plan, null where unknown. */
  documents: readonly (number | null)[];
  /** Average bytes of a document by incarnation. */
  bytesPerDocument: ReadonlyMap<number, number>;
  samples: readonly MoveSample[];
  concurrency: number;
  documentsPerSecond: number | null;
}

export function reportPlan(input: ReportInput): PlanReport {
  const { topology, edits, plan, samples } = input;
  const after = applyEdits(topology, edits);
  const factors = new Map(after.indexes.map((index) => [index.incarnation, index.replicationFactor]));
  const moves = plan.moves.map((move, at): ReportedMove => {
    const documents = move.kind === 'drop' ? 0 : (input.documents[at] ?? null);
    const each = input.bytesPerDocument.get(move.incarnation);
    const bytes = documents === 0 ? 0 : documents === null || each === undefined ? null : documents * each;
    const factor = factors.get(move.incarnation) ?? 0;
    return {
      ...move,
      why: explain(move, factor),
      documents,
      bytes: bytes === null ? null : Math.round(bytes),
    };
  });
  const copies = moves.filter((move) => move.kind === 'copy');
  const before = countReplicas(topology);
  const then = applyMoves(before, moves);
  const documents = sum(copies.map((move) => move.documents));
  const time = fitMoveTime(samples);
  return {
    summary: describeEdits(edits) || 'rebalance',
    warnings: warnOf(after, plan),
    copies: copies.length,
    drops: moves.length - copies.length,
    documents,
    bytes: sum(copies.map((move) => move.bytes)),
    durationMs:
      moves.length === 0
        ? 0
        : copies.length === 0 || time === null || documents === null
          ? null
          : estimateDurationMs({ ...input, documents: copies.map((move) => move.documents!), time }),
    moves,
    nodes: after.nodes.map(({ id, weight }) => {
      const arriving = copies.filter((move) => move.targetNode === id);
      return {
        id,
        weight,
        replicasBefore: before.get(id) ?? 0,
        replicasAfter: then.get(id) ?? 0,
        documentsIn: sum(arriving.map((move) => move.documents)),
        bytesIn: sum(arriving.map((move) => move.bytes)),
      };
    }),
    skewBefore: skewOf(topology, before),
    skewAfter: skewOf(after, then),
    lowestRedundancy: lowestRedundancy(after, plan),
    samples: samples.length,
  };
}

function explain({ reason, sourceNode, targetNode }: PlannedMove, factor: number): string {
  switch (reason) {
    case 'leaving':
      return `${sourceNode} gives up what it holds`;
    case 'replaced':
      return `${targetNode} takes the place of ${sourceNode}`;
    case 'missing':
      return `the shard has fewer than ${factor} replicas`;
    case 'diverged':
      return `the replica on ${targetNode} differs from the others`;
    case 'placement':
      return `${targetNode} ranks before ${sourceNode} for this shard`;
    case 'surplus':
      return `the shard has more than ${factor} ${factor === 1 ? 'replica' : 'replicas'}`;
  }
}

/** What is kept of a report with the change that runs it. */
export function predictionOf({ copies, drops, documents, bytes, durationMs }: PlanReport): Prediction {
  return { copies, drops, documents, bytes, durationMs };
}

/** Null as soon as one is unknown. */
function sum(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce<number | null>(
    (total, one) => (total === null || one === null ? null : total + one),
    0,
  );
}

function countReplicas(topology: Topology): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const index of topology.indexes)
    if (index.deletedSeq === null)
      for (const replicas of index.shards)
        for (const replica of replicas)
          if (replica.state === 'in-sync' || isDemoted(replica))
            counts.set(replica.node, (counts.get(replica.node) ?? 0) + 1);
  return counts;
}

function applyMoves(before: ReadonlyMap<NodeId, number>, moves: readonly PlannedMove[]): Map<NodeId, number> {
  const after = new Map(before);
  const add = (node: NodeId, count: number) => after.set(node, (after.get(node) ?? 0) + count);
  for (const move of moves) {
    if (move.kind === 'copy' && move.reason !== 'diverged') add(move.targetNode, 1);
    if (move.sourceNode !== null) add(move.sourceNode, -1);
  }
  return after;
}

function skewOf(topology: Topology, counts: ReadonlyMap<NodeId, number>): number {
  const active = new Set(activeNodes(topology));
  const nodes = topology.nodes.filter((node) => active.has(node.id) || (counts.get(node.id) ?? 0) > 0);
  const weights = nodes.reduce((total, node) => total + node.weight, 0);
  const replicas = nodes.reduce((total, node) => total + (counts.get(node.id) ?? 0), 0);
  if (replicas === 0) return 1;
  const fullest = Math.max(...nodes.map((node) => (counts.get(node.id) ?? 0) / node.weight));
  return Math.round((fullest / (replicas / weights)) * 100) / 100;
}

/** A copy flips before its source leaves, so only drops take away: the fewest are those of the begin or of the end. */
function lowestRedundancy(after: Topology, plan: Plan): PlanReport['lowestRedundancy'] {
  const movesOf = new Map<string, PlannedMove[]>();
  for (const move of plan.moves) {
    const key = `${move.incarnation} ${move.shard}`;
    movesOf.set(key, [...(movesOf.get(key) ?? []), move]);
  }
  let lowest: PlanReport['lowestRedundancy'] = null;
  for (const { deletedSeq, uid, incarnation, replicationFactor, shards } of after.indexes) {
    if (deletedSeq !== null) continue;
    for (const [shard, replicas] of shards.entries()) {
      const inSync = new Set(replicas.filter(({ state }) => state === 'in-sync').map(({ node }) => node));
      let then = inSync.size;
      for (const { kind, sourceNode } of movesOf.get(`${incarnation} ${shard}`) ?? []) {
        if (kind === 'copy') then += 1;
        if (sourceNode !== null && inSync.has(sourceNode)) then -= 1;
      }
      const count = Math.min(inSync.size, then);
      if (lowest === null || count - replicationFactor < lowest.replicas - lowest.wanted)
        lowest = { replicas: count, wanted: replicationFactor, indexUid: uid, shard };
    }
  }
  return lowest;
}

function warnOf(after: Topology, plan: Plan): string[] {
  const warnings: string[] = [];
  const nodes = after.nodes.filter((node) => node.state === 'active');
  const weights = nodes.reduce((total, node) => total + node.weight, 0);
  const factors = after.indexes
    .filter((index) => index.deletedSeq === null)
    .map((one) => one.replicationFactor);
  const most = Math.max(0, ...factors);
  for (const node of nodes) {
    const asked = (node.weight / weights) * most;
    if (most > 1 && nodes.length >= most && asked > 1.005)
      warnings.push(
        `node \`${node.id}\` asks by its weight for ${Math.round((asked / most) * 100)} % of all replicas, but can hold ` +
          `${Math.round(100 / most)} % at most: one replica of each shard`,
      );
  }
  if (nodes.length < most)
    warnings.push(
      `${nodes.length} active ${nodes.length === 1 ? 'node' : 'nodes'} can hold ${nodes.length} of the ${most} replicas that indexes keep: ` +
        `add ${most - nodes.length} more`,
    );
  for (const { indexUid, shard } of plan.unavailable.slice(0, 10))
    warnings.push(`shard ${shard} of index \`${indexUid}\` lies on lost nodes only and is left as it is`);
  return warnings;
}
