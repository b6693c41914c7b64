// Properties of placement over random fleets: balance, minimal disruption, zones, weights.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Hash64, type PlacementNode, placeShards } from '../../shared/core/placement.js';
import { loadHash } from '../../shared/io/hash.js';

let hash: Hash64;
beforeAll(async () => {
  hash = await loadHash();
});

const SHARDS = 512;

const zoneArb = fc.constantFrom(null, 'a', 'b', 'c', 'd');
const weightArb = fc.constantFrom(0.5, 1, 1, 1, 2, 3);
const nodeArb = (zone: fc.Arbitrary<string | null>, weight: fc.Arbitrary<number>) =>
  fc.record({ id: fc.uuid(), zone, weight });
const fleetArb = (
  zone: fc.Arbitrary<string | null> = zoneArb,
  weight: fc.Arbitrary<number> = weightArb,
  minLength = 2,
) => fc.uniqueArray(nodeArb(zone, weight), { selector: (node) => node.id, minLength, maxLength: 14 });
const plain = () => fleetArb(fc.constant(null), fc.constant(1));

function place(nodes: PlacementNode[], replicationFactor: number, incarnationKey: number): string[][] {
  return placeShards({ incarnationKey, shardCount: SHARDS, replicationFactor, nodes, hash });
}

function countReplicas(placed: string[][]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of placed.flat()) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

/** Six standard deviations of a binomial: a right placement fails once in a billion. */
function noise(trials: number, probability: number): number {
  return 6 * Math.sqrt(trials * probability * (1 - probability)) + 1;
}

const keyArb = fc.integer({ min: 1, max: 1_000_000 });
const factorArb = fc.integer({ min: 1, max: 4 });

describe('placement', () => {
  it('gives every shard distinct nodes, as many as it should', () => {
    fc.assert(
      fc.property(fleetArb(), factorArb, keyArb, (nodes, factor, key) => {
        for (const picked of place(nodes, factor, key)) {
          expect(new Set(picked).size).toBe(Math.min(factor, nodes.length));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('moves only to an added node, whatever zones and weights', () => {
    fc.assert(
      fc.property(fleetArb(), nodeArb(zoneArb, weightArb), factorArb, keyArb, (nodes, added, factor, key) => {
        fc.pre(nodes.every((node) => node.id !== added.id));
        const before = place(nodes, factor, key);
        const after = place([...nodes, added], factor, key);
        for (const [shard, picked] of after.entries()) {
          const arrived = picked.filter((node) => !before[shard]!.includes(node));
          expect(arrived.filter((node) => node !== added.id)).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives an added node its 1/(N+1) of the replicas, within noise', () => {
    fc.assert(
      fc.property(plain(), fc.uuid(), factorArb, keyArb, (nodes, id, factor, key) => {
        fc.pre(nodes.every((node) => node.id !== id) && nodes.length >= factor);
        const before = place(nodes, factor, key);
        const after = place([...nodes, { id, zone: null, weight: 1 }], factor, key);
        let moved = 0;
        for (const [shard, picked] of after.entries()) {
          moved += picked.filter((node) => !before[shard]!.includes(node)).length;
        }
        const share = factor / (nodes.length + 1);
        expect(Math.abs(moved - SHARDS * share)).toBeLessThan(noise(SHARDS, share));
      }),
      { numRuns: 100 },
    );
  });

  it('moves only what a removed node held', () => {
    fc.assert(
      fc.property(fleetArb(), factorArb, keyArb, fc.nat(), (nodes, factor, key, at) => {
        const removed = nodes[at % nodes.length]!.id;
        const rest = nodes.filter((node) => node.id !== removed);
        fc.pre(rest.length >= factor);
        const before = place(nodes, factor, key);
        const after = place(rest, factor, key);
        for (const [shard, picked] of after.entries()) {
          const left = before[shard]!.filter((node) => !picked.includes(node));
          expect(left).toEqual(before[shard]!.includes(removed) ? [removed] : []);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('balances equal nodes', () => {
    fc.assert(
      fc.property(plain(), factorArb, keyArb, (nodes, factor, key) => {
        fc.pre(nodes.length >= factor);
        const counts = countReplicas(place(nodes, factor, key));
        const share = factor / nodes.length;
        for (const { id } of nodes) {
          expect(Math.abs((counts.get(id) ?? 0) - SHARDS * share)).toBeLessThan(noise(SHARDS, share));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('follows weights for the first replica', () => {
    fc.assert(
      fc.property(fleetArb(fc.constant(null)), keyArb, (nodes, key) => {
        const counts = countReplicas(place(nodes, 1, key));
        const total = nodes.reduce((sum, node) => sum + node.weight, 0);
        for (const { id, weight } of nodes) {
          const share = weight / total;
          expect(Math.abs((counts.get(id) ?? 0) - SHARDS * share)).toBeLessThan(noise(SHARDS, share));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps replicas in distinct zones while there are enough, else as even as possible', () => {
    fc.assert(
      fc.property(fleetArb(fc.constantFrom('a', 'b', 'c')), factorArb, keyArb, (nodes, factor, key) => {
        const zones = new Map(nodes.map((node) => [node.id, node.zone!]));
        const sizes = new Map<string, number>();
        for (const node of nodes) sizes.set(node.zone!, (sizes.get(node.zone!) ?? 0) + 1);
        for (const picked of place(nodes, factor, key)) {
          const used = new Map([...sizes.keys()].map((zone) => [zone, 0]));
          for (const node of picked) used.set(zones.get(node)!, used.get(zones.get(node)!)! + 1);
          const most = Math.max(...used.values());
          for (const [zone, count] of used) {
            if (count < sizes.get(zone)!) expect(count).toBeGreaterThanOrEqual(most - 1);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
