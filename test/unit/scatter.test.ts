// A node whose index has another name now: asked again under it, unless it has lost what it held.
import { describe, expect, it } from 'vitest';
import type { ProxyContext, TopologyHold } from '../../proxy/context.js';
import { scatter } from '../../proxy/scatter.js';
import { DIVERGED } from '../../shared/core/replica-states.js';
import type { Replica, TopologyIndex } from '../../shared/core/topology.js';
import type { NodeRequest, NodeResponse } from '../../shared/io/node-client.js';
import { sampleIndex } from '../support/sample-topology.js';

/** Searches an index with one shard on `a` and `b`, of which `a` is cheaper, and is renamed in the topology after. */
async function searchRenamed(replicaOfA: Partial<Replica>): Promise<string[]> {
  const before: TopologyIndex = {
    ...sampleIndex([['a', 'b']]),
    physicalNames: { a: 'old-a', b: 'old-b' },
  };
  const after: TopologyIndex = {
    ...before,
    physicalNames: { a: 'new-a', b: 'old-b' },
    shards: before.shards.map((replicas) =>
      replicas.map((replica) => (replica.node === 'a' ? { ...replica, ...replicaOfA } : replica)),
    ),
  };
  const asked: string[] = [];
  const request = async ({ path }: NodeRequest): Promise<NodeResponse> => {
    asked.push(path);
    const isMissing = path === 'old-a';
    return {
      status: isMissing ? 404 : 200,
      body: Buffer.from(isMissing ? '{"code":"index_not_found"}' : path),
    };
  };
  const ctx = {
    clock: { nowMs: () => 0, sleep: async () => {} },
    log: { debug() {} },
    nodes: { client: () => ({ request }), cost: (node: string) => (node === 'a' ? 1 : 16), observe() {} },
    watcher: { refresh: async () => ({ indexes: [after] }) },
  } as unknown as ProxyContext;
  await scatter(ctx, {} as TopologyHold, before, {
    stickyKey: 'q',
    deadlineMs: 10_000,
    build: (_shards, node, index) => ({ method: 'POST', path: index.physicalNames[node]!, body: '' }),
  });
  return asked;
}

describe('scatter over a node whose index was renamed', () => {
  it('asks it under its new name while it still holds the shard', async () => {
    expect(await searchRenamed({})).toEqual(['old-a', 'new-a']);
    expect(await searchRenamed({ state: 'retained' })).toEqual(['old-a', 'new-a']);
    expect(await searchRenamed({ state: 'joined' })).toEqual(['old-a', 'new-a']);
  });

  it('asks another replica when it was wiped and is built anew', async () => {
    expect(await searchRenamed({ state: 'joined', moveId: `${DIVERGED}7` })).toEqual(['old-a', 'old-b']);
    expect(await searchRenamed({ state: 'copying', moveId: 'm1' })).toEqual(['old-a', 'old-b']);
    expect(await searchRenamed({ state: 'deleting' })).toEqual(['old-a', 'old-b']);
  });
});
