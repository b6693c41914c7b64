import { describe, expect, it } from 'vitest';
import { chooseReplicas, stickyKeyOf } from '../../shared/core/routing.js';
import { sampleIndex, sampleReplica } from '../support/sample-topology.js';

const none: ReadonlySet<string> = new Set();
const free = { cost: () => 1, stickyKey: 1, exclude: none };

describe('chooseReplicas', () => {
  it('asks one node when one node holds everything', () => {
    const index = sampleIndex([
      ['a', 'b'],
      ['b', 'c'],
      ['b', 'a'],
    ]);
    expect(chooseReplicas(index, free)).toEqual({
      assignments: new Map([['b', [0, 1, 2]]]),
      unavailable: [],
    });
  });

  it('uses in-sync replicas only', () => {
    const states = ['copying', 'joined', 'verified', 'retained', 'deleting'] as const;
    const index = sampleIndex(states.map((state) => [sampleReplica('a'), sampleReplica('b', state, 'm')]));
    expect([...chooseReplicas(index, free).assignments.keys()]).toEqual(['a']);
    expect(chooseReplicas(index, { ...free, exclude: new Set(['a']) })).toEqual({
      assignments: new Map(),
      unavailable: [0, 1, 2, 3, 4],
    });
  });

  it('prefers cheap nodes among the smallest sets, and bears jitter', () => {
    const index = sampleIndex([['a', 'b', 'c']]);
    const costs: Record<string, number> = { a: 40, b: 3, c: 90 };
    for (let stickyKey = 0; stickyKey < 50; stickyKey++) {
      const routing = chooseReplicas(index, { ...free, stickyKey, cost: (node) => costs[node]! });
      expect([...routing.assignments.keys()]).toEqual(['b']);
    }
    const page = (cost: (node: string) => number) => chooseReplicas(index, { ...free, stickyKey: 9, cost });
    expect(page((node) => (node === 'a' ? 10.1 : 10.9))).toEqual(page((node) => (node === 'a' ? 11 : 10)));
  });

  it('spreads queries over equal nodes and keeps one query where it is', () => {
    const index = sampleIndex([['a', 'b', 'c']]);
    const counts = new Map<string, number>();
    for (let query = 0; query < 600; query++) {
      const stickyKey = stickyKeyOf(`query ${query}`);
      const [node] = chooseReplicas(index, { ...free, stickyKey }).assignments.keys();
      expect([...chooseReplicas(index, { ...free, stickyKey }).assignments.keys()]).toEqual([node]);
      counts.set(node!, (counts.get(node!) ?? 0) + 1);
    }
    for (const node of ['a', 'b', 'c']) expect(counts.get(node)).toBeGreaterThan(140);
  });

  it('asks a node believed to be down only for what nobody else has', () => {
    const index = sampleIndex([['down', 'up'], ['down', 'up'], ['down']]);
    const cost = (node: string) => (node === 'down' ? Number.POSITIVE_INFINITY : 5);
    expect(chooseReplicas(index, { ...free, cost }).assignments).toEqual(
      new Map([
        ['down', [2]],
        ['up', [0, 1]],
      ]),
    );
  });

  it('names the shards that nobody may answer for', () => {
    const index = sampleIndex([['a'], ['b'], ['a', 'b'], []]);
    const routing = chooseReplicas(index, { ...free, exclude: new Set(['a']) });
    expect(routing).toEqual({ assignments: new Map([['b', [1, 2]]]), unavailable: [0, 3] });
  });

  it('can be asked for the shards of a failed node alone', () => {
    const index = sampleIndex([
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ]);
    const routing = chooseReplicas(index, { ...free, exclude: new Set(['a']), shards: [1] });
    expect(routing).toEqual({ assignments: new Map([['c', [1]]]), unavailable: [] });
  });

  it('shares what two nodes hold evenly between them', () => {
    const both = Array.from({ length: 20 }, () => ['a', 'b']);
    const index = sampleIndex([['a'], ['b'], ...both]);
    const { assignments } = chooseReplicas(index, free);
    expect([...assignments.values()].map((shards) => shards.length)).toEqual([11, 11]);
  });
});
