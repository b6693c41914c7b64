import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../shared/core/errors.js';
import type { NodeInput } from '../../shared/io/store.js';
import { type AdminServer, startAdminServer } from '../support/admin-server.js';

const nodes: NodeInput[] = ['n1', 'n2', 'n3'].map((id) => ({ id, url: `http://${id}.test:7700` }));

let server: AdminServer;
afterEach(() => server.close());

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read many shapes
  body: any;
}

async function call(method: string, path: string, body?: unknown, key?: string): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key !== undefined) headers.authorization = `Bearer ${key}`;
  const answer = await fetch(`${server.url}/_miroir${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

async function openChange(status: 'running' | 'needs-attention') {
  await server.store.openChange({ id: 'change-9', kind: 'rebalance', input: {}, runId: 'run-9' });
  const [from, to] = nodes.map((node) => node.id) as [string, string];
  const move = {
    indexUid: 'products',
    incarnation: 1,
    shard: 3,
    sourceNode: from,
    copyFrom: from,
    targetNode: to,
  };
  const epoch = await server.store.readEpoch();
  await server.store.planMoves('change-9', epoch, [{ id: 'move-1', ...move }], 40);
  await server.store.updateMove('move-1', {
    phase: status === 'running' ? 'copy' : 'failed',
    lastError: status === 'running' ? null : 'node n2 is full',
    startedAt: new Date(Date.now() - 3_000).toISOString(),
  });
  await server.store.recordCopied('move-1', 0, 30, 3_000);
  await server.store.setChangeStatus('change-9', status);
}

describe('keys', () => {
  it.each([
    ['the admin key', { adminApiKey: 'admin', masterKey: 'master' }, 'admin', 'master'],
    ['the master key where there is no admin key', { masterKey: 'master' }, 'master', 'admin'],
  ])('asks for %s', async (_, options, right, wrong) => {
    server = await startAdminServer(options);
    expect((await call('GET', '/status', undefined, right)).status).toBe(200);
    expect(await call('GET', '/status', undefined, wrong)).toMatchObject({
      status: 403,
      body: { code: 'invalid_api_key', type: 'auth' },
    });
    expect(await call('POST', '/rebalance')).toMatchObject({
      status: 401,
      body: { code: 'missing_authorization_header', type: 'auth' },
    });
    expect(server.changes.started).toEqual([]);
  });

  it('is open without any key', async () => {
    server = await startAdminServer();
    expect((await call('GET', '/nodes')).body).toEqual({ nodes: [] });
  });
});

describe('status', () => {
  it('is degraded without enough nodes, healthy with them', async () => {
    server = await startAdminServer();
    const empty = (await call('GET', '/status')).body;
    expect(empty.health.verdict).toBe('degraded');
    expect(empty.health.reasons).toEqual(['0 active nodes, but the replication factor is 2']);
    await server.close();

    server = await startAdminServer({ nodes });
    const status = (await call('GET', '/status')).body;
    expect(status).toMatchObject({
      clusterId: 'main',
      replicationFactor: 2,
      health: { verdict: 'healthy', reasons: [] },
    });
    expect(status.nodes).toHaveLength(3);
    expect(status.nodes[0]).toMatchObject({ id: 'n1', state: 'active', reachable: true, stream: { lag: 0 } });
    expect(status.change).toBeNull();
  });

  it('names a node that does not answer and a change that waits', async () => {
    server = await startAdminServer({ nodes });
    server.down.add('n2');
    await openChange('needs-attention');
    const { health, nextSteps, change } = (await call('GET', '/status')).body;
    expect(health).toEqual({
      verdict: 'degraded',
      reasons: ['node n2 does not answer', 'the change rebalance waits for you: 1 of its moves failed'],
    });
    expect(nextSteps).toContain('miroir-ctl rebalance retry');
    expect(change).toMatchObject({ status: 'needs-attention', movesFailed: 1, lastError: 'node n2 is full' });
  });

  it('lists leases', async () => {
    server = await startAdminServer({ nodes });
    const epoch = await server.store.readEpoch();
    await server.store.renewLease({ proxyId: 'p1', url: null, epoch, oldestEpoch: epoch, ttlMs: 60_000 });
    const [lease] = (await call('GET', '/status')).body.leases;
    expect(lease).toMatchObject({ proxyId: 'p1', epoch });
    expect(lease.validForMs).toBeGreaterThan(0);
  });
});

describe('adding nodes', () => {
  it('keeps keys out of the workflow and in the store', async () => {
    server = await startAdminServer({ nodes });
    const added = { id: 'n4', url: 'http://n4.test:7700/', zone: 'b', weight: 2, key: 'node-secret' };
    const answer = await call('POST', '/nodes', { nodes: [added], concurrency: 3, retentionMs: 0 });
    expect(answer).toMatchObject({ status: 202, body: { changeId: 'change-1', kind: 'add' } });
    expect(server.changes.started).toEqual([
      {
        kind: 'add',
        nodes: [{ id: 'n4', url: 'http://n4.test:7700', zone: 'b', weight: 2 }],
        options: { concurrency: 3, retentionMs: 0 },
      },
    ]);
    expect(JSON.stringify([server.changes.started, answer.body])).not.toContain('node-secret');
    expect((await server.store.readNodeSecrets()).n4).toEqual({ adminKey: 'node-secret', dataKey: null });
  });

  it.each([
    ['a known id', [{ id: 'n1', url: 'http://new.test' }], 'Node `n1` is already in the fleet'],
    ['a known URL', [{ id: 'n4', url: 'http://n1.test:7700/' }], 'Nodes `n1` and `n4` have the same URL'],
    [
      'an id twice',
      [
        { id: 'n4', url: 'http://a.test' },
        { id: 'n4', url: 'http://b.test' },
      ],
      'Node `n4` is named twice',
    ],
    [
      'a URL twice',
      [
        { id: 'n4', url: 'http://a.test' },
        { id: 'n5', url: 'http://a.test/' },
      ],
      'Nodes `n4` and `n5` have the same URL',
    ],
    [
      'no URL',
      [{ id: 'n4', url: 'n4:x' }],
      'Invalid value at `.nodes[0].url`: must begin with http:// or https://',
    ],
    ['a key in the URL', [{ id: 'n4', url: 'http://u:p@n4.test' }], 'must not carry credentials'],
    ['a bad id', [{ id: 'n 4', url: 'http://n4.test' }], 'Invalid value at `.nodes[0].id`'],
    ['an unknown field', [{ id: 'n4', url: 'http://n4.test', master: 'x' }], 'Invalid value at `.nodes[0]`'],
    ['no node', [], 'Invalid value at `.nodes`'],
  ])('refuses %s', async (_, added, message) => {
    server = await startAdminServer({ nodes });
    const answer = await call('POST', '/nodes', { nodes: added });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'miroir_invalid_change', type: 'invalid_request' },
    });
    expect(answer.body.message).toContain(message);
    expect(server.changes.started).toEqual([]);
  });

  it('takes a node again that a dead change left joining, and keeps what was known of it', async () => {
    server = await startAdminServer({ nodes });
    const joining = { id: 'n4', url: 'http://n4.test:7700' };
    await server.store.addNode(joining, { adminKey: 'admin-1', dataKey: 'data-1' }, 'test');
    expect((await call('POST', '/nodes', { nodes: [joining] })).status).toBe(202);
    expect((await server.store.readNodeSecrets()).n4).toEqual({ adminKey: 'admin-1', dataKey: 'data-1' });
    await call('POST', '/nodes', { nodes: [{ ...joining, key: 'admin-2' }] });
    expect((await server.store.readNodeSecrets()).n4).toEqual({ adminKey: 'admin-2', dataKey: 'data-1' });
    const elsewhere = await call('POST', '/nodes', { nodes: [{ id: 'n4', url: 'http://other.test' }] });
    expect(elsewhere.body.message).toContain('already in the fleet (joining');
  });

  it('puts keys back when the change is refused', async () => {
    server = await startAdminServer({ nodes });
    const add = (key?: string) =>
      call('POST', '/nodes', { nodes: [{ id: 'n4', url: 'http://n4.test', key }] });
    await add('first');
    for (const key of ['second', undefined]) {
      server.changes.refusal = new ApiError('miroir_change_in_progress', 'busy');
      expect((await add(key)).status).toBe(409);
      expect((await server.store.readNodeSecrets()).n4!.adminKey).toBe('first');
    }
    await add();
    expect((await server.store.readNodeSecrets()).n4!.adminKey).toBeNull();
  });

  it('says that a change is in progress', async () => {
    server = await startAdminServer({ nodes });
    server.changes.refusal = new ApiError('miroir_change_in_progress', 'busy');
    const answer = await call('POST', '/nodes', { nodes: [{ id: 'n4', url: 'http://n4.test' }] });
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'miroir_change_in_progress', message: 'busy' },
    });
  });
});

describe('taking nodes away', () => {
  it('starts a drain and a removal, with options', async () => {
    server = await startAdminServer({ nodes });
    expect((await call('POST', '/nodes/n3/drain')).status).toBe(202);
    expect((await call('POST', '/nodes/n3/drain', { copyChunkDocuments: 10 })).status).toBe(202);
    expect((await call('DELETE', '/nodes/n3?retentionMs=0')).status).toBe(202);
    expect(server.changes.started).toEqual([
      { kind: 'drain', nodes: ['n3'] },
      { kind: 'drain', nodes: ['n3'], options: { copyChunkDocuments: 10 } },
      { kind: 'remove', nodes: ['n3'], options: { retentionMs: 0 } },
    ]);
  });

  it('refuses an unknown node and too few nodes for the replication factor', async () => {
    server = await startAdminServer({ nodes: nodes.slice(0, 2) });
    expect((await call('POST', '/nodes/n9/drain')).body).toMatchObject({
      code: 'miroir_invalid_change',
      message: "There is no node `n9`. The fleet's nodes are: `n1`, `n2`.",
    });
    const answer = await call('DELETE', '/nodes/n2');
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('Add 1 more node first');
    expect((await call('DELETE', '/nodes/n2?retentionMs=soon')).body.message).toBe(
      'Invalid value at `.retentionMs`: must be a number',
    );
    expect(server.changes.started).toEqual([]);
  });
});

describe('rebalance', () => {
  it('starts, and passes actions on', async () => {
    server = await startAdminServer({ nodes });
    expect((await call('POST', '/rebalance', { concurrency: 4 })).body.changeId).toBe('change-1');
    await call('POST', '/rebalance/retry', { moveId: 'move-1' });
    await call('POST', '/rebalance/skip', {});
    await call('POST', '/rebalance/abort');
    expect(server.changes.started).toEqual([{ kind: 'rebalance', nodes: [], options: { concurrency: 4 } }]);
    expect(server.changes.acted).toEqual([
      ['retry', 'move-1'],
      ['skip', null],
      ['abort', null],
    ]);
  });

  it('shows the latest change with true numbers', async () => {
    server = await startAdminServer({ nodes });
    expect((await call('GET', '/rebalance')).body).toEqual({
      change: null,
      error: null,
      progress: null,
      moves: [],
      nextSteps: [],
    });
    await openChange('needs-attention');
    const { body } = await call('GET', '/rebalance');
    expect(body.change).toMatchObject({ id: 'change-9', kind: 'rebalance', status: 'needs-attention' });
    expect(body.progress).toMatchObject({
      movesTotal: 1,
      movesFailed: 1,
      documentsCopied: 30,
      documentsTotal: 40,
      bytesCopied: 3_000,
      lastError: 'node n2 is full',
    });
    expect(body.progress.documentsPerSecond).toBeNull();
    expect(body.moves).toHaveLength(1);
    expect((await call('GET', '/rebalance/change-9')).body.change.id).toBe('change-9');
  });

  it('gives a rate only while something is copied', async () => {
    server = await startAdminServer({ nodes });
    await openChange('running');
    const { progress } = (await call('GET', '/rebalance')).body;
    expect(progress).toMatchObject({ movesRunning: 1, movesFailed: 0, lastError: null });
    expect(progress.documentsPerSecond).toBeGreaterThan(0);
    expect(progress.documentsPerSecond).toBeLessThanOrEqual(10);
  });

  it('says which step of a running change is tried again, and why', async () => {
    server = await startAdminServer({ nodes });
    await openChange('running');
    server.changes.outcomes.set('change-9', {
      status: 'running',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: null,
      message: null,
      pending: [{ step: 'addNodes', attempt: 7, lastError: 'node n4 does not answer' }],
    });
    const { pending } = (await call('GET', '/rebalance/change-9')).body;
    expect(pending).toEqual([{ step: 'addNodes', attempt: 7, lastError: 'node n4 does not answer' }]);
  });

  it('finds a change that was refused before it was opened, and none that never was', async () => {
    server = await startAdminServer({ nodes });
    const run = {
      status: 'failed',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:00:01Z',
    } as const;
    server.changes.outcomes.set('run-1', {
      ...run,
      message: 'node n4 belongs to another fleet',
      pending: [],
    });
    expect((await call('GET', '/rebalance/run-1')).body).toMatchObject({
      change: { id: 'run-1', status: 'failed' },
      error: 'node n4 belongs to another fleet',
    });
    expect(await call('GET', '/rebalance/run-2')).toMatchObject({
      status: 404,
      body: { code: 'miroir_change_not_found' },
    });
  });
});

describe('tasks, indexes and the topology', () => {
  it('shows a task with who has confirmed it, and hides settings', async () => {
    server = await startAdminServer({ nodes });
    const epoch = await server.store.readEpoch();
    const appended = await server.store.appendEntry({
      requestId: 'r1',
      indexUid: 'products',
      meta: { kind: 'indexCreation', primaryKey: 'id' },
      stagingId: null,
      expected: { incarnation: null, primaryKey: null },
      createIndex: { epoch, primaryKey: 'id', assignment: Array.from({ length: 8 }, () => ['n1', 'n2']) },
      setPrimaryKey: null,
      failure: null,
      details: null,
    });
    expect(appended.ok).toBe(true);
    const { body } = await call('GET', '/tasks/0');
    expect(body).toMatchObject({ uid: 0, indexUid: 'products', type: 'indexCreation' });
    expect(body.delivery.map((row: { node: string }) => row.node)).toEqual(['n1', 'n2', 'n3']);
    expect((await call('GET', '/tasks/77')).body.code).toBe('task_not_found');
    expect((await call('GET', '/tasks/x')).body.code).toBe('invalid_task_uid');

    const [index] = (await call('GET', '/indexes')).body.indexes;
    expect(index).toMatchObject({
      uid: 'products',
      shardCount: 8,
      replicas: { 'in-sync': 16 },
      unavailableShards: 0,
    });
    const topology = (await call('GET', '/topology')).body;
    expect(topology.indexes[0].shards).toHaveLength(8);
    expect(topology.indexes[0]).not.toHaveProperty('settings');
  });
});
