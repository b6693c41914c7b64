// kill -9 to the worker at every named step of a change that adds a node, under writes and searches. Another
// worker goes on; nothing is lost, nothing comes back, no search misses a document, every shard ends where it belongs.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';
import { ADDING_POINTS, CALM_PROXY, REMOVING_POINTS } from '../support/crash-points.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const SIZE = 400;

/** In every run; all of them in `npm run test:full`. */
const SHORT = ['copy.chunk@2', 'join.requested', 'flip.committed', 'delete.committed', 'deliver.sent@5'];
const isFull = Boolean(process.env.MIROIR_TEST_FULL);
const chosen: readonly string[] = isFull ? ADDING_POINTS : SHORT;

describe('a worker that dies', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS, env: CALM_PROXY });
  let traffic: Traffic;
  let worker = 'worker';

  beforeAll(async () => {
    traffic = new Traffic(cluster(), SIZE);
    await traffic.load();
    await cluster().spawnNode();
  }, 600_000);
  afterEach(async () => {
    await traffic.stop();
  });
  afterAll(async () => {
    await traffic?.close();
  });

  it.each(chosen)(
    'at %s loses nothing',
    async (point) => {
      await cluster().kill(worker, 'SIGTERM');
      const victim = `worker-${point}`;
      await cluster().startWorker(victim, `${point}=kill`);
      traffic.start(chosen.indexOf(point) + 1);
      const adding = cluster().addNodeWith(['node-4'], { retentionMs: 0, copyChunkDocuments: 40 });
      adding.catch(() => undefined);
      // A change that is refused must not look like a worker that lives on.
      await Promise.race([cluster().waitForEnd(victim), adding]);
      await cluster().waitForEnd(victim);
      worker = `after-${point}`;
      await cluster().startWorker(worker);
      await adding;
      await traffic.stop();

      expect(traffic.tally.wrong).toEqual([]);
      expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
      await cluster().removeNode('node-4', { retentionMs: 0 });
      expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
    },
    1_500_000,
  );

  // After all others: the node keeps its claim and its indexes, which an operator has to look at.
  it.runIf(isFull).each(REMOVING_POINTS)(
    'at %s ends the removal without emptying the node',
    async (point) => {
      const c = cluster();
      await c.addNodeWith(['node-4'], { retentionMs: 0 });
      await c.kill(worker, 'SIGTERM');
      const victim = `worker-${point}`;
      await c.startWorker(victim, `${point}=kill`);
      traffic.start(chosen.length + 1);
      const removing = c.removeNode('node-4', { retentionMs: 0 });
      removing.catch(() => undefined);
      await Promise.race([c.waitForEnd(victim), removing]);
      await c.waitForEnd(victim);
      worker = `after-${point}`;
      await c.startWorker(worker);
      await removing;
      await traffic.stop();
      expect(traffic.tally.wrong).toEqual([]);
      expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
      await expect(c.addNodeWith(['node-4'], { retentionMs: 0 })).rejects.toThrow(
        /has an index .* delete it there, or take an empty node/,
      );
    },
    1_500_000,
  );
});
