// Proxies and workers come and go: in order, or killed. What was accepted is delivered and found by all proxies.
import { describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';

interface Status {
  leases: { proxyId: string; url: string | null }[];
}

describe('ends of processes', () => {
  const cluster = useCluster({ nodes: 2, replicationFactor: 2, shardCount: 4, masterKey: 'client-key' });

  it('lets a second proxy find at once what a task of the first has written', async () => {
    await cluster().startProxy('proxy-2');
    const task = await cluster().write('/indexes/notes/documents', { body: [{ id: 1, text: 'first' }] });
    expect(task.status).toBe('succeeded');
    const found = await cluster().request('/indexes/notes/search', {
      proxy: 'proxy-2',
      body: { q: 'first' },
    });
    expect(found.body).toMatchObject({ estimatedTotalHits: 1 });
  });

  it('asks clients for the key', async () => {
    const refused = await cluster().request('/indexes', { headers: { authorization: 'Bearer wrong' } });
    expect(refused).toMatchObject({ status: 403, body: { code: 'invalid_api_key' } });
  });

  it('delivers what was accepted while no worker ran', async () => {
    await cluster().kill('worker');
    const accepted = await cluster().request<{ taskUid: number }>('/indexes/notes/documents', {
      body: [{ id: 2, text: 'second' }],
    });
    expect(accepted.status).toBe(202);
    await cluster().restart('worker');
    const task = await cluster().waitTask(accepted.body.taskUid);
    expect(task.status).toBe('succeeded');
    const found = await cluster().request('/indexes/notes/search', { body: { q: 'second' } });
    expect(found.body).toMatchObject({ hits: [{ id: 2, text: 'second' }] });
  });

  it('gives its lease back and exits with 0 when a proxy is told to stop', async () => {
    expect(await cluster().kill('proxy-2', 'SIGTERM')).toBe(0);
    const { leases } = await cluster().admin<Status>('GET', '/_miroir/status');
    expect(leases.map((lease) => lease.url)).toEqual([cluster().url]);
    const task = await cluster().write('/indexes/notes/documents', { body: [{ id: 3, text: 'third' }] });
    expect(task.status).toBe('succeeded');
  });

  it('takes one change right behind another', { timeout: 300_000 }, async () => {
    for (let count = 0; count < 5; count += 1) {
      const { changeId } = await cluster().admin<{ changeId: string }>('POST', '/_miroir/rebalance', {});
      await cluster().waitChange(changeId);
      expect(changeId).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});
