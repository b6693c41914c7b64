// Nodes that die: tasks succeed without them, they catch up when they return, they can be removed for good, and one
// that comes back empty is built anew by itself.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../shared/core/topology.js';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;

function statesOf(topology: Topology, node: string): string[] {
  const states = topology.indexes.flatMap((index) =>
    index.shards.flatMap((replicas) =>
      replicas.filter((replica) => replica.node === node).map((replica) => replica.state),
    ),
  );
  return [...new Set(states)].sort();
}

describe('a fleet of four nodes', () => {
  const cluster = useCluster({
    nodes: 4,
    replicationFactor: 2,
    shardCount: SHARDS,
    env: { MIROIR_DEMOTE_AFTER_MS: '500', MIROIR_NODE_RECOVER_AFTER_MS: '1000' },
  });
  let traffic: Traffic;
  const topology = () => cluster().admin<Topology>('GET', '/_miroir/topology');

  beforeAll(async () => {
    traffic = new Traffic(cluster(), 300);
    await traffic.load();
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  it('asks another replica where a node hangs, and answers every search meanwhile', async () => {
    cluster().signal('node-2', 'SIGSTOP');
    try {
      let asked = 0;
      await cluster().until('a read that another replica answered first', 60_000, async () => {
        const { status } = await cluster().request('/indexes/busy/search', {
          body: { q: `hung ${asked++}` },
        });
        expect(status).toBe(200);
        const { text } = await cluster().request('/metrics');
        return /^miroir_hedged_reads_total\{outcome="won"\} [1-9]/m.exec(text);
      });
    } finally {
      cluster().signal('node-2', 'SIGCONT');
    }
  }, 120_000);

  it('writes and searches on while a node is dead, and takes it back when it has caught up', async () => {
    await cluster().kill('node-2');
    traffic.start(21);
    const body = Array.from({ length: 50 }, (_, at) => ({ id: `during-${at}`, title: 'written meanwhile' }));
    const task = await cluster().write('/indexes/busy/documents', { method: 'PUT', body });
    traffic.model.acknowledge({ kind: 'update', documents: body }, task.uid);
    expect(task.status).toBe('succeeded');
    expect(statesOf(await topology(), 'node-2')).not.toContain('in-sync');

    await cluster().restart('node-2');
    await cluster().until('the return of node-2', 300_000, async () => {
      const states = statesOf(await topology(), 'node-2');
      return states.length === 1 && states[0] === 'in-sync' ? true : null;
    });
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }, 600_000);

  it('removes a node that is dead for good', async () => {
    await cluster().kill('node-4');
    traffic.start(22);
    await cluster().removeNode('node-4', { retentionMs: 0 });
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect((await topology()).nodes.map((node) => node.id)).toEqual(['node-1', 'node-2', 'node-3']);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }, 600_000);

  it('builds a node anew that comes back empty, and copies its replicas from the others', async () => {
    const dbPath = join(cluster().dir, 'node-3', 'data');
    const names = () =>
      topology().then(({ indexes }) => indexes.map((index) => index.physicalNames['node-3']!));
    const before = await names();
    traffic.start(23);
    await cluster().kill('node-3');
    rmSync(dbPath, { recursive: true, force: true });
    await cluster().restart('node-3');
    const body = Array.from({ length: 50 }, (_, at) => ({
      id: `after-${at}`,
      title: 'written after the loss',
    }));
    const task = await cluster().write('/indexes/busy/documents', { method: 'PUT', body });
    traffic.model.acknowledge({ kind: 'update', documents: body }, task.uid);
    expect(task.status).toBe('succeeded');
    // Nobody asked for it: the fleet heals itself.
    await cluster().until('node-3 as it was', 300_000, async () => {
      const now = await names();
      const states = statesOf(await topology(), 'node-3');
      return now.every((name) => !before.includes(name)) && states.join() === 'in-sync' ? true : null;
    });
    await traffic.stop();
    expect(traffic.tally.wrong).toEqual([]);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 2 * SHARDS));
  }, 600_000);
});
