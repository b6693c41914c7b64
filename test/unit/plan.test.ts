import { beforeAll, describe, expect, it } from 'vitest';
import { type Hash64, placeShards } from '../../shared/core/placement.js';
import { planMoves } from '../../shared/core/plan.js';
import { loadHash } from '../../shared/io/hash.js';
import {
  placedIndex,
  sampleIndex,
  sampleNodes,
  sampleReplica,
  sampleTopology,
} from '../support/sample-topology.js';

let hash: Hash64;
beforeAll(async () => {
  hash = await loadHash();
});

const abc = sampleNodes(['a', 'b', 'c']);
const abcd = sampleNodes(['a', 'b', 'c', 'd']);

function targetOf(ids: string[]): string[] {
  const nodes = sampleNodes(ids);
  return placeShards({ incarnationKey: 1, shardCount: 1, replicationFactor: 2, nodes, hash })[0]!;
}

describe('planMoves', () => {
  it('has nothing to do for a fresh index', () => {
    const topology = sampleTopology(abc, [placedIndex(abc, 64, 2, hash)]);
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c'], hash });
    expect(plan).toEqual({ moves: [], minimumReplicas: 0, unavailable: [], refusal: null });
  });

  it('moves only to an added node, each replica from the one that leaves', () => {
    const topology = sampleTopology(abcd, [placedIndex(abc, 64, 2, hash)]);
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c', 'd'], hash });
    expect(plan.moves.length).toBeGreaterThan(10);
    expect(plan.minimumReplicas).toBe(plan.moves.length);
    for (const move of plan.moves) {
      expect(move.targetNode).toBe('d');
      expect(move.copyFrom).toBe(move.sourceNode);
      expect(topology.indexes[0]!.shards[move.shard]!.map((replica) => replica.node)).toContain(
        move.sourceNode,
      );
    }
  });

  it('passes over a deleted index', () => {
    const topology = sampleTopology(abcd, [placedIndex(abc, 64, 2, hash, { deletedSeq: 12 })]);
    expect(planMoves({ topology, desiredNodes: ['a', 'b', 'c', 'd'], hash }).moves).toEqual([]);
  });

  it('names what is missing when too few nodes are left', () => {
    const topology = sampleTopology(sampleNodes(['a', 'b']), [
      placedIndex(sampleNodes(['a', 'b']), 8, 2, hash),
    ]);
    const plan = planMoves({ topology, desiredNodes: ['b'], hash });
    expect(plan.moves).toEqual([]);
    expect(plan.refusal).toBe(
      'Only 1 node (`b`) could hold replicas, but index `products` keeps 2 replicas of each shard: ' +
        '1 more node is needed. Add nodes first.',
    );
    expect(planMoves({ topology, desiredNodes: ['b', 'x'], hash }).refusal).toBe('There is no node `x`.');
  });

  it('lets nodes come one by one to a fleet that is still too small', () => {
    const ab = sampleNodes(['a', 'b']);
    const topology = sampleTopology(
      ab,
      [placedIndex(sampleNodes(['a']), 8, 3, hash, { replicationFactor: 3 })],
      3,
    );
    const plan = planMoves({ topology, desiredNodes: ['a', 'b'], hash });
    expect(plan.refusal).toBeNull();
    expect(plan.moves).toHaveLength(8);
    for (const move of plan.moves) {
      expect(move).toMatchObject({ sourceNode: null, copyFrom: 'a', targetNode: 'b' });
    }
  });

  it('adds a replica where one is missing, read from a replica that stays, before it moves others', () => {
    const [first, second] = targetOf(['a', 'b', 'c', 'd']) as [string, string];
    const outside = ['a', 'b', 'c', 'd'].find((id) => id !== first && id !== second)!;
    const short = sampleIndex([[first]], { replicationFactor: 2 });
    const moved = sampleIndex([[first, outside]], { replicationFactor: 2, uid: 'other' });
    const topology = sampleTopology(abcd, [moved, short]);
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c', 'd'], hash });
    expect(plan.moves).toMatchObject([
      { indexUid: 'products', sourceNode: null, copyFrom: first, targetNode: second },
      { indexUid: 'other', sourceNode: outside, copyFrom: outside, targetNode: second },
    ]);
  });

  it('never copies from a demoted replica, and does not copy it again where it belongs', () => {
    const [first, second] = targetOf(['a', 'b', 'c']) as [string, string];
    const third = ['a', 'b', 'c'].find((id) => id !== first && id !== second)!;
    const belongs = sampleIndex([[first, sampleReplica(second, 'joined')]]);
    const leaves = sampleIndex([[first, sampleReplica(third, 'joined')]], { uid: 'other' });
    const topology = sampleTopology(abc, [belongs, leaves]);
    expect(planMoves({ topology, desiredNodes: ['a', 'b', 'c'], hash }).moves).toMatchObject([
      { indexUid: 'other', sourceNode: third, copyFrom: first, targetNode: second },
    ]);
  });

  it('leaves a move that is under way alone', () => {
    const [first, second] = targetOf(['a', 'b', 'c']) as [string, string];
    const third = ['a', 'b', 'c'].find((id) => id !== first && id !== second)!;
    const index = sampleIndex([[first, third, sampleReplica(second, 'copying', 'move-1')]], {
      replicationFactor: 2,
    });
    const plan = planMoves({ topology: sampleTopology(abc, [index]), desiredNodes: ['a', 'b', 'c'], hash });
    expect(plan).toMatchObject({ moves: [], refusal: null });
  });

  it('refuses when a shard has no replica to copy from', () => {
    const [first] = targetOf(['a', 'b', 'c']) as [string];
    const index = sampleIndex([[sampleReplica(first, 'joined')]], { replicationFactor: 2 });
    const plan = planMoves({ topology: sampleTopology(abc, [index]), desiredNodes: ['a', 'b', 'c'], hash });
    expect(plan.refusal).toContain('Shard 0 of index `products` has no in-sync replica');
  });

  it('drops surplus replicas after everything else, those on nodes that may hold nothing paired first', () => {
    const [first, second] = targetOf(['a', 'b', 'c']) as [string, string];
    const third = ['a', 'b', 'c'].find((id) => id !== first && id !== second)!;
    const surplus = sampleIndex([[first, second, 'd']], { replicationFactor: 2 });
    const both = sampleIndex([[first, third, 'd']], { replicationFactor: 2, uid: 'other', incarnation: 1 });
    const plan = planMoves({
      topology: sampleTopology(abcd, [surplus, both]),
      desiredNodes: ['a', 'b', 'c'],
      hash,
    });
    expect(plan.moves).toMatchObject([
      { kind: 'copy', reason: 'leaving', indexUid: 'other', sourceNode: 'd', targetNode: second },
      { kind: 'drop', reason: 'surplus', indexUid: 'products', sourceNode: 'd', targetNode: 'd' },
      { kind: 'drop', reason: 'surplus', indexUid: 'other', sourceNode: third },
    ]);
    expect(plan.minimumReplicas).toBe(1);
  });

  it('keeps every replica while there are fewer nodes than the index keeps replicas', () => {
    const index = sampleIndex([['a', 'b', 'c']], { replicationFactor: 3 });
    const topology = sampleTopology(abc, [index], 3);
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c'], lost: new Set(['c']), hash });
    expect(plan.moves).toEqual([]);
  });

  it('replaces what lost nodes hold from the others, and takes it for surplus when they return', () => {
    const topology = sampleTopology(abcd, [placedIndex(abc, 64, 2, hash, { replicationFactor: 2 })]);
    const abcOnly = { ...topology, nodes: topology.nodes.filter((node) => node.id !== 'd') };
    const held = topology.indexes[0]!.shards.filter((replicas) => replicas.some(({ node }) => node === 'c'));
    const healed = planMoves({
      topology: abcOnly,
      desiredNodes: ['a', 'b', 'c'],
      lost: new Set(['c']),
      hash,
    });
    expect(healed.refusal).toBeNull();
    expect(healed.moves).toHaveLength(held.length);
    for (const move of healed.moves) {
      expect(move).toMatchObject({ kind: 'copy', reason: 'missing', sourceNode: null });
      expect(move.copyFrom).not.toBe('c');
      expect(move.targetNode).not.toBe('c');
    }
    const shards = abcOnly.indexes[0]!.shards.map((replicas, shard) => [
      ...replicas,
      ...healed.moves.filter((move) => move.shard === shard).map((move) => sampleReplica(move.targetNode)),
    ]);
    const back = { ...abcOnly, indexes: [{ ...abcOnly.indexes[0]!, shards }] };
    const returned = planMoves({ topology: back, desiredNodes: ['a', 'b', 'c'], hash });
    expect(returned.moves).toHaveLength(held.length);
    for (const move of returned.moves) expect(move).toMatchObject({ kind: 'drop', reason: 'surplus' });
  });

  it('names the shards that only lost nodes hold, and plans the others', () => {
    const topology = sampleTopology(abc, [placedIndex(abc, 64, 1, hash, { replicationFactor: 1 })], 1);
    const held = topology.indexes[0]!.shards.filter((replicas) => replicas[0]!.node === 'c').length;
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c'], lost: new Set(['c']), hash });
    expect(plan.refusal).toBeNull();
    expect(plan.unavailable).toHaveLength(held);
    expect(plan.moves).toEqual([]);
  });

  it('moves to a replacement exactly what the replaced node holds', () => {
    const topology = sampleTopology(abcd, [placedIndex(abc, 64, 2, hash)]);
    const nodes = topology.nodes.map((node) => (node.id === 'd' ? { ...node, placementKey: 'b' } : node));
    const held = topology.indexes[0]!.shards.flatMap((replicas, shard) =>
      replicas.some((replica) => replica.node === 'b') ? [shard] : [],
    );
    const desiredNodes = ['a', 'c', 'd'];
    for (const replaced of [undefined, new Map([['b', 'd']])]) {
      const { moves } = planMoves({ topology: { ...topology, nodes }, desiredNodes, replaced, hash });
      expect(moves.map((move) => move.shard).sort((a, b) => a - b)).toEqual(held);
      for (const move of moves)
        expect(move).toMatchObject({ sourceNode: 'b', copyFrom: 'b', targetNode: 'd' });
    }
  });

  it('leaves other replicas alone where a node is only replaced, but takes surplus away', () => {
    const [first, second] = targetOf(['a', 'b', 'c']) as [string, string];
    const third = ['a', 'b', 'c'].find((id) => id !== first && id !== second)!;
    const drifted = sampleIndex([[first, third]], { replicationFactor: 2 });
    const surplus = sampleIndex([[first, second, third]], { replicationFactor: 2, uid: 'other' });
    const topology = sampleTopology(abcd, [drifted, surplus]);
    const nodes = topology.nodes.map((node) => (node.id === 'd' ? { ...node, placementKey: first } : node));
    const { moves } = planMoves({
      topology: { ...topology, nodes },
      desiredNodes: ['b', 'c', 'd', 'a'].filter((id) => id !== first),
      replaced: new Map([[first, 'd']]),
      hash,
    });
    expect(moves).toMatchObject([
      { kind: 'copy', reason: 'replaced', indexUid: 'products', sourceNode: first, targetNode: 'd' },
      { kind: 'copy', reason: 'replaced', indexUid: 'other', sourceNode: first, targetNode: 'd' },
      { kind: 'drop', reason: 'surplus', indexUid: 'other', sourceNode: third },
    ]);
  });

  it('alternates targets and sources instead of loading one node at a time', () => {
    const five = sampleNodes(['a', 'b', 'c', 'd', 'e']);
    const topology = sampleTopology(five, [placedIndex(abc, 256, 2, hash)]);
    const { moves } = planMoves({ topology, desiredNodes: ['a', 'b', 'c', 'd', 'e'], hash });
    for (let at = 0; at + 12 <= moves.length; at += 12) {
      const some = moves.slice(at, at + 12);
      for (const target of ['d', 'e']) {
        expect(some.filter((move) => move.targetNode === target).length).toBeLessThanOrEqual(8);
      }
      for (const source of ['a', 'b', 'c']) {
        expect(some.filter((move) => move.copyFrom === source).length).toBeLessThanOrEqual(8);
      }
    }
  });
});
