// What a plan is said to take, from samples; what is refused, with what is missing; what makes a plan outdated.
import { beforeAll, describe, expect, it } from 'vitest';
import { applyEdits, comingNodes, describeEdits, editsOf } from '../../shared/core/change-edits.js';
import { judgeEdits } from '../../shared/core/judge-edits.js';
import type { Hash64 } from '../../shared/core/placement.js';
import { planMoves } from '../../shared/core/plan.js';
import { basisOf, describeBasisChange, describeHolders } from '../../shared/core/plan-basis.js';
import { reportPlan } from '../../shared/core/plan-report.js';
import { estimateDurationMs, fitMoveTime } from '../../shared/core/plan-time.js';
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

const sample = (documents: number, durationMs: number) => ({
  incarnation: 1,
  documents,
  bytes: documents,
  durationMs,
});

describe('the time of moves', () => {
  it('is unknown without samples, and a line through them otherwise', () => {
    expect(fitMoveTime([])).toBeNull();
    expect(fitMoveTime([sample(100, 600), sample(300, 800)])).toEqual({ baseMs: 500, msPerDocument: 1 });
    expect(fitMoveTime([sample(100, 600), sample(100, 800)])).toEqual({ baseMs: 700, msPerDocument: 0 });
  });

  it('never falls with the documents, and never begins below nothing', () => {
    expect(fitMoveTime([sample(100, 900), sample(300, 500)])).toEqual({ baseMs: 700, msPerDocument: 0 });
    expect(fitMoveTime([sample(100, 10), sample(200, 110)])).toEqual({ baseMs: 0, msPerDocument: 0.4 });
    expect(fitMoveTime([sample(0, 0)])).toEqual({ baseMs: 0, msPerDocument: 0 });
  });

  it('is that of the last of so many places, limited by the rate', () => {
    const time = { baseMs: 100, msPerDocument: 1 };
    const input = { documents: [900, 100, 100, 100], time, documentsPerSecond: null };
    expect(estimateDurationMs({ ...input, concurrency: 1 })).toBe(1_600);
    expect(estimateDurationMs({ ...input, concurrency: 2 })).toBe(1_000);
    expect(estimateDurationMs({ ...input, concurrency: 2, documentsPerSecond: 100 })).toBe(12_000);
    expect(estimateDurationMs({ ...input, documents: [], concurrency: 2 })).toBe(0);
  });
});

describe('a report', () => {
  it('counts, estimates, and says what is unknown', () => {
    const nodes = sampleNodes(['a', 'b', 'c']);
    const topology = sampleTopology(nodes, [placedIndex(nodes, 8, 2, hash)]);
    const edits = editsOf({ kind: 'set-replication', replication: [{ index: 'products', factor: 3 }] });
    const after = applyEdits(topology, edits);
    const plan = planMoves({ topology: after, desiredNodes: ['a', 'b', 'c'], hash });
    const input = { topology, edits, plan, concurrency: 2, documentsPerSecond: null };
    const known = reportPlan({
      ...input,
      documents: plan.moves.map(() => 50),
      bytesPerDocument: new Map([[1, 20]]),
      samples: [sample(50, 1_000)],
    });
    expect(known).toMatchObject({
      summary: 'products: 3 replicas',
      copies: 8,
      drops: 0,
      documents: 400,
      bytes: 8_000,
      durationMs: 4_000,
      samples: 1,
      skewAfter: 1,
      lowestRedundancy: { replicas: 2, wanted: 3, indexUid: 'products', shard: 0 },
      warnings: [],
    });
    expect(known.moves[0]).toMatchObject({
      why: 'the shard has fewer than 3 replicas',
      documents: 50,
      bytes: 1_000,
    });
    const documents = plan.moves.map((_, at) => (at === 0 ? null : 50));
    const unknown = reportPlan({ ...input, documents, bytesPerDocument: new Map(), samples: [] });
    expect(unknown).toMatchObject({ documents: null, bytes: null, durationMs: null });
    expect(unknown.nodes.reduce((sum, node) => sum + node.replicasAfter, 0)).toBe(24);
  });

  it('warns of weights that cannot be had, and of nodes that are missing', () => {
    const nodes = sampleNodes(['a', 'b', 'c']);
    const topology = sampleTopology(nodes, [placedIndex(nodes, 8, 2, hash)]);
    const edits = editsOf({ kind: 'set', nodes: [{ id: 'a', weight: 10 }] });
    const plan = planMoves({ topology: applyEdits(topology, edits), desiredNodes: ['a', 'b', 'c'], hash });
    const input = {
      documents: [],
      bytesPerDocument: new Map(),
      samples: [],
      concurrency: 2,
      documentsPerSecond: null,
    };
    expect(reportPlan({ topology, edits, plan, ...input }).warnings).toEqual([
      'node `a` asks by its weight for 83 % of all replicas, but can hold 50 % at most: one replica of each shard',
    ]);
    const small = sampleTopology(nodes, [sampleIndex([['a', 'b', 'c']], { replicationFactor: 4 })]);
    const none = editsOf({ kind: 'rebalance' });
    const still = planMoves({ topology: small, desiredNodes: ['a', 'b', 'c'], hash });
    expect(reportPlan({ topology: small, edits: none, plan: still, ...input }).warnings).toEqual([
      '3 active nodes can hold 3 of the 4 replicas that indexes keep: add 1 more',
    ]);
  });

  it('does not count a drop of a replica that lags as a loss', () => {
    const topology = sampleTopology(sampleNodes(['a', 'b', 'c']), [
      sampleIndex([['a', 'b', sampleReplica('c', 'joined')]], { replicationFactor: 2 }),
    ]);
    const plan = planMoves({ topology, desiredNodes: ['a', 'b', 'c'], hash });
    const edits = editsOf({ kind: 'rebalance' });
    const input = {
      documents: [0, 0],
      bytesPerDocument: new Map(),
      samples: [],
      concurrency: 2,
      documentsPerSecond: null,
    };
    const report = reportPlan({ topology, edits, plan, ...input });
    expect(report.lowestRedundancy).toMatchObject({ replicas: plan.moves[0]!.sourceNode === 'c' ? 2 : 1 });
  });
});

describe('edits', () => {
  const zoned = [
    { id: 'a', zone: 'x', weight: 1 },
    { id: 'b', zone: 'y', weight: 2 },
    { id: 'c', zone: 'x', weight: 1 },
  ];
  const topology = () => sampleTopology(zoned, [placedIndex(zoned, 8, 2, hash)]);
  const y1 = { id: 'y1', url: 'http://y1.test:7700' };

  it('give a replacement the place of the node that it replaces', () => {
    const edits = editsOf({ kind: 'replace', nodes: [{ ...y1, url: `${y1.url}/`, replaces: 'b' }] });
    expect(comingNodes(topology(), edits)).toEqual([{ ...y1, zone: 'y', weight: 2 }]);
    const after = applyEdits(topology(), edits);
    expect(after.nodes.find((node) => node.id === 'y1')).toMatchObject({
      placementKey: 'b',
      state: 'active',
    });
    expect(after.nodes.find((node) => node.id === 'b')).toMatchObject({ state: 'draining' });
    const again = editsOf({ kind: 'replace', nodes: [{ id: 'z1', url: 'http://z1.test', replaces: 'y1' }] });
    expect(applyEdits(after, again).nodes.find((node) => node.id === 'z1')).toMatchObject({
      placementKey: 'b',
    });
    expect(describeEdits(edits)).toBe('replace b by y1');
  });

  it.each([
    [
      'the last node of a zone',
      { kind: 'drain', nodes: ['b'] },
      'Replicas would lie in 1 zone instead of 2: no active node would be left in `y`. Add a node there first',
    ],
    [
      'a zone that is left',
      { kind: 'set', nodes: [{ id: 'b', zone: 'x' }] },
      'no active node would be left in `y`',
    ],
    [
      'too few nodes',
      { kind: 'remove', nodes: ['a', 'b'] },
      '1 active node would be left, and index `products` keeps 2 replicas',
    ],
    [
      'too many replicas',
      { kind: 'set-replication', replication: [{ index: 'products', factor: 5 }] },
      'Cannot keep so many replicas: 3 active nodes would be left, and index `products` keeps 5 replicas of each shard, each on a node of its own. Add 2 more nodes',
    ],
    [
      'a known replacement',
      { kind: 'replace', nodes: [{ id: 'a', url: 'http://a.test:7700', replaces: 'b' }] },
      'Node `a` is already in the fleet (active',
    ],
    ['itself', { kind: 'replace', nodes: [{ ...y1, id: 'b', replaces: 'b' }] }, 'Node `b` is named twice'],
    [
      'an index twice',
      {
        kind: 'set-replication',
        replication: [
          { index: null, factor: 1 },
          { index: null, factor: 2 },
        ],
      },
      'The replication of `new indexes` is set twice',
    ],
  ] as const)('are refused: %s', (_name, input, sentence) => {
    expect(judgeEdits(topology(), editsOf(input))).toContain(sentence);
  });

  it('may lower the zones when that is allowed, and may bring a drained node back', () => {
    const drain = editsOf({ kind: 'drain', nodes: ['b'] });
    expect(judgeEdits(topology(), drain, { allowFewerZones: true })).toBeNull();
    const drained = topology();
    const nodes = drained.nodes.map((node) =>
      node.id === 'b' ? { ...node, state: 'drained' as const } : node,
    );
    const back = editsOf({ kind: 'add', nodes: [{ id: 'b', url: 'http://b.test:7700' }] });
    expect(judgeEdits({ ...drained, nodes }, back)).toBeNull();
    expect(applyEdits({ ...drained, nodes }, back).nodes[1]).toMatchObject({
      state: 'active',
      weight: 2,
      zone: 'y',
    });
    expect(judgeEdits(drained, editsOf({ kind: 'set', nodes: [{ id: 'a', weight: 3 }] }))).toBeNull();
  });
});

it('a plan is outdated by what it depends on, and by nothing else', () => {
  const nodes = sampleNodes(['a', 'b', 'c']);
  const index = placedIndex(nodes, 4, 2, hash);
  const planned = basisOf(sampleTopology(nodes, [index]), hash);
  const now = (topology: ReturnType<typeof sampleTopology>) =>
    describeBasisChange(planned, basisOf(topology, hash));
  const lagging = index.shards.map((replicas) =>
    replicas.map((one, at) => (at === 0 ? { ...one, state: 'joined' as const } : one)),
  );
  const settings = { ...index, settings: { searchableAttributes: ['a'] }, shards: lagging };
  expect(now({ ...sampleTopology(nodes, [settings]), epoch: 99 })).toEqual([]);
  expect(now(sampleTopology(sampleNodes(['a', 'b', 'd']), [{ ...index, replicationFactor: 1 }], 3))).toEqual([
    'node `c` has gone',
    'node `d` has come',
    'index `products` kept 2 replicas, and keeps 1 replica',
    'new indexes kept 2 replicas, and keep 3 replicas',
  ]);
  const weighed = nodes.map((node) => (node.id === 'a' ? { ...node, weight: 2 } : node));
  expect(now(sampleTopology(weighed, [index]))[0]).toMatch(
    /node `a` was active, weight 1.*and is active, weight 2/,
  );
  const moved = { ...index, shards: [...index.shards].reverse() };
  const other = placedIndex(nodes, 4, 2, hash, { incarnation: 2, uid: 'movies' });
  const holders = (...indexes: (typeof index)[]) =>
    describeHolders(planned, basisOf(sampleTopology(nodes, indexes), hash));
  expect(holders(moved, other)).toEqual([
    'replicas of index `products` have moved',
    'index `movies` was created',
  ]);
  expect(holders({ ...index, incarnation: 7 })).toEqual(['index `products` was created anew']);
  expect(holders()).toEqual(['index `products` was deleted']);
});
