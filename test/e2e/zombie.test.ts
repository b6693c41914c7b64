// A worker stopped for longer than its heartbeat timeout, then continued: the zombie. Its late requests are refused by
// the nodes, whose indexes were renamed when another worker took over.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;

describe('a worker that is stopped and continued', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS });
  let traffic: Traffic;

  beforeAll(async () => {
    traffic = new Traffic(cluster(), 300);
    await traffic.load();
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  // A stopped worker keeps what Temporal's open polls give it, so that each point takes a minute or two.
  const points = ['stream.copying', ...(process.env.MIROIR_TEST_FULL ? ['deliver.sent@6'] : [])];

  it.each(points)(
    'at %s changes nothing after it was replaced',
    async (point) => {
      const c = cluster();
      for (const name of ['worker', 'successor-stream.copying'])
        await c.kill(name, 'SIGTERM').catch(() => undefined);
      const zombie = `zombie-${point}`;
      const successor = `successor-${point}`;
      await c.startWorker(zombie, `${point}=hold`);
      const { node } = { node: (await c.spawnNode()).id };
      traffic.start(7);
      const adding = c.addNodeWith([node], { retentionMs: 0, copyChunkDocuments: 40 });
      adding.catch(() => undefined);
      await c.waitForLog(zombie, `fault: hold at ${point.split('@')[0]}`);
      await c.freeze(zombie);
      await c.startWorker(successor);
      // Another worker has taken every stream over once its writes are confirmed again.
      await adding;
      c.thaw(zombie);
      await c.write('/indexes/busy/documents', {
        method: 'PUT',
        body: [{ id: 'after', title: 'after the zombie' }],
      });
      await traffic.stop();
      traffic.model.acknowledge(
        { kind: 'update', documents: [{ id: 'after', title: 'after the zombie' }] },
        0,
      );

      expect(traffic.tally.wrong).toEqual([]);
      expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
      await c.kill(zombie);
    },
    600_000,
  );
});
