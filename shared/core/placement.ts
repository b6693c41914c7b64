// Which shard a document belongs to, and which nodes should hold a shard (weighted, zone-aware rendezvous).
// Golden vectors in test/unit/golden hold both still: a changed result silently corrupts writes or moves everything.
import type { NodeId } from './topology.js';

export type Hash64 = (text: string) => bigint;

/** What placement looks at in a node. A weight of 0 or below keeps replicas away. */
export interface PlacementNode {
  readonly id: NodeId;
  readonly zone: string | null;
  readonly weight: number;
  /** What is hashed for it, or null for its id: a node that replaces another has that one's. */
  readonly placementKey?: string | null;
}

export interface PlacementInput {
  /** The index's incarnation number: a recreated index is placed anew. */
  incarnationKey: number | string;
  shardCount: number;
  replicationFactor: number;
  nodes: readonly PlacementNode[];
  hash: Hash64;
}

/** The shard of an id that is hashed already. */
export function shardOfHash(hashed: bigint, shardCount: number): number {
  return Number(hashed % BigInt(shardCount));
}

/** The shard of a document: xxh64 of its id's UTF-8 bytes, modulo the index's shard count. */
export function shardOf(documentId: string, shardCount: number, hash: Hash64): number {
  return shardOfHash(hash(documentId), shardCount);
}

/**
 * The target nodes of every shard, best first: `replicationFactor` of them, or all when there are fewer. A zone gets
 * its second replica of a shard only when every zone has one; a node without a zone is a zone of its own.
 */
export function placeShards(input: PlacementInput): NodeId[][] {
  const fleet = prepareFleet(input.nodes, input.hash);
  const wanted = Math.min(input.replicationFactor, fleet.ids.length);
  const depth = fleet.zoneCount >= wanted ? 1 : wanted;
  const scores = new Float64Array(fleet.zoneCount * depth);
  const holders = new Int32Array(fleet.zoneCount * depth);
  const placed: NodeId[][] = new Array(input.shardCount);
  for (let shard = 0; shard < input.shardCount; shard++) {
    const hashed = input.hash(`shard:${input.incarnationKey}:${shard}`);
    scores.fill(-1);
    if (fleet.weighted) rankWeighted(fleet, lowWord(hashed), highWord(hashed), depth, scores, holders);
    else rankUniform(fleet, lowWord(hashed), highWord(hashed), depth, scores, holders);
    placed[shard] = pickHolders(fleet, wanted, depth, scores, holders);
  }
  return placed;
}

/** All nodes in rendezvous order for one shard, best first, zones left aside: for explanations and checks. */
export function rankNodes(
  input: Omit<PlacementInput, 'shardCount' | 'replicationFactor'> & { shard: number },
): NodeId[] {
  const fleet = prepareFleet(input.nodes, input.hash);
  const hashed = input.hash(`shard:${input.incarnationKey}:${input.shard}`);
  const ranked = fleet.ids.map((id, node) => {
    const mixed = mix(lowWord(hashed) ^ fleet.lows[node]!, highWord(hashed) ^ fleet.highs[node]!);
    return { id, score: fleet.weighted ? weigh(mixed, fleet.weights[node]!) : mixed };
  });
  // The sort is stable and ids ascend: equal scores fall to the smaller id, as in placeShards.
  return ranked.sort((a, b) => b.score - a.score).map((entry) => entry.id);
}

interface Fleet {
  ids: NodeId[];
  lows: Int32Array;
  highs: Int32Array;
  weights: Float64Array;
  zones: Int32Array;
  zoneCount: number;
  weighted: boolean;
}

function prepareFleet(nodes: readonly PlacementNode[], hash: Hash64): Fleet {
  const sorted = nodes.filter((node) => node.weight > 0).sort((a, b) => (a.id < b.id ? -1 : 1));
  const hashes = sorted.map((node) => hash(`node:${node.placementKey ?? node.id}`));
  const zoneKeys = sorted.map((node) => (node.zone === null ? `node:${node.id}` : `zone:${node.zone}`));
  // When every node is a zone of its own there is nothing to keep apart: one group is the same and faster.
  const distinct = [...new Set(zoneKeys)];
  const alone = distinct.length === sorted.length;
  const numbers = new Map(distinct.map((key, number) => [key, alone ? 0 : number]));
  return {
    ids: sorted.map((node) => node.id),
    lows: Int32Array.from(hashes, lowWord),
    highs: Int32Array.from(hashes, highWord),
    weights: Float64Array.from(sorted, (node) => node.weight),
    zones: Int32Array.from(zoneKeys, (key) => numbers.get(key)!),
    zoneCount: alone ? Math.min(1, distinct.length) : distinct.length,
    weighted: sorted.some((node) => node.weight !== sorted[0]!.weight),
  };
}

/** Keeps the `depth` best nodes of every zone. The loop runs 65 million times for a large fleet: no calls, no objects. */
function rankUniform(
  fleet: Fleet,
  low: number,
  high: number,
  depth: number,
  scores: Float64Array,
  holders: Int32Array,
): void {
  const { lows, highs, zones } = fleet;
  for (let node = 0; node < lows.length; node++) {
    const score = mix(low ^ lows[node]!, high ^ highs[node]!);
    const last = zones[node]! * depth + depth - 1;
    if (score > scores[last]!) insertRanked(scores, holders, last, last - depth + 1, score, node);
  }
}

function rankWeighted(
  fleet: Fleet,
  low: number,
  high: number,
  depth: number,
  scores: Float64Array,
  holders: Int32Array,
): void {
  const { lows, highs, zones, weights } = fleet;
  for (let node = 0; node < lows.length; node++) {
    const mixed = mix(low ^ lows[node]!, high ^ highs[node]!);
    const last = zones[node]! * depth + depth - 1;
    // -ln(u) >= 1 - u, so w / (1 - u) bounds the score from above and spares most logarithms.
    if (weights[node]! < scores[last]! * (1 - unit(mixed)) * 0.999_999) continue;
    const score = weigh(mixed, weights[node]!);
    if (score > scores[last]!) insertRanked(scores, holders, last, last - depth + 1, score, node);
  }
}

function insertRanked(
  scores: Float64Array,
  holders: Int32Array,
  last: number,
  first: number,
  score: number,
  node: number,
): void {
  let slot = last;
  while (slot > first && score > scores[slot - 1]!) {
    scores[slot] = scores[slot - 1]!;
    holders[slot] = holders[slot - 1]!;
    slot--;
  }
  scores[slot] = score;
  holders[slot] = node;
}

/** Round r considers the r-th best node of every zone, best first, until enough are picked. */
function pickHolders(
  fleet: Fleet,
  wanted: number,
  depth: number,
  scores: Float64Array,
  holders: Int32Array,
): NodeId[] {
  const picked: NodeId[] = [];
  for (let round = 0; round < depth && picked.length < wanted; round++) {
    for (;;) {
      let best = -1;
      for (let slot = round; slot < scores.length; slot += depth) {
        if (scores[slot]! < 0) continue;
        if (best < 0 || scores[slot]! > scores[best]!) best = slot;
        else if (scores[slot]! === scores[best]! && holders[slot]! < holders[best]!) best = slot;
      }
      if (best < 0) break;
      scores[best] = -1;
      picked.push(fleet.ids[holders[best]!]!);
      if (picked.length === wanted) break;
    }
  }
  return picked;
}

/** 64 bits in, 32 well-mixed unsigned bits out. */
function mix(low: number, high: number): number {
  let x = Math.imul(low ^ (low >>> 16), 0x85ebca6b);
  x = Math.imul((x ^ (x >>> 13)) + high, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 16), 0x27d4eb2f);
  return (x ^ (x >>> 15)) >>> 0;
}

/** An evenly distributed number strictly between 0 and 1. */
function unit(mixed: number): number {
  return (mixed + 0.5) / 0x1_0000_0000;
}

function weigh(mixed: number, weight: number): number {
  return -weight / Math.log(unit(mixed));
}

function lowWord(hashed: bigint): number {
  return Number(hashed & 0xffff_ffffn) | 0;
}

function highWord(hashed: bigint): number {
  return Number(hashed >> 32n) | 0;
}
