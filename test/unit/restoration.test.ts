// Who is read after a restore: decided from what nodes hold, whatever the backup says.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRestoration, type NodeFindings, type RestoreInput } from '../../shared/core/restoration.js';
import type { ReplicaState, Topology } from '../../shared/core/topology.js';

const BOOKS = 1;

function topology(replicas: Record<string, ReplicaState>): Topology {
  const nodes = ['a', 'b', 'c'];
  return {
    clusterId: 'main',
    journalId: 'j',
    epoch: 1,
    replicationFactor: 2,
    defaultShardCount: 1,
    nextIncarnation: 2,
    nodes: nodes.map((id) => ({ id, url: `http://${id}`, zone: null, weight: 1, state: 'active' })),
    indexes: [
      {
        uid: 'books',
        incarnation: BOOKS,
        primaryKey: 'id',
        shardCount: 1,
        replicationFactor: 2,
        settings: {},
        visible: true,
        createdAt: '',
        updatedAt: '',
        deletedSeq: null,
        physicalNames: Object.fromEntries(nodes.map((id) => [id, 'books--1-0'])),
        shards: [
          Object.entries(replicas).map(([node, state]) => ({ node, state, moveId: null, sinceEpoch: 1 })),
        ],
      },
    ],
  } as unknown as Topology;
}

const found = (
  node: string,
  count: number,
  digest: string,
  highest: number | null,
  more: Partial<NodeFindings> = {},
): NodeFindings => ({
  node,
  highest,
  newestTask: 5,
  names: new Map([[BOOKS, 'books--1-2']]),
  primaryKeys: new Map([[BOOKS, 'id']]),
  shards: new Map([[BOOKS, [{ count, digest }]]]),
  highestIncarnation: BOOKS,
  unknownIndexes: [],
  ...more,
});

const decide = (findings: NodeFindings[], more: Partial<RestoreInput> = {}) =>
  decideRestoration({
    topology: topology({ a: 'in-sync', b: 'in-sync' }),
    journalHead: 10,
    positions: new Map([
      ['a', 8],
      ['b', 8],
      ['c', 8],
    ]),
    findings,
    preferred: null,
    ...more,
  });
const shardOf = (...args: Parameters<typeof decide>) => {
  const { inSync, stale } = decide(...args).shards[0]!;
  return { inSync, stale };
};

describe('the replicas of a shard', () => {
  it('are all read when they are equal, whatever numbers their nodes have seen', () => {
    expect(shardOf([found('a', 5, 'x', 12), found('b', 5, 'x', 9), found('c', 0, '', 30)])).toEqual({
      inSync: ['a', 'b'],
      stale: [],
    });
  });

  it('are read where the newest entry has arrived, and copied anew elsewhere', () => {
    expect(shardOf([found('a', 5, 'x', 12), found('b', 6, 'y', 11), found('c', 0, '', null)])).toEqual({
      inSync: ['a'],
      stale: ['b'],
    });
    expect(shardOf([found('a', 5, 'x', 12), found('b', 6, 'y', 11)], { preferred: 'b' })).toEqual({
      inSync: ['b'],
      stale: ['a'],
    });
  });

  it('are never read where the shard was given away, though that node has seen more', () => {
    expect(shardOf([found('a', 100, 'x', 12), found('b', 0, '', 20), found('c', 100, 'x', 20)])).toEqual({
      inSync: ['a', 'c'],
      stale: ['b'],
    });
  });

  it('follow a shard that has moved to another node after the backup', () => {
    expect(shardOf([found('a', 0, '', 20), found('b', 0, '', 20), found('c', 100, 'x', 20)])).toEqual({
      inSync: ['c'],
      stale: ['a', 'b'],
    });
  });

  it('stay where nobody could be asked, one alone being read', () => {
    expect(shardOf([])).toEqual({ inSync: ['a'], stale: ['b'] });
  });

  it('always leave one to read, and forget no replica (property)', () => {
    const node = fc.record({
      count: fc.integer({ min: 0, max: 20 }),
      digest: fc.constantFrom('x', 'y'),
      highest: fc.option(fc.integer({ min: 0, max: 30 })),
      asked: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.tuple(node, node, node), (all) => {
        const findings = all.flatMap(({ count, digest, highest, asked }, at) =>
          asked ? [found('abc'[at]!, count, digest, highest)] : [],
        );
        const { inSync, stale } = shardOf(findings);
        expect(inSync.length).toBeGreaterThan(0);
        expect(new Set([...inSync, ...stale]).size).toBe(inSync.length + stale.length);
        for (const replica of ['a', 'b']) expect([...inSync, ...stale]).toContain(replica);
        const held = findings.filter((one) => inSync.includes(one.node));
        expect(new Set(held.map((one) => JSON.stringify(one.shards.get(BOOKS)))).size).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('the journal', () => {
  it('goes on above what any node has seen, with room for what had reached none', () => {
    expect(decide([found('a', 1, 'x', 5000)]).head).toBeGreaterThan(5000);
    expect(decide([found('a', 1, 'x', null)]).head).toBeGreaterThan(10);
  });

  it('is delivered again only to a node that has seen nothing after the backup', () => {
    const { head, nodes } = decide([found('a', 1, 'x', 12), found('b', 1, 'x', 9)]);
    expect(nodes.map(({ node, position }) => [node, position])).toEqual([
      ['a', head],
      ['b', 9],
      // Nobody asked it: what it holds is unknown, so nothing older is sent over it.
      ['c', head],
    ]);
  });
});

describe('indexes', () => {
  it('keep their newest name, get no number twice, and are gone when every node says so', () => {
    const without = {
      names: new Map(),
      shards: new Map(),
      highestIncarnation: 9,
      unknownIndexes: ['films--9-0'],
    };
    const gone = decide(['a', 'b', 'c'].map((node) => found(node, 0, '', 12, without)));
    expect(gone.deletedIndexes).toEqual([{ uid: 'books', incarnation: BOOKS }]);
    expect(gone.nextIncarnation).toBe(10);
    expect(gone.unknownIndexes[0]).toEqual({ node: 'a', name: 'films--9-0' });
    const kept = decide([found('a', 1, 'x', 12), found('b', 0, '', 12, without)]);
    expect(kept.deletedIndexes).toEqual([]);
    expect(kept.nodes[0]!.names).toEqual([[BOOKS, 'books--1-2']]);
  });
});
