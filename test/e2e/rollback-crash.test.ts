// kill -9 to the worker at every named step of a rollback, under writes and searches. Another worker goes on; nothing is
// lost, no answer misses a document, and every shard is where it was before the change.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';
import { CALM_PROXY, ROLLBACK_POINTS } from '../support/crash-points.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;

// control.test.ts has one of them in every run.
describe.runIf(process.env.MIROIR_TEST_FULL)('a worker that dies in a rollback', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS, env: CALM_PROXY });
  let traffic: Traffic;
  let worker = 'worker';
  beforeAll(async () => {
    traffic = new Traffic(cluster(), 200);
    await traffic.load();
    await cluster().spawnNode();
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  it.each(ROLLBACK_POINTS)(
    'at %s loses nothing',
    async (point) => {
      const c = cluster();
      const { id, url, masterKey } = c.nodes.get('node-4')!;
      const { changeId: added } = await c.admin<{ changeId: string }>('POST', '/_miroir/nodes', {
        nodes: [{ id, url, key: masterKey }],
        retentionMs: 3_600_000,
      });
      await c.until('a change whose sources are kept', 400_000, async () => {
        const { change } = await c.admin<{ change: { status: string } }>(
          'GET',
          `/_miroir/rebalance/${added}`,
        );
        return change.status === 'retaining' || null;
      });
      await c.kill(worker, 'SIGTERM');
      const victim = `victim-${point}`;
      await c.startWorker(victim, `${point}=kill`);
      traffic.start(ROLLBACK_POINTS.indexOf(point) + 1);
      const { changeId } = await c.admin<{ changeId: string }>('POST', '/_miroir/rebalance/rollback', {
        changeId: added,
      });
      await c.waitForEnd(victim);
      worker = `after-${point}`;
      await c.startWorker(worker);
      await c.waitChange(changeId);
      await traffic.stop();

      expect(traffic.tally.wrong).toEqual([]);
      expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
      const { nodes } = await c.admin<{ nodes: { id: string; state: string; replicas: object }[] }>(
        'GET',
        '/_miroir/nodes',
      );
      expect(nodes.find((node) => node.id === id)).toMatchObject({ state: 'drained', replicas: {} });
      await c.removeNode(id, { retentionMs: 0 });
    },
    1_500_000,
  );
});
