// Golden vectors: a placement or a hash that changes silently corrupts writes, so it must fail here first.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Hash64,
  type PlacementNode,
  placeShards,
  rankNodes,
  shardOf,
} from '../../shared/core/placement.js';
import { loadHash } from '../../shared/io/hash.js';

interface ShardVectors {
  shardCounts: number[];
  vectors: [id: string, hash: string, ...shards: number[]][];
}
interface PlacementVectors {
  fleets: {
    name: string;
    incarnationKey: number;
    replicationFactor: number;
    nodes: PlacementNode[];
    shards: string[];
  }[];
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as T;
}

let hash: Hash64;
beforeAll(async () => {
  hash = await loadHash();
});

describe('hash', () => {
  it('is xxh64 with seed 0, by the published vectors', () => {
    expect(hash('')).toBe(0xef46db3751d8e999n);
    expect(hash('a')).toBe(0xd24ec4f1a98c6e5bn);
    expect(hash('abc')).toBe(0x44bc2cf5ad770999n);
  });
});

describe('shardOf', () => {
  it('matches the golden vectors', () => {
    const { shardCounts, vectors } = golden<ShardVectors>('shards');
    expect(vectors.length).toBeGreaterThan(45);
    for (const [id, hashed, ...shards] of vectors) {
      expect([id, hash(id).toString(16)]).toEqual([id, hashed]);
      expect([id, ...shardCounts.map((count) => shardOf(id, count, hash))]).toEqual([id, ...shards]);
    }
  });
});

describe('placeShards', () => {
  it('matches the golden vectors', () => {
    const { fleets } = golden<PlacementVectors>('placements');
    for (const fleet of fleets) {
      const placed = placeShards({ ...fleet, shardCount: fleet.shards.length, hash });
      expect([fleet.name, ...placed.map((nodes) => nodes.join(' '))]).toEqual([fleet.name, ...fleet.shards]);
    }
  });

  it('does not depend on the order of the nodes', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, zone: null, weight: 1 }));
    const input = { incarnationKey: 5, shardCount: 64, replicationFactor: 3, hash };
    expect(placeShards({ ...input, nodes: [...nodes].reverse() })).toEqual(placeShards({ ...input, nodes }));
  });

  it('gives what there is when there are fewer nodes than replicas, and nothing to a weight of 0', () => {
    const nodes = [
      { id: 'a', zone: null, weight: 1 },
      { id: 'b', zone: null, weight: 0 },
    ];
    const placed = placeShards({ incarnationKey: 1, shardCount: 4, replicationFactor: 2, nodes, hash });
    expect(placed).toEqual([['a'], ['a'], ['a'], ['a']]);
    expect(placeShards({ incarnationKey: 1, shardCount: 2, replicationFactor: 2, nodes: [], hash })).toEqual([
      [],
      [],
    ]);
  });

  it('begins with the first nodes of the ranking when zones say nothing', () => {
    const nodes = Array.from({ length: 9 }, (_, at) => ({ id: `n${at}`, zone: null, weight: 1 + (at % 3) }));
    const placed = placeShards({ incarnationKey: 8, shardCount: 32, replicationFactor: 3, nodes, hash });
    for (const [shard, picked] of placed.entries()) {
      expect(picked).toEqual(rankNodes({ incarnationKey: 8, shard, nodes, hash }).slice(0, 3));
    }
  });
});
