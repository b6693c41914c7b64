// Plans and the newer changes over the admin API and the CLI: what is shown, kept, refused and started.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decider } from '../../ctl/decider.js';
import { runCtl } from '../../ctl/program.js';
import { activeNodes } from '../../shared/core/change-edits.js';
import { placeShards } from '../../shared/core/placement.js';
import type { PlanReport } from '../../shared/core/plan-report.js';
import { loadHash } from '../../shared/io/hash.js';
import { type AdminServer, silentNodes, startAdminServer } from '../support/admin-server.js';
import { appendInput } from '../support/append-input.js';

const nodes = silentNodes('n1', 'n2', 'n3');
const n4 = { id: 'n4', url: 'http://n4.test:7700' };

let server: AdminServer;
beforeEach(async () => {
  server = await startAdminServer({ nodes });
  const topology = await server.store.readTopology();
  const hash = await loadHash();
  const { epoch, nextIncarnation, defaultShardCount, replicationFactor } = topology;
  const assignment = placeShards({
    ...{ incarnationKey: nextIncarnation, shardCount: defaultShardCount, replicationFactor, hash },
    nodes: topology.nodes.filter((node) => activeNodes(topology).includes(node.id)),
  });
  const meta = { kind: 'indexCreation' as const, primaryKey: 'id' };
  const createIndex = { epoch, primaryKey: 'id', assignment };
  await server.store.appendEntry(appendInput('r1', 'movies', meta, undefined, { createIndex }));
});
afterEach(() => server.close());

const call: AdminServer['call'] = (...request) => server.call(...request);

async function ctl(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const code = await runCtl(['--url', server.url, ...args], {
    env: { XDG_CONFIG_HOME: '/nonexistent' },
    stdin: process.stdin,
    stdout: { write: (text: string) => (stdout += text) },
    stderr: Object.assign(Object.create(process.stderr), { write: (text: string) => (stderr += text) }),
  });
  return { code, stdout, stderr };
}

describe('a plan', () => {
  it('changes nothing, and says what is unknown where nodes do not answer', async () => {
    const epoch = await server.store.readEpoch();
    const { status, body } = await call('POST', '/plans', { edits: { add: [n4] }, concurrency: 4 });
    expect(status).toBe(200);
    const report = body.report as PlanReport;
    expect(body.plan).toBeNull();
    expect(report).toMatchObject({
      summary: 'add n4',
      drops: 0,
      documents: null,
      bytes: null,
      durationMs: null,
    });
    expect(report.copies).toBe(report.moves.length);
    expect(report.moves.length).toBeGreaterThan(0);
    for (const move of report.moves) expect(move).toMatchObject({ targetNode: 'n4', reason: 'placement' });
    expect(await server.store.readEpoch()).toBe(epoch);
    expect((await call('GET', '/plans')).body.plans).toEqual([]);
  });

  it('is saved, listed, started as it is, and refused when the topology has changed since', async () => {
    const saved = await call('POST', '/plans', { edits: { add: [n4] }, name: 'grow', retentionMs: 0 });
    expect(saved).toMatchObject({
      status: 201,
      body: { plan: { name: 'grow', options: { retentionMs: 0 } } },
    });
    expect(saved.body.nextSteps).toEqual(['miroir-ctl rebalance start --plan grow']);
    expect((await call('POST', '/plans', { name: 'grow' })).body).toMatchObject({
      code: 'miroir_invalid_change',
      message: 'There is a plan `grow` already. Choose another name, or delete that one.',
    });
    expect((await call('GET', '/plans')).body.plans).toMatchObject([
      { name: 'grow', report: { summary: 'add n4' } },
    ]);
    expect((await call('GET', '/plans/grow')).body.report).toEqual(saved.body.report);

    expect((await call('POST', '/rebalance', { plan: 'grow', key: 'secret', concurrency: 3 })).status).toBe(
      202,
    );
    const { id } = saved.body.plan;
    expect(server.changes.started).toEqual([{ kind: 'rebalance', plan: id, options: { concurrency: 3 } }]);
    expect((await server.store.readNodeSecrets()).n4).toEqual({ adminKey: 'secret', dataKey: null });

    await server.store.setNodeState('n3', 'drained', 'a test');
    expect(await call('POST', '/rebalance', { plan: 'grow' })).toMatchObject({
      status: 409,
      body: {
        code: 'miroir_plan_outdated',
        message: expect.stringMatching(/node `n3` was active.*is drained/),
      },
    });
    expect((await call('DELETE', '/plans/grow')).status).toBe(200);
    for (const [method, path] of [
      ['GET', '/plans/grow'],
      ['DELETE', '/plans/grow'],
    ] as const)
      expect((await call(method, path)).body.code).toBe('miroir_plan_not_found');
    expect((await call('POST', '/rebalance', { plan: 'grow' })).status).toBe(404);
  });

  it.each([
    [{ edits: { remove: ['n1', 'n2'] } }, '1 active node would be left'],
    [{ edits: { drain: ['n9'] } }, 'There is no node `n9`'],
    [{ edits: { add: [{ ...n4, key: 'x' }] } }, 'Invalid value at `.edits.add[0]`'],
    [
      { edits: { replication: [{ index: 'movies', factor: 0 }] } },
      'Invalid value at `.edits.replication[0].factor`',
    ],
    [{ name: 'a b' }, 'Invalid value at `.name`'],
  ])('is refused: %j', async (body, message) => {
    const answer = await call('POST', '/plans', body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'miroir_invalid_change' } });
    expect(answer.body.message).toContain(message);
  });
});

it('starts replacements, settings, replication factors and several edits at once, keys kept apart', async () => {
  await call('POST', '/nodes/n2/replace', { ...n4, key: 'k4', retentionMs: 5 });
  await call('PATCH', '/nodes/n1', { weight: 2, zone: null });
  await call('POST', '/replication', { replication: [{ index: 'movies', factor: 3 }] });
  await call('POST', '/rebalance', {
    edits: { add: [{ id: 'n5', url: 'http://n5.test', key: 'k5' }], drain: ['n3'] },
  });
  expect(server.changes.started).toEqual([
    { kind: 'replace', nodes: [{ ...n4, replaces: 'n2' }], options: { retentionMs: 5 } },
    { kind: 'set', nodes: [{ id: 'n1', weight: 2, zone: null }] },
    { kind: 'set-replication', replication: [{ index: 'movies', factor: 3 }] },
    { kind: 'rebalance', edits: { add: [{ id: 'n5', url: 'http://n5.test' }], drain: ['n3'], replace: [] } },
  ]);
  const secrets = await server.store.readNodeSecrets();
  expect([secrets.n4!.adminKey, secrets.n5!.adminKey]).toEqual(['k4', 'k5']);
  const before = server.changes.started.length;
  for (const [method, path, body, message] of [
    ['PATCH', '/nodes/n1', {}, 'must set `zone` or `weight`'],
    ['PATCH', '/nodes/n9', { weight: 2 }, 'no node `n9`'],
    ['POST', '/replication', { replication: [{ index: 'books', factor: 2 }] }, 'no index `books`'],
    ['POST', '/nodes/n9/replace', n4, 'no node `n9`'],
    ['POST', '/rebalance', { plan: 'p', edits: {} }, 'A plan brings its own'],
  ] as const)
    expect((await call(method, path, body)).body).toMatchObject({
      code: 'miroir_invalid_change',
      message: expect.stringContaining(message),
    });
  expect(server.changes.started).toHaveLength(before);
});

describe('miroir-ctl', () => {
  it('plans several edits, saves, lists, starts and deletes', async () => {
    const edits = ['--add', 'n4=http://n4.test:7700', '--drain', 'n2', '--set-replication', 'movies=3'];
    const planned = await ctl('rebalance', 'plan', ...edits, '--set-weight', 'n1=2', '--save', 'big');
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect(planned.stdout).toContain('add n4, drain n2, set n1 weight 2, movies: 3 replicas: ');
    expect(planned.stdout).toMatch(/time unknown: no earlier move to measure by/);
    expect(planned.stdout).toMatch(/never fewer than \d of 3 in-sync replicas/);
    expect(planned.stdout).toMatch(/movies +\d+ +n2 +n4 .*n2 gives up what it holds/);
    expect(planned.stdout).toContain('saved as big; nothing was changed');
    expect((await ctl('rebalance', 'plans')).stdout).toMatch(/^PLAN.*\nbig /);
    const shown = await ctl('-o', 'json', 'rebalance', 'plans', 'big');
    expect(JSON.parse(shown.stdout).report.moves.length).toBeGreaterThan(0);
    expect((await ctl('rebalance', 'start', '--plan', 'big')).code).toBe(0);
    expect(server.changes.started).toMatchObject([
      { kind: 'rebalance', plan: expect.stringMatching(/^plan-/) },
    ]);
    expect((await ctl('rebalance', 'plans', 'big', '--delete')).code).toBe(0);
    expect(await ctl('rebalance', 'start', '--plan', 'big')).toMatchObject({ code: 1 });
    expect(await ctl('rebalance', 'start', '--plan', 'big', '--drain', 'n2')).toMatchObject({ code: 2 });
  });

  it('shows with --dry-run what each change would do, and starts none', async () => {
    for (const args of [
      ['node', 'add', 'n4=http://n4.test:7700'],
      ['node', 'remove', 'n3'],
      ['node', 'drain', 'n3'],
      ['node', 'replace', 'n3', 'n4=http://n4.test:7700'],
      ['node', 'set', 'n3', '--weight', '2'],
      ['set-replication', 'movies=3'],
    ]) {
      const shown = await ctl(...args, '--dry-run');
      expect(shown, args.join(' ')).toMatchObject({ code: 0, stderr: '' });
      expect(shown.stdout).toContain('nothing was changed');
    }
    expect(server.changes.started).toEqual([]);
    expect((await ctl('node', 'remove', 'n3', '--dry-run', '--allow-fewer-zones')).code).toBe(0);
  });

  it('starts the newer changes, after asking where something is taken away', async () => {
    expect((await ctl('--yes', 'node', 'replace', 'n3', 'n4=http://n4.test:7700', '--zone', 'b')).code).toBe(
      0,
    );
    expect((await ctl('node', 'set', 'n1', '--zone', '')).code).toBe(0);
    expect((await ctl('set-replication', 'movies=3', '--default', '1')).code).toBe(0);
    expect((await ctl('--yes', 'rebalance', 'start', '--remove', 'n3')).code).toBe(0);
    const by = decider();
    expect(server.changes.started).toEqual([
      { kind: 'replace', nodes: [{ ...n4, zone: 'b', replaces: 'n3' }], by },
      { kind: 'set', nodes: [{ id: 'n1', zone: null }], by },
      {
        kind: 'set-replication',
        replication: [
          { index: 'movies', factor: 3 },
          { index: null, factor: 1 },
        ],
        by,
      },
      { kind: 'rebalance', edits: { remove: ['n3'], add: [], replace: [] }, by },
    ]);
    expect((await ctl('node', 'set', 'n1')).code).toBe(2);
    expect((await ctl('set-replication')).code).toBe(2);
    expect((await ctl('set-replication', 'movies=99')).code).toBe(2);
  });
});
