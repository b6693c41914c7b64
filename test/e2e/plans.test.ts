// Plan first: what a plan says is what its change does, under writes and searches that never miss a document. Nodes are
// replaced with nothing else moved, replication factors go up and down, an outdated plan is refused.
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

  /** Starts a change and waits for its end; answers what was moved. */
  async function run(method: string, path: string, body: object): Promise<ChangeView> {
    const { changeId } = await cluster().admin<{ changeId: string }>(method, path, { ...body, ...FAST });
    await cluster().waitChange(changeId);
    return cluster().admin<ChangeView>('GET', `/_miroir/rebalance/${changeId}`);
  }

  /** Every shard of an index with the nodes that hold it. */
  async function holders(uid: string): Promise<string[][]> {
    const { indexes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return indexes
      .find((index) => index.uid === uid)!
      .shards.map((replicas) => replicas.map((replica) => replica.node));
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

  it('replaces a node, and moves exactly what it held', async () => {
    const before = { calm: await holders('calm'), busy: await holders('busy') };
    const { report } = await plan({ edits: { replace: [{ ...coming('node-5'), replaces: 'node-2' }] } });
    expect(report.durationMs).toBeGreaterThan(0);
    const done = await run('POST', '/_miroir/nodes/node-2/replace', {
      ...coming('node-5'),
      key: keyOf('node-5'),
    });
    expect(done.moves.length).toBe(report.copies);
    for (const uid of ['calm', 'busy'] as const) {
      const expected = before[uid].map((nodes) =>
        nodes.map((node) => (node === 'node-2' ? 'node-5' : node)).sort(),
      );
      expect((await holders(uid)).map((nodes) => [...nodes].sort())).toEqual(expected);
    }
    const { nodes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    expect(nodes.map((node) => node.id)).toEqual(['node-1', 'node-3', 'node-4', 'node-5']);
    expect((await plan({})).report.moves).toEqual([]);
  }, 300_000);

  it('brings replication factors up and down', async () => {
    const replication = (index: string, factor: number) => ({ replication: [{ index, factor }] });
    const up = await run('POST', '/_miroir/replication', replication('calm', 3));
    expect(up.actual).toMatchObject({ copies: SHARDS, drops: 0 });
    for (const nodes of await holders('calm')) expect(nodes).toHaveLength(3);
    const down = await run('POST', '/_miroir/replication', {
      replication: [
        { index: 'calm', factor: 2 },
        { index: 'busy', factor: 1 },
      ],
    });
    expect(down.predicted).toMatchObject({ copies: 0, drops: 2 * SHARDS, documents: 0 });
    expect(down.actual).toMatchObject({ copies: 0, drops: 2 * SHARDS });
    for (const nodes of await holders('calm')) expect(nodes).toHaveLength(2);
    for (const nodes of await holders('busy')) expect(nodes).toHaveLength(1);
    const back = await run('POST', '/_miroir/replication', replication('busy', 2));
    expect(back.actual).toMatchObject({ copies: SHARDS, drops: 0 });
  }, 300_000);

  it('weighs nodes anew', async () => {
    const done = await run('PATCH', '/_miroir/nodes/node-1', { weight: 3, zone: 'b' });
    const { nodes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    expect(nodes[0]).toMatchObject({ id: 'node-1', weight: 3, zone: 'b', state: 'active' });
    for (const move of done.moves) expect(move.targetNode).toBe('node-1');
  }, 300_000);

  it('has lost nothing, and no search has missed a document', async () => {
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(traffic.tally.sent).toBeGreaterThan(20);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }, 300_000);
});
