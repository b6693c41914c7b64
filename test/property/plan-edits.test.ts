// Properties of plans with edits: what-ifs of several edits end at their target, never with fewer in-sync replicas than
// the report says on the way; a replacement moves exactly what the replaced node holds.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  activeNodes,
  applyEdits,
  type ChangeEdits,
  editsOf,
  pureReplacement,
} from '../../shared/core/change-edits.js';
import { judgeEdits } from '../../shared/core/judge-edits.js';
import { type Hash64, type PlacementNode, placeShards } from '../../shared/core/placement.js';
import { type Plan, planMoves } from '../../shared/core/plan.js';
import { basisOf, describeBasisChange } from '../../shared/core/plan-basis.js';
import { reportPlan } from '../../shared/core/plan-report.js';
import type { Topology, TopologyIndex } from '../../shared/core/topology.js';
import { loadHash } from '../../shared/io/hash.js';
import { placedIndex, sampleTopology } from '../support/sample-topology.js';

let hash: Hash64;
beforeAll(async () => {
  hash = await loadHash();
});

const SHARDS = 32;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];
const zone = fc.constantFrom(null, 'x', 'y');
const weight = fc.constantFrom(1, 1, 2);
const fleet = fc
  .tuple(fc.integer({ min: 3, max: 6 }), fc.array(fc.tuple(zone, weight), { minLength: 6, maxLength: 6 }))
  .map(([size, fields]) =>
    IDS.slice(0, size).map((id, at): PlacementNode => ({ id, zone: fields[at]![0], weight: fields[at]![1] })),
  );
const node = fc.constantFrom(...IDS);
const edits = fc.record({
  add: fc.subarray(['x1', 'x2']).map((ids) => ids.map((id) => ({ id, url: `http://${id}.test:7700` }))),
  remove: fc.uniqueArray(node, { maxLength: 1 }),
  drain: fc.uniqueArray(node, { maxLength: 1 }),
  replace: fc
    .uniqueArray(node, { maxLength: 1 })
    .map((ids) => ids.map((id) => ({ id: 'y1', url: 'http://y1.test:7700', replaces: id }))),
  set: fc.uniqueArray(fc.record({ id: node, weight, zone }), { selector: (one) => one.id, maxLength: 2 }),
  replication: fc
    .option(fc.integer({ min: 1, max: 4 }), { nil: undefined })
    .map((factor) => (factor === undefined ? [] : [{ index: 'products', factor }])),
});

function plan(topology: Topology, wanted: ChangeEdits): Plan {
  const after = applyEdits(topology, wanted);
  const desiredNodes = activeNodes(after);
  return planMoves({ topology: after, desiredNodes, replaced: pureReplacement(wanted), hash });
}

function fleetOf(nodes: PlacementNode[], factor: number): Topology {
  return sampleTopology(nodes, [placedIndex(nodes, SHARDS, factor, hash)], 1);
}

function report(topology: Topology, wanted: ChangeEdits, planned: Plan) {
  const documents = planned.moves.map(() => 10);
  const sizes = new Map([[1, 100]]);
  const input = { topology, edits: wanted, plan: planned, documents, bytesPerDocument: sizes };
  return reportPlan({ ...input, samples: [], concurrency: 2, documentsPerSecond: null });
}

/** Walks the moves in their order: each flips before its source goes. Answers the holders, and the fewest on the way. */
function walk(index: TopologyIndex, planned: Plan): { holders: string[][]; fewest: number[] } {
  const holders = index.shards.map((replicas) => new Set(replicas.map((replica) => replica.node)));
  const fewest = holders.map((set) => set.size);
  for (const move of planned.moves) {
    const set = holders[move.shard]!;
    if (move.kind === 'copy') {
      expect(set).toContain(move.copyFrom);
      expect(set).not.toContain(move.targetNode);
      set.add(move.targetNode);
    }
    if (move.sourceNode !== null) expect(set.delete(move.sourceNode)).toBe(true);
    fewest[move.shard] = Math.min(fewest[move.shard]!, set.size);
  }
  return { holders: holders.map((set) => [...set].sort()), fewest };
}

describe('a plan of several edits', () => {
  it('ends at the target, and takes from a shard only what is beyond its replication factor', () => {
    let judged = 0;
    fc.assert(
      fc.property(fleet, fc.integer({ min: 1, max: 3 }), edits, (nodes, factor, wanted) => {
        const topology = fleetOf(nodes, factor);
        if (judgeEdits(topology, wanted, { allowFewerZones: true }) !== null) return;
        judged += 1;
        const planned = plan(topology, wanted);
        expect(planned.refusal).toBeNull();
        const after = applyEdits(topology, wanted);
        const index = after.indexes[0]!;
        const { holders, fewest } = walk(topology.indexes[0]!, planned);
        const isActive = new Set(activeNodes(after));
        for (const [shard, target] of placeShards({
          incarnationKey: 1,
          shardCount: SHARDS,
          replicationFactor: index.replicationFactor,
          nodes: after.nodes.filter((one) => isActive.has(one.id)),
          hash,
        }).entries()) {
          expect(holders[shard]).toEqual([...target].sort());
          expect(fewest[shard]).toBeGreaterThanOrEqual(Math.min(factor, index.replicationFactor));
        }
        const copies = planned.moves.filter((move) => move.kind === 'copy');
        const lastCopy = planned.moves.findLastIndex((move) => move.kind === 'copy');
        const firstDrop = planned.moves.findIndex((move) => move.kind === 'drop');
        if (firstDrop >= 0) expect(firstDrop).toBeGreaterThan(lastCopy);
        const told = report(topology, wanted, planned);
        expect(told).toMatchObject({
          copies: copies.length,
          documents: 10 * copies.length,
          durationMs: planned.moves.length ? null : 0,
        });
        expect(told.lowestRedundancy!.replicas).toBe(Math.min(...fewest));
        for (const load of told.nodes) {
          expect(load.replicasAfter).toBe(holders.filter((one) => one.includes(load.id)).length);
        }
      }),
      { numRuns: 150 },
    );
    expect(judged).toBeGreaterThan(40);
  });

  it('is needed for nothing when applied again, and is made for exactly its topology', () => {
    fc.assert(
      fc.property(fleet, edits, (nodes, wanted) => {
        const topology = fleetOf(nodes, 2);
        if (judgeEdits(topology, wanted, { allowFewerZones: true }) !== null) return;
        const after = applyEdits(topology, wanted);
        expect(applyEdits(after, wanted)).toEqual(after);
        const isEdited =
          JSON.stringify(after.nodes.map(({ placementKey, ...one }) => [one, placementKey ?? null])) !==
          JSON.stringify(topology.nodes.map(({ placementKey, ...one }) => [one, placementKey ?? null]));
        const factors = after.indexes[0]!.replicationFactor !== topology.indexes[0]!.replicationFactor;
        const changes = describeBasisChange(basisOf(topology, hash), basisOf(after, hash));
        expect(changes.length > 0).toBe(isEdited || factors);
      }),
      { numRuns: 100 },
    );
  });

  it('moves exactly the shards of a node that is only replaced, wherever the others are', () => {
    fc.assert(
      fc.property(fleet, fleet, fc.integer({ min: 1, max: 3 }), node, (nodes, placed, factor, gone) => {
        fc.pre(nodes.some((one) => one.id === gone));
        // Placed for another fleet: replicas have drifted from where placement wants them.
        const drifted = placedIndex(placed, SHARDS, factor, hash);
        const topology = sampleTopology(
          [...new Map([...placed, ...nodes].map((one) => [one.id, one])).values()],
          [drifted],
          1,
        );
        const wanted = editsOf({
          kind: 'replace',
          nodes: [{ id: 'y1', url: 'http://y1.test:7700', replaces: gone }],
        });
        const planned = plan(topology, wanted);
        const { holders } = walk(drifted, planned);
        for (const [shard, replicas] of drifted.shards.entries()) {
          const expected = replicas.map((replica) => (replica.node === gone ? 'y1' : replica.node));
          expect(holders[shard]).toEqual(expected.sort());
        }
      }),
      { numRuns: 100 },
    );
  });
});

it('brings loads to weights, within noise, when a weight changes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (incarnation) => {
      const nodes = IDS.slice(0, 4).map((id) => ({ id, zone: null, weight: 1 }));
      const index = placedIndex(nodes, 512, 1, hash, { incarnation });
      const topology = sampleTopology(nodes, [index], 1);
      const wanted = editsOf({ kind: 'set', nodes: [{ id: 'a', weight: 2 }] });
      const planned = plan(topology, wanted);
      for (const move of planned.moves) expect(move.targetNode).toBe('a');
      const told = report(topology, wanted, planned);
      const noise = 6 * Math.sqrt(512 * 0.4 * 0.6);
      expect(Math.abs(told.nodes.find((one) => one.id === 'a')!.replicasAfter - 512 * 0.4)).toBeLessThan(
        noise,
      );
    }),
    { numRuns: 20 },
  );
});
