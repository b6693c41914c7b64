// kill -9 to the worker at every named step of a move, of a stream and of a fence, under writes and searches. Another
// worker goes on; nothing is lost, nothing comes back, no search misses a document, every shard ends where it belongs.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const SIZE = 400;

const POINTS = [
  'snapshot.held',
  'snapshot.cleared',
  'snapshot.saved',
  'copy.chunk@2',
  'stream.copying',
  'join.requested',
  'stream.replayed',
  'join.done',
  'verify.compared',
  'verify.done',
  'flip.begin',
  'flip.committed',
  'flip.acknowledged',
  'delete.committed',
  'delete.deleted',
  'deliver.sent@5',
  'deliver.answered@5',
];
const SHORT = ['copy.chunk@2', 'join.requested', 'flip.committed', 'delete.committed', 'deliver.sent@5'];
const chosen = process.env.MIROIR_TEST_FULL ? POINTS : SHORT;

describe('a worker that dies', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: SHARDS });
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
    600_000,
  );
});
