// kill -9 to the worker at the named steps of streams and verifications that no change of the topology passes: fencing,
// dropping an index, building a lost node anew, comparing and repairing. Another worker goes on.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../shared/core/topology.js';
import type { VerificationItem, VerificationRow } from '../../shared/io/store-verifications.js';
import { useCluster } from '../support/cluster.js';
import { CALM_PROXY, STREAM_POINTS, VERIFICATION_POINTS } from '../support/crash-points.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const LIMIT_MS = 300_000;

interface Verified {
  verification: VerificationRow;
  findings: VerificationItem[];
}

// The simulation has most of these points in every run.
describe.runIf(process.env.MIROIR_TEST_FULL)('a worker that dies', () => {
  const cluster = useCluster({
    nodes: 3,
    replicationFactor: 2,
    shardCount: SHARDS,
    env: { ...CALM_PROXY, MIROIR_DEMOTE_AFTER_MS: '500', MIROIR_NODE_RECOVER_AFTER_MS: '1000' },
  });
  let traffic: Traffic;
  let worker = 'worker';
  beforeAll(async () => {
    traffic = new Traffic(cluster(), 200);
    await traffic.load();
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  const topology = () => cluster().admin<Topology>('GET', '/_miroir/topology');

  /** Replaces the worker by one that dies at the point, lets it come to it, and replaces that one. */
  async function dieAt(point: string, provoke: () => Promise<void> = async () => undefined): Promise<void> {
    const c = cluster();
    await c.kill(worker, 'SIGTERM');
    worker = `victim-${point}`;
    await c.startWorker(worker, `${point}=kill`);
    await provoke();
    await c.waitForEnd(worker);
    worker = `after-${point}`;
  }

  async function expectAllWhole(): Promise<void> {
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }

  /** A node that comes back without its disk. */
  async function wipe(node: string): Promise<void> {
    const c = cluster();
    await c.kill(node);
    rmSync(join(c.dir, node, 'data'), { recursive: true, force: true });
    await c.restart(node);
  }

  const fenceRenamed = async (point: string) => {
    traffic.start(1);
    // Who comes after one that died with requests in flight has to fence.
    await dieAt('deliver.sent@2');
    await cluster().startWorker('renamer', `${point}=kill`);
    await cluster().waitForEnd('renamer');
    await cluster().startWorker(worker);
  };

  const indexDropped = async (point: string) => {
    const c = cluster();
    await c.write('/indexes/brief/documents', { body: [{ id: 'one', title: 'not for long' }] });
    const before = (await topology()).indexes.find(({ uid }) => uid === 'brief')!;
    traffic.start(2);
    let uid = -1;
    await dieAt(point, async () => {
      const answer = await c.request<{ taskUid: number }>('/indexes/brief', { method: 'DELETE' });
      expect(answer.status).toBe(202);
      uid = answer.body.taskUid;
    });
    await c.startWorker(worker);
    expect((await c.waitTask(uid)).status).toBe('succeeded');
    for (const [node, name] of Object.entries(before.physicalNames)) {
      const { url, masterKey } = c.nodes.get(node)!;
      const headers = { authorization: `Bearer ${masterKey}` };
      await c.until(`node ${node} without its index`, LIMIT_MS, async () => {
        const answer = await fetch(`${url}/indexes/${name}`, { headers });
        await answer.arrayBuffer();
        return answer.status === 404 || null;
      });
    }
  };

  const rebuilt = async (point: string) => {
    const c = cluster();
    const namesOf = async () => (await topology()).indexes.map((index) => index.physicalNames['node-3']);
    const before = await namesOf();
    traffic.start(3);
    await dieAt(point, () => wipe('node-3'));
    await c.startWorker(worker);
    await c.until('node-3 as it was', LIMIT_MS, async () => {
      const { indexes } = await topology();
      const own = indexes.flatMap(({ shards }) => shards.flat().filter(({ node }) => node === 'node-3'));
      const names = await namesOf();
      const isNew = names.every((name) => name !== undefined && !before.includes(name));
      return (isNew && own.every(({ state }) => state === 'in-sync')) || null;
    });
  };

  const STREAM_TESTS: Record<(typeof STREAM_POINTS)[number], (point: string) => Promise<void>> = {
    'fence.renamed': fenceRenamed,
    'index.dropped': indexDropped,
    'rebuild.index@2': rebuilt,
    'rebuild.indexes': rebuilt,
  };

  it.each(STREAM_POINTS)(
    'at %s loses nothing',
    async (point) => {
      await STREAM_TESTS[point](point);
      await expectAllWhole();
    },
    1_500_000,
  );

  const VERIFICATION_TESTS: Record<
    (typeof VERIFICATION_POINTS)[number],
    { repair: boolean; status: VerificationItem['status'] }
  > = {
    'verification.item@3': { repair: false, status: 'different' },
    'verification.repaired': { repair: true, status: 'repaired' },
  };

  it.each(VERIFICATION_POINTS)(
    'at %s leaves its verification to the next one',
    async (point) => {
      const c = cluster();
      const { repair, status } = VERIFICATION_TESTS[point];
      const index = (await topology()).indexes.find(({ uid }) => uid === 'calm')!;
      const { url, masterKey } = c.nodes.get('node-1')!;
      const headers = { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' };
      const sent = await fetch(`${url}/indexes/${index.physicalNames['node-1']}/documents`, {
        method: 'POST',
        headers,
        body: JSON.stringify([{ id: 'alien', title: 'of nobody' }]),
      });
      const { taskUid } = (await sent.json()) as { taskUid: number };
      await c.until('the document of nobody', LIMIT_MS, async () => {
        const task = await fetch(`${url}/tasks/${taskUid}`, { headers });
        return ((await task.json()) as { status: string }).status === 'succeeded' || null;
      });
      let id = '';
      await dieAt(point, async () => {
        ({ verificationId: id } = await c.admin<{ verificationId: string }>('POST', '/_miroir/verify', {
          index: 'calm',
          repair,
        }));
      });
      await c.startWorker(worker);
      const verified = await c.until('the verification', LIMIT_MS, async () => {
        const answer = await c.admin<Verified>('GET', `/_miroir/verify/${id}`);
        return answer.verification.status === 'running' ? null : answer;
      });
      expect(verified.verification.status).toBe('done');
      expect(verified.verification.totals).toMatchObject({ different: repair ? 0 : 1, unchecked: 0 });
      expect(verified.findings).toMatchObject([{ kind: 'strays', node: 'node-1', status }]);
    },
    1_500_000,
  );
});
