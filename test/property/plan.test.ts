// Properties of plans: applied they give the target, and on the way no shard has fewer in-sync replicas than before.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Hash64, type PlacementNode, placeShards } from '../../shared/core/placement.js';
import { planMoves } from '../../shared/core/plan.js';
import { canTransition, type ReplicaStage } from '../../shared/core/replica-states.js';
import { loadHash } from '../../shared/io/hash.js';
import { placedIndex, sampleTopology } from '../support/sample-topology.js';

let hash: Hash64;
beforeAll(async () => {
  hash = await loadHash();
});

const SHARDS = 64;
const fleetArb = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 6 }),
    zone: fc.constantFrom(null, 'a', 'b', 'c'),
    weight: fc.constantFrom(1, 1, 2),
  }),
  { selector: (node) => node.id, minLength: 3, maxLength: 9 },
);

/** From one subset of a fleet to another, both large enough. */
const changeArb = fc
  .tuple(fleetArb, fc.integer({ min: 1, max: 3 }), fc.array(fc.tuple(fc.boolean(), fc.boolean())))
  .map(([nodes, factor, picks]) => ({
    nodes,
    factor,
    before: nodes.filter((_, at) => picks[at]?.[0] ?? true),
    after: nodes.filter((_, at) => picks[at]?.[1] ?? true),
  }))
  .filter(({ factor, before, after }) => before.length >= factor && after.length >= factor);

function plan(nodes: PlacementNode[], before: PlacementNode[], after: PlacementNode[], factor: number) {
  const topology = sampleTopology(nodes, [placedIndex(before, SHARDS, factor, hash)], factor);
  const planned = planMoves({ topology, desiredNodes: after.map((node) => node.id), hash });
  return { topology, planned };
}

describe('plans', () => {
  it('reach the target by allowed steps without ever lowering redundancy', () => {
    fc.assert(
      fc.property(changeArb, ({ nodes, before, after, factor }) => {
        const { topology, planned } = plan(nodes, before, after, factor);
        const shards = topology.indexes[0]!.shards.map(
          (replicas) =>
            new Map<string, ReplicaStage>(replicas.map((replica) => [replica.node, replica.state])),
        );
        const step = (shard: number, node: string, to: ReplicaStage) => {
          const from = shards[shard]!.get(node) ?? 'none';
          expect([from, to, canTransition(from, to)]).toEqual([from, to, true]);
          shards[shard]!.set(node, to);
          const readable = [...shards[shard]!.values()].filter((state) => state === 'in-sync').length;
          expect(readable).toBeGreaterThanOrEqual(factor);
        };
        for (const move of planned.moves) {
          expect(shards[move.shard]!.get(move.copyFrom)).toBe('in-sync');
          for (const state of ['copying', 'joined', 'verified', 'in-sync'] as const) {
            step(move.shard, move.targetNode, state);
          }
          for (const state of ['retained', 'deleting', 'none'] as const) {
            step(move.shard, move.sourceNode!, state);
          }
        }
        const target = placeShards({
          incarnationKey: 1,
          shardCount: SHARDS,
          replicationFactor: factor,
          nodes: after,
          hash,
        });
        for (const [shard, states] of shards.entries()) {
          const holders = [...states].filter(([, state]) => state === 'in-sync').map(([node]) => node);
          expect(holders.sort()).toEqual([...target[shard]!].sort());
        }
      }),
      { numRuns: 150 },
    );
  });

  it('copy each replica once, and only those that the target needs and nobody holds', () => {
    fc.assert(
      fc.property(changeArb, ({ nodes, before, after, factor }) => {
        const { topology, planned } = plan(nodes, before, after, factor);
        const copies = planned.moves.map((move) => `${move.shard} ${move.targetNode}`);
        expect(new Set(copies).size).toBe(copies.length);
        expect(planned.minimumReplicas).toBe(copies.length);
        for (const move of planned.moves) {
          const holders = topology.indexes[0]!.shards[move.shard]!.map((replica) => replica.node);
          expect(holders).not.toContain(move.targetNode);
        }
        expect(plan(nodes, before, after, factor).planned).toEqual(planned);
        expect(plan(nodes, after, after, factor).planned.moves).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
