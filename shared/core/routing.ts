// Which in-sync replica answers for each shard of a search: every shard exactly once, fewest nodes first, then the
// cheaper ones, and the same choice for all pages of one query.
import { type Cover, coverExactly, coverGreedily } from './set-cover.js';
import type { NodeId, TopologyIndex } from './topology.js';

export interface RoutingOptions {
  /** Smaller is better; Infinity for a node believed to be down, which is asked only when nobody else is left. */
  cost(node: NodeId): number;
  /** Equal for all pages of one query; see stickyKeyOf. */
  stickyKey: number;
  /** Nodes that must not be asked, for example because they just failed in this query. */
  exclude: ReadonlySet<NodeId>;
  /** Only these shards, for example those of a node that just failed; all when left out. */
  shards?: readonly number[];
}

export interface Routing {
  /** The shards that each node answers for. Shared between queries: do not change it. */
  assignments: Map<NodeId, number[]>;
  /** Shards without an in-sync replica that may be asked. */
  unavailable: number[];
}

/** Fleets up to this size get a true minimum of nodes, larger ones a greedy one. */
const EXACT_NODES = 12;

/** Chooses one in-sync replica for each shard. */
export function chooseReplicas(index: TopologyIndex, options: RoutingOptions): Routing {
  const readable = options.shards
    ? restrict(readableReplicas(index), options.shards)
    : readableReplicas(index);
  const costs = readable.nodes.map((node) => (options.exclude.has(node) ? Number.NaN : options.cost(node)));
  const covers = readable.nodes.length <= EXACT_NODES ? exactCovers(readable, costs) : null;
  if (covers?.covers.length === 1) return covers.routings[0]!;
  const lean = costs.map(coarseCost);
  const ties = readable.nodeHashes.map((hash) => scramble(hash ^ options.stickyKey));
  if (covers === null) {
    const { usable, unavailable } = usableHolders(readable, costs);
    return { assignments: assign(readable, usable, coverGreedily(usable, lean, ties)), unavailable };
  }
  return covers.routings[cheapestCover(covers.covers, lean, ties)]!;
}

/** A sticky key from the parts of a query that its pages share. */
export function stickyKeyOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return scramble(hash);
}

interface Readable {
  nodes: NodeId[];
  nodeHashes: number[];
  /** holders[shard]: positions in `nodes`; null for a shard that is not asked for. */
  holders: (number[] | null)[];
  exact: Map<string, ExactCovers>;
}

interface ExactCovers {
  covers: Cover[];
  routings: Routing[];
}

/** A topology is immutable, so what follows from it alone is worked out once. */
const known = new WeakMap<TopologyIndex, Readable>();

function readableReplicas(index: TopologyIndex): Readable {
  const cached = known.get(index);
  if (cached) return cached;
  const nodes = new Set<NodeId>();
  for (const replicas of index.shards) {
    for (const replica of replicas) if (replica.state === 'in-sync') nodes.add(replica.node);
  }
  const sorted = [...nodes].sort();
  const numbers = new Map(sorted.map((node, number) => [node, number]));
  const readable: Readable = {
    nodes: sorted,
    nodeHashes: sorted.map(stickyKeyOf),
    holders: index.shards.map((replicas) =>
      replicas.filter((replica) => replica.state === 'in-sync').map((replica) => numbers.get(replica.node)!),
    ),
    exact: new Map(),
  };
  known.set(index, readable);
  return readable;
}

/** The same fleet with other shards left out; nothing is remembered for it. */
function restrict(readable: Readable, shards: readonly number[]): Readable {
  const wanted = new Set(shards);
  const holders = readable.holders.map((nodes, shard) => (wanted.has(shard) ? nodes : null));
  return { ...readable, holders, exact: new Map() };
}

/** All smallest covers for the nodes that are usable now, with their assignments; remembered per set of nodes. */
function exactCovers(readable: Readable, costs: number[]): ExactCovers {
  const key = costs.map((cost) => (Number.isNaN(cost) ? 'x' : cost === Infinity ? 'd' : 'u')).join('');
  const cached = readable.exact.get(key);
  if (cached) return cached;
  const { usable, unavailable } = usableHolders(readable, costs);
  const covers = coverExactly(usable, readable.nodes.length);
  const routings = covers.map((cover) => ({ assignments: assign(readable, usable, cover), unavailable }));
  if (readable.exact.size >= 64) readable.exact.clear();
  readable.exact.set(key, { covers, routings });
  return { covers, routings };
}

/** Per shard the nodes that may be asked: those that are up, else those believed to be down. */
function usableHolders(
  readable: Readable,
  costs: readonly number[],
): { usable: number[][]; unavailable: number[] } {
  const unavailable: number[] = [];
  const usable = readable.holders.map((holders, shard) => {
    if (holders === null) return [];
    const up = holders.filter((node) => costs[node]! < Infinity);
    const rest = up.length > 0 ? up : holders.filter((node) => costs[node] === Infinity);
    if (rest.length === 0) unavailable.push(shard);
    return rest;
  });
  return { usable, unavailable };
}

/** Gives each shard to one node of the cover; where several hold it, to the one with the fewest so far. */
function assign(readable: Readable, usable: readonly number[][], cover: Cover): Map<NodeId, number[]> {
  const chosen = new Set(cover);
  const loads = new Map<number, number[]>(cover.map((node) => [node, []]));
  const open: [number, number[]][] = [];
  for (const [shard, holders] of usable.entries()) {
    const able = holders.filter((node) => chosen.has(node));
    if (able.length === 1) loads.get(able[0]!)!.push(shard);
    else if (able.length > 1) open.push([shard, able]);
  }
  for (const [shard, able] of open) {
    const lightest = able.reduce((a, b) => (loads.get(b)!.length < loads.get(a)!.length ? b : a));
    loads.get(lightest)!.push(shard);
  }
  const assignments = new Map<NodeId, number[]>();
  for (const [node, shards] of loads) {
    if (shards.length > 0) {
      assignments.set(
        readable.nodes[node]!,
        shards.sort((a, b) => a - b),
      );
    }
  }
  return assignments;
}

/** The slowest node decides how long a query takes, so it decides first; then the sum, then the sticky tie. */
function cheapestCover(covers: readonly Cover[], lean: readonly number[], ties: readonly number[]): number {
  let best = 0;
  let bestRank: [number, number, number] | null = null;
  for (const [at, cover] of covers.entries()) {
    let worst = 0;
    let sum = 0;
    let tie = 0;
    for (const node of cover) {
      worst = Math.max(worst, lean[node]!);
      sum += lean[node]!;
      tie += ties[node]!;
    }
    const rank: [number, number, number] = [worst, sum, tie];
    if (bestRank === null || compareRanks(rank, bestRank) < 0) {
      best = at;
      bestRank = rank;
    }
  }
  return best;
}

function compareRanks(a: [number, number, number], b: [number, number, number]): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** Powers of two: the jitter of a measured cost must not move a query's next page to another replica. */
function coarseCost(cost: number): number {
  if (!(cost > 0)) return 0;
  return cost === Infinity ? 2_000 : Math.ceil(Math.log2(cost + 1));
}

function scramble(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
