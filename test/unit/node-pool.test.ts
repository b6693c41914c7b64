// The pool follows the topology, prefers the faster node and leaves failing ones alone until a probe succeeds.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TopologyNodePool } from '../../proxy/node-pool.js';
import type { Topology, TopologyNode } from '../../shared/core/topology.js';

const servers: Server[] = [];
const pools: TopologyNodePool[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(
  answer: () => { status: number; body: string },
): Promise<{ url: string; keys: string[] }> {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers.authorization ?? '');
    const { status, body } = answer();
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, keys };
}

function topologyOf(...nodes: { id: string; url: string }[]): Topology {
  const full = nodes.map((node): TopologyNode => ({ ...node, zone: null, weight: 1, state: 'active' }));
  return {
    clusterId: 'test',
    journalId: 'j',
    epoch: 1,
    replicationFactor: 1,
    defaultShardCount: 4,
    nextIncarnation: 1,
    nodes: full,
    indexes: [],
  };
}

function setUp(secrets: Record<string, { adminKey: string | null; dataKey: string | null }> = {}) {
  const clock = { ms: 0 };
  const pool = new TopologyNodePool({
    readSecrets: async () => secrets,
    fallbackAdminKey: 'fallback',
    nowMs: () => clock.ms,
    log: { info() {}, warn() {} },
  });
  pools.push(pool);
  return { clock, pool };
}

describe('TopologyNodePool', () => {
  it('connects with the key of the store, else with the fallback', async () => {
    const a = await serve(() => ({ status: 200, body: '{}' }));
    const b = await serve(() => ({ status: 200, body: '{}' }));
    const { pool } = setUp({ a: { adminKey: 'admin-a', dataKey: 'data-a' } });
    await pool.adopt(topologyOf({ id: 'a', url: a.url }, { id: 'b', url: b.url }));
    await pool.client('a')?.request({ method: 'GET', path: '/stats' });
    await pool.client('a')?.request({ method: 'GET', path: '/stats', admin: true });
    await pool.client('b')?.request({ method: 'GET', path: '/stats' });
    expect(a.keys).toEqual(['Bearer data-a', 'Bearer admin-a']);
    expect(b.keys).toEqual(['Bearer fallback']);
  });

  it('keeps the client of a node that stays and forgets one that goes', async () => {
    const a = await serve(() => ({ status: 200, body: '{}' }));
    const { pool } = setUp();
    await pool.adopt(topologyOf({ id: 'a', url: a.url }, { id: 'b', url: 'http://127.0.0.1:9' }));
    const client = pool.client('a');
    await pool.adopt(topologyOf({ id: 'a', url: a.url }));
    expect(pool.client('a')).toBe(client);
    expect(pool.client('b')).toBeUndefined();
    expect(pool.cost('b')).toBe(Number.POSITIVE_INFINITY);
  });

  it('costs more the slower a node is', async () => {
    const { pool } = setUp();
    await pool.adopt(
      topologyOf({ id: 'a', url: 'http://127.0.0.1:9' }, { id: 'b', url: 'http://127.0.0.1:9' }),
    );
    for (let i = 0; i < 20; i++) {
      pool.observe('a', 'ok', 3);
      pool.observe('b', 'ok', 30);
    }
    expect(pool.cost('a')).toBeLessThan(pool.cost('b'));
  });

  it('gives a failing node up and takes it back after a probe', async () => {
    let status = 500;
    const a = await serve(() => ({ status, body: '{"status":"available"}' }));
    const { clock, pool } = setUp();
    await pool.adopt(topologyOf({ id: 'a', url: a.url }));
    pool.observe('a', 'failed', 1);
    expect(pool.cost('a')).toBe(Number.POSITIVE_INFINITY);
    expect(a.keys).toHaveLength(0);
    clock.ms += 200;
    expect(pool.cost('a')).toBe(Number.POSITIVE_INFINITY);
    await expect.poll(() => a.keys.length).toBe(1);
    // The first probe fails and doubles the pause; the second one succeeds.
    status = 200;
    await expect
      .poll(() => {
        clock.ms += 400;
        return pool.cost('a');
      })
      .toBeLessThan(Number.POSITIVE_INFINITY);
    expect(a.keys.length).toBeGreaterThanOrEqual(2);
  });
});
