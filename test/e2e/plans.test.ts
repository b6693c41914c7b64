// Plan first: what a plan says is what its change does, under writes and searches that never miss a document. Nodes are
// replaced with nothing else moved, and back; replication factors go up and down; an outdated plan is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanReport } from '../../shared/core/plan-report.js';
import type { Topology } from '../../shared/core/topology.js';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const FAST = { retentionMs: 0, concurrency: 6 };

interface Planned {
  plan: { id: string; name: string } | null;
  report: PlanReport;
}

interface ChangeView {
  change: { id: string; status: string };
  error?: string | null;
  predicted: { copies: number; drops: number; documents: number; bytes: number; durationMs: number | null };
  actual: { copies: number; drops: number; documents: number; bytes: number; durationMs: number };
  moves: { kind: string; sourceNode: string | null; targetNode: string; indexUid: string; shard: number }[];
}

describe('a plan', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS });
  let traffic: Traffic;

  beforeAll(async () => {
    traffic = new Traffic(cluster(), 300);
    await traffic.load();
    await Promise.all([cluster().spawnNode(), cluster().spawnNode()]);
    traffic.start(7);
  }, 300_000);
  afterAll(async () => {
    await traffic?.close();
  });

  const plan = (body: object) => cluster().admin<Planned>('POST', '/_miroir/plans', body);
  const coming = (id: string) => ({ id, url: cluster().nodes.get(id)!.url });
  const keyOf = (id: string) => cluster().nodes.get(id)!.masterKey;

  /** Starts a change and waits until all is moved; answers what was. */
  async function run(
    method: string,
    path: string,
    body: object,
    options: object = FAST,
  ): Promise<ChangeView> {
    const { changeId } = await cluster().admin<{ changeId: string }>(method, path, { ...options, ...body });
    return cluster().until(`change ${changeId}`, 180_000, async () => {
      const view = await cluster().admin<ChangeView>('GET', `/_miroir/rebalance/${changeId}`);
      if (view.change.status === 'failed' || view.change.status === 'aborted')
        throw new Error(`change ${changeId} is ${view.change.status}: ${view.error}`);
      return ['done', 'retaining'].includes(view.change.status) ? view : null;
    });
  }

  /** Every shard of an index with the nodes that hold it, or serve it. */
  async function holders(
    uid: string,
    states = ['in-sync', 'joined', 'retained', 'deleting'],
  ): Promise<string[][]> {
    const { indexes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return indexes
      .find((index) => index.uid === uid)!
      .shards.map((replicas) =>
        replicas
          .filter((replica) => states.includes(replica.state))
          .map((replica) => replica.node)
          .sort(),
      );
  }

  const serving = async () => ({
    calm: await holders('calm', ['in-sync']),
    busy: await holders('busy', ['in-sync']),
  });

  async function states(): Promise<Record<string, string>> {
    const { nodes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return Object.fromEntries(nodes.map((node) => [node.id, node.state]));
  }

  it('is saved, runs as it is, and is held against what came of it', async () => {
    const edits = { add: [coming('node-4')] };
    const before = await plan({ edits, name: 'older' });
    const { report } = await plan({ edits, name: 'grow' });
    expect(report.moves).toEqual(
      before.report.moves.map((move) => expect.objectContaining({ shard: move.shard })),
    );
    expect(report).toMatchObject({ summary: 'add node-4', drops: 0, warnings: [] });
    expect(report.lowestRedundancy).toMatchObject({ replicas: 2, wanted: 2 });
    expect(report.copies).toBeGreaterThan(0);
    for (const move of report.moves) expect(move).toMatchObject({ kind: 'copy', targetNode: 'node-4' });
    expect((await cluster().admin<Topology>('GET', '/_miroir/topology')).nodes).toHaveLength(3);

    const done = await run('POST', '/_miroir/rebalance', { plan: 'grow', key: keyOf('node-4') });
    const named = (moves: ChangeView['moves']) =>
      moves.map(({ indexUid, shard, sourceNode, targetNode }) => ({
        indexUid,
        shard,
        sourceNode,
        targetNode,
      }));
    expect(named(done.moves)).toEqual(named(report.moves));
    expect(done.predicted).toMatchObject({ copies: report.copies, drops: 0, documents: report.documents });
    expect(done.actual).toMatchObject({ copies: report.copies, drops: 0 });
    // Other documents came and went meanwhile, but not many.
    expect(done.actual.documents).toBeGreaterThan(report.documents! / 2);
    expect(done.actual.documents).toBeLessThan(report.documents! * 3);
    expect(done.actual.bytes).toBeGreaterThan(0);
    expect(done.actual.durationMs).toBeGreaterThan(0);

    await expect(run('POST', '/_miroir/rebalance', { plan: 'older', key: keyOf('node-4') })).rejects.toThrow(
      /409.*miroir_plan_outdated|miroir_plan_outdated/,
    );
    expect((await plan({})).report).toMatchObject({ copies: 0, drops: 0, moves: [] });
  }, 300_000);

  it('replaces a node, and moves exactly what it held; back, and once more', async () => {
    const before = { calm: await holders('calm'), busy: await holders('busy') };
    const node = (id: string) => (id === 'node-2' ? 'node-5' : id);
    const { report } = await plan({ edits: { replace: [{ ...coming('node-5'), replaces: 'node-2' }] } });
    expect(report.durationMs).toBeGreaterThan(0);
    const replacement = { ...coming('node-5'), key: keyOf('node-5') };
    const done = await run('POST', '/_miroir/nodes/node-2/replace', { ...replacement, retentionMs: 600_000 });
    expect(done.moves.length).toBe(report.copies);
    for (const move of done.moves)
      expect(move).toMatchObject({ kind: 'copy', sourceNode: 'node-2', targetNode: 'node-5' });

    await run('POST', '/_miroir/rebalance/rollback', { changeId: done.change.id }, {});
    expect(await states()).toMatchObject({ 'node-2': 'active', 'node-5': 'drained' });
    expect(await serving()).toEqual(before);

    await run('POST', '/_miroir/nodes/node-2/replace', replacement);
    expect(await states()).toEqual({
      'node-1': 'active',
      'node-3': 'active',
      'node-4': 'active',
      'node-5': 'active',
    });
    for (const uid of ['calm', 'busy'] as const)
      expect(await holders(uid)).toEqual(before[uid].map((nodes) => nodes.map(node).sort()));
    expect((await plan({})).report.moves).toEqual([]);
  }, 300_000);

  it('brings replication factors up and down', async () => {
    const replication = (calm: number, busy: number) => ({
      replication: [
        { index: 'calm', factor: calm },
        { index: 'busy', factor: busy },
      ],
    });
    for (const [calm, busy] of [
      [3, 1],
      [2, 2],
    ] as const) {
      const done = await run('POST', '/_miroir/replication', replication(calm, busy));
      expect(done.predicted).toMatchObject({ copies: SHARDS, drops: SHARDS });
      expect(done.actual).toMatchObject({ copies: SHARDS, drops: SHARDS });
      for (const nodes of await holders('calm')) expect(nodes).toHaveLength(calm);
      for (const nodes of await holders('busy')) expect(nodes).toHaveLength(busy);
    }
  }, 300_000);

  it('makes several edits in one change, and takes a drained node back', async () => {
    const edits = { set: [{ id: 'node-1', weight: 3, zone: 'b' }], drain: ['node-3'] };
    const { report } = await plan({ edits });
    const done = await run('POST', '/_miroir/rebalance', { edits });
    expect(done.moves.length).toBe(report.moves.length);
    const { nodes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    expect(nodes[0]).toMatchObject({ id: 'node-1', weight: 3, zone: 'b', state: 'active' });
    expect((await states())['node-3']).toBe('drained');
    const holding = async () => [...(await holders('calm')), ...(await holders('busy'))].flat();
    expect(await holding()).not.toContain('node-3');
    await run('POST', '/_miroir/nodes', { nodes: [coming('node-3')] });
    expect((await states())['node-3']).toBe('active');
    expect(await holding()).toContain('node-3');
  }, 300_000);

  it('has lost nothing, and no search has missed a document', async () => {
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(traffic.tally.sent).toBeGreaterThan(20);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }, 300_000);
});
