// An operator steers a change under writes and searches: held, throttled, approved, taken back as a whole. Nothing is
// lost, every answer is complete, and what was decided outlives the worker.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../shared/core/topology.js';
import type { ChangeRow, MoveRow } from '../../shared/io/store-changes.js';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const KEPT = { retentionMs: 3_600_000 };

interface View {
  change: ChangeRow;
  moves: MoveRow[];
  control: { paused: boolean; documentsPerSecond: number | null } | null;
  retention: { sources: number; until: string | null };
}

describe('a change that is steered', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS });
  let traffic: Traffic;
  beforeAll(async () => {
    traffic = new Traffic(cluster(), 400);
    await traffic.load();
    await cluster().spawnNode();
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  const view = (id: string) => cluster().admin<View>('GET', `/_miroir/rebalance/${id}`);
  const act = <T = { result: string }>(action: string, body: Record<string, unknown> = {}) =>
    cluster().admin<T>('POST', `/_miroir/rebalance/${action}`, { by: 'ann', ...body });
  const until = (id: string, what: string, wanted: (seen: View) => boolean) =>
    cluster().until(what, 180_000, async () => {
      const seen = await view(id);
      return wanted(seen) ? seen : null;
    });
  const statesOn = async (node: string) => {
    const topology = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return topology.indexes.flatMap(({ shards }) =>
      shards.flat().flatMap((replica) => (replica.node === node ? [replica.state] : [])),
    );
  };
  const nodeState = async (id: string) => {
    const { nodes } = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return nodes.find((node) => node.id === id)?.state ?? 'gone';
  };
  const journalHead = async () => {
    const { journal } = await cluster().admin<{ journal: { head: number } }>('GET', '/_miroir/status');
    return journal.head;
  };
  const copied = (seen: View) => seen.moves.reduce((sum, move) => sum + move.documentsCopied, 0);
  let added = '';

  it('holds while it is paused, whatever becomes of the worker, and flips nothing before it is approved', {
    timeout: 600_000,
  }, async () => {
    const { id, url, masterKey } = cluster().nodes.get('node-4')!;
    traffic.start(1);
    const started = await cluster().admin<{ changeId: string }>('POST', '/_miroir/nodes', {
      nodes: [{ id, url, key: masterKey }],
      ...KEPT,
      approve: true,
      copyChunkDocuments: 20,
      copyDocumentsPerSecond: 20,
    });
    added = started.changeId;
    await until(added, 'a copy that runs', (seen) => copied(seen) > 0);
    await act('pause');
    await until(added, 'a paused change', (seen) => seen.change.status === 'paused');
    await cluster().kill('worker');
    await cluster().startWorker('second');
    // Chunks that were under way arrive; then nothing does, while writes go on.
    let held = -1;
    await cluster().until('a copy that holds', 180_000, async () => {
      const now = copied(await view(added));
      const isStill = now === held;
      held = now;
      const head = await journalHead();
      await cluster().until('writes', 60_000, async () => (await journalHead()) > head + 10 || null);
      return isStill || null;
    });
    const paused = await view(added);
    expect(copied(paused)).toBeLessThan(paused.moves.reduce((sum, move) => sum + move.documentsTotal, 0));
    expect(paused.control).toMatchObject({ paused: true, documentsPerSecond: 20 });

    await act('throttle', { documentsPerSecond: null });
    await act('resume');
    await until(added, 'a change that waits', (seen) => seen.change.status === 'awaiting-approval');
    expect(await statesOn('node-4')).not.toContain('in-sync');
    expect((await act('approve')).result).toContain('approved');
    const moved = await until(
      added,
      'a change whose sources are kept',
      (seen) => seen.change.status === 'retaining',
    );
    expect(moved.retention.sources).toBe(moved.moves.length);
    expect(new Set(await statesOn('node-4'))).toEqual(new Set(['in-sync']));
  });

  it('holds up no other change while its sources are kept', { timeout: 600_000 }, async () => {
    const { changeId } = await cluster().admin<{ changeId: string }>('POST', '/_miroir/rebalance');
    await cluster().waitChange(changeId);
  });

  it('is taken back as a whole though a worker dies in it: shards are where they were, and the node has nothing', {
    timeout: 600_000,
  }, async () => {
    await cluster().kill('second', 'SIGTERM');
    // It dies between the flip back and the end of its step; rollback-crash.test.ts has every other point.
    await cluster().startWorker('victim', 'rollback.flipped=kill');
    const { changeId } = await act<{ changeId: string }>('rollback', { changeId: added });
    await cluster().waitForEnd('victim');
    await cluster().startWorker('third');
    await cluster().waitChange(changeId);
    expect((await view(added)).change.status).toBe('rolled-back');
    expect(await statesOn('node-4')).toEqual([]);
    expect(await nodeState('node-4')).toBe('drained');
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
    await expect(act('rollback', { changeId: added })).rejects.toThrow(/cannot be rolled back/);
    // Temporal itself takes the cancellation of a run that is over.
    await expect(act('cancel')).rejects.toThrow(/No change of the topology is in progress/);
  });

  it('leaves a record: who decided what, and every step of every move', async () => {
    interface Audit {
      events: { event: string; by: string | null }[];
      moves: { phase: string; steps: { step: string; attempt: number; detail: Record<string, unknown> }[] }[];
    }
    const audit = await cluster().admin<Audit>('GET', `/_miroir/rebalance/${added}/audit`);
    expect(audit.events.filter(({ by }) => by === 'ann').map(({ event }) => event)).toEqual([
      'pause',
      'throttle',
      'resume',
      'approve',
      'rollback',
    ]);
    for (const move of audit.moves) {
      expect(move.phase).toBe('rolled-back');
      const steps = move.steps.map(({ step }) => step);
      expect(steps).toEqual(
        expect.arrayContaining([
          'snapshot',
          'copy',
          'join',
          'verify',
          'flip',
          'compare',
          'flip back',
          'delete',
        ]),
      );
      const digests = move.steps.filter(({ step }) => step === 'verify' || step === 'compare');
      for (const { detail } of digests) expect(detail.digest).toMatch(/^[0-9a-f]{16}$/);
    }
    const { changes } = await cluster().admin<{ changes: { id: string; status: string }[] }>(
      'GET',
      '/_miroir/rebalance/changes',
    );
    expect(changes.find(({ id }) => id === added)).toMatchObject({ status: 'rolled-back' });
  });

  it('that removes a node lets it go once the retention has ended, by time or by decision', {
    timeout: 600_000,
  }, async () => {
    const removal = await cluster().admin<{ changeId: string }>(
      'DELETE',
      `/_miroir/nodes/node-3?retentionMs=${KEPT.retentionMs}`,
    );
    await until(
      removal.changeId,
      'a change whose sources are kept',
      (seen) => seen.change.status === 'retaining',
    );
    expect(await nodeState('node-3')).toBe('drained');
    await act('finish', { changeId: removal.changeId });
    await cluster().waitChange(removal.changeId);
    expect(await nodeState('node-3')).toBe('gone');
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  });
});
