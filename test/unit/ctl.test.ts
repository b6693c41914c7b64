// miroir-ctl against a real admin API: what it asks, what it prints where, how it exits.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { decider } from '../../ctl/decider.js';
import { EXIT } from '../../ctl/exit.js';
import { runCtl } from '../../ctl/program.js';
import { ApiError } from '../../shared/core/errors.js';
import type { NodeInput } from '../../shared/io/store.js';
import { type AdminServer, startAdminServer } from '../support/admin-server.js';
import { fakeTerminal } from '../support/terminal.js';

const nodes: NodeInput[] = ['n1', 'n2', 'n3'].map((id) => ({ id, url: `http://${id}.test:7700` }));

let server: AdminServer | null = null;
let plain: Server | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
  plain?.closeAllConnections();
  plain?.close();
  plain = null;
});

async function ctl(args: string[], env: Record<string, string> = {}, terminal = fakeTerminal(env)) {
  const world = { ...terminal, env: { ...terminal.env, MIROIR_URL: server?.url, ...env } };
  const exitCode = await runCtl(args, world);
  return { exitCode, ...terminal.text() };
}

async function servePlain(answer: (url: string) => { status: number; body: string } | null): Promise<string> {
  plain = createServer((request, response) => {
    const made = answer(request.url!);
    if (made) response.writeHead(made.status).end(made.body);
  });
  await new Promise<void>((resolve) => plain!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
}

describe('usage', () => {
  it('documents exit codes and prints help to stdout', async () => {
    const { exitCode, stdout } = await ctl(['--help']);
    expect(exitCode).toBe(EXIT.done);
    for (const line of ['0  done', '1  failed', '2  wrong usage', '3  degraded', '4  timed out']) {
      expect(stdout).toContain(line);
    }
  });

  it.each([
    [['bogus']],
    [['node', 'add', 'no-url']],
    [['node', 'add']],
    [['status', '-o', 'xml']],
    [['task', 'show', 'x']],
    [['status', '--timeout', 'soon']],
    [['status', '--url', 'not a url']],
    [['status', '--url', 'http://key@host']],
  ])('exits with 2 for %j', async (args) => {
    const { exitCode, stdout, stderr } = await ctl(args);
    expect(exitCode).toBe(EXIT.usage);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });
});

describe('errors', () => {
  it('explains a missing and a wrong key without showing it', async () => {
    server = await startAdminServer({ adminApiKey: 'right' });
    const missing = await ctl(['status']);
    expect(missing.exitCode).toBe(EXIT.failed);
    expect(missing.stderr).toContain('missing_authorization_header');
    expect(missing.stderr).toContain('next: set MIROIR_ADMIN_API_KEY');
    const wrong = await ctl(['status'], { MIROIR_ADMIN_API_KEY: 'wrong-secret' });
    expect(wrong.exitCode).toBe(EXIT.failed);
    expect(wrong.stderr + wrong.stdout).not.toContain('wrong-secret');
    expect((await ctl(['node', 'list'], { MIROIR_ADMIN_API_KEY: 'right' })).exitCode).toBe(EXIT.done);
  });

  it('passes on what the proxy says, as JSON too', async () => {
    server = await startAdminServer({ nodes });
    server.changes.refusal = new ApiError('miroir_change_in_progress', 'A change is in progress.');
    const { exitCode, stdout } = await ctl(['rebalance', 'start', '-o', 'json']);
    expect(exitCode).toBe(EXIT.failed);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { message: 'A change is in progress.', code: 'miroir_change_in_progress' },
      nextSteps: ['miroir-ctl rebalance status --watch'],
    });
  });

  it('names a proxy that is not there, or is none', async () => {
    const gone = await servePlain(() => null);
    plain!.close();
    expect(await ctl(['status', '--url', gone])).toMatchObject({
      exitCode: EXIT.failed,
      stderr: expect.stringContaining(`cannot reach a proxy at ${gone} (ECONNREFUSED)`),
    });
    const other = await servePlain(() => ({ status: 200, body: '<html>' }));
    expect((await ctl(['status', '--url', other])).stderr).toContain('is not JSON');
    const broken = await servePlain(() => ({ status: 502, body: '<html>' }));
    expect((await ctl(['status', '--url', broken])).stderr).toContain('status 502');
  });

  it('times out', async () => {
    const silent = await servePlain(() => null);
    const { exitCode } = await ctl(['status', '--url', silent, '--timeout', '50ms']);
    expect(exitCode).toBe(EXIT.timedOut);
  });
});

describe('status and lists', () => {
  it('exits with 3 while degraded, with 0 when healthy', async () => {
    server = await startAdminServer({ nodes });
    const healthy = await ctl(['status']);
    expect(healthy.exitCode).toBe(EXIT.done);
    expect(healthy.stdout).toMatch(/^healthy: cluster main/);
    server.down.add('n1');
    const degraded = await ctl(['status']);
    expect(degraded.exitCode).toBe(EXIT.degraded);
    expect(degraded.stdout).toContain('- node n1 does not answer');
    expect(degraded.stdout).toContain('Next:\n  check that Meilisearch runs at http://n1.test:7700');
    expect(JSON.parse((await ctl(['status', '-o', 'json'])).stdout)).toMatchObject({
      health: { verdict: 'degraded' },
      nextSteps: ['check that Meilisearch runs at http://n1.test:7700'],
    });
  });

  it('lists nodes and indexes', async () => {
    server = await startAdminServer({ nodes });
    const { stdout } = await ctl(['node', 'list']);
    expect(stdout.split('\n')[0]).toMatch(/^NODE +STATE +HEALTH +URL +ZONE +REPLICAS +LAG +REPORTED$/);
    expect(JSON.parse((await ctl(['node', 'list', '-o', 'json'])).stdout).nodes).toHaveLength(3);
    expect((await ctl(['index', 'list'])).stdout).toMatch(/^INDEX/);
    expect((await ctl(['task', 'show', '5'])).stderr).toContain('Task `5` not found.');
  });
});

describe('changes', () => {
  it('adds nodes with the key from the environment, and answers the id at once', async () => {
    server = await startAdminServer({ nodes });
    const args = [
      'node',
      'add',
      'n4=http://n4.test',
      'n5=http://n5.test',
      '--zone',
      'b',
      '--retention',
      '30s',
    ];
    const { exitCode, stdout } = await ctl(args, { MIROIR_NODE_KEY: 'node-secret' });
    expect(exitCode).toBe(EXIT.done);
    expect(stdout).toContain('started change change-1');
    expect(server.changes.started).toEqual([
      {
        kind: 'add',
        nodes: [
          { id: 'n4', url: 'http://n4.test', zone: 'b' },
          { id: 'n5', url: 'http://n5.test', zone: 'b' },
        ],
        options: { retentionMs: 30_000 },
        by: decider(),
      },
    ]);
    expect((await server.store.readNodeSecrets()).n5!.adminKey).toBe('node-secret');
  });

  it('takes nodes away only with --yes where nobody can be asked', async () => {
    server = await startAdminServer({ nodes });
    for (const verb of ['drain', 'remove']) {
      const { exitCode, stderr } = await ctl(['node', verb, 'n3']);
      expect(exitCode).toBe(EXIT.usage);
      expect(stderr).toContain('--yes');
    }
    expect(server.changes.started).toEqual([]);
    await ctl(['node', 'drain', 'n3', '--yes', '--concurrency', '4']);
    await ctl(['--yes', 'node', 'remove', 'n3', '--rate', '100']);
    expect(server.changes.started).toEqual([
      { kind: 'drain', nodes: ['n3'], options: { concurrency: 4 }, by: decider() },
      { kind: 'remove', nodes: ['n3'], options: { copyDocumentsPerSecond: 100 }, by: decider() },
    ]);
  });

  it.each([
    ['y\n', EXIT.done, 1],
    ['n\n', EXIT.failed, 0],
    ['\n', EXIT.failed, 0],
  ])('asks on a terminal: %j', async (answer, exitCode, started) => {
    server = await startAdminServer({ nodes });
    const terminal = fakeTerminal({ NO_COLOR: '1' }, true);
    terminal.stdin.write(answer);
    expect((await ctl(['node', 'drain', 'n3'], {}, terminal)).exitCode).toBe(exitCode);
    expect(terminal.text().stderr).toContain('Drain node n3');
    expect(server.changes.started).toHaveLength(started);
  });

  it('steers moves', async () => {
    server = await startAdminServer({ nodes });
    await ctl(['rebalance', 'retry', 'move-1']);
    await ctl(['rebalance', 'skip']);
    await ctl(['rebalance', 'abort']);
    expect(server.changes.acted).toEqual([
      ['retry', 'move-1'],
      ['skip', null],
      ['abort', null],
    ]);
  });

  it.each([
    ['done', EXIT.done],
    ['failed', EXIT.failed],
    ['aborted', EXIT.failed],
    ['needs-attention', EXIT.degraded],
  ] as const)('exits by how the change stands: %s', async (status, exitCode) => {
    server = await startAdminServer({ nodes });
    expect((await ctl(['rebalance', 'status'])).stdout).toContain('no change');
    await server.store.openChange({ id: 'c', kind: 'rebalance', input: {}, runId: 'c' });
    await server.store.setChangeStatus('c', status);
    const shown = await ctl(['rebalance', 'status']);
    expect(shown.exitCode).toBe(exitCode);
    expect(shown.stdout).toContain(`rebalance c: ${status}`);
    expect((await ctl(['rebalance', 'status', '--watch'])).exitCode).toBe(exitCode);
  });

  it('watches a change from before it is opened to its end, on stderr', async () => {
    server = await startAdminServer({ nodes });
    server.changes.outcomes.set('change-1', {
      status: 'running',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: null,
      message: null,
      pending: [],
    });
    const watching = ctl(['rebalance', 'start', '--watch']);
    while (server.changes.started.length === 0) await sleep(10);
    await server.store.openChange({ id: 'change-1', kind: 'rebalance', input: {}, runId: 'change-1' });
    await server.store.setChangeStatus('change-1', 'done');
    const { exitCode, stdout } = await watching;
    expect(exitCode).toBe(EXIT.done);
    expect(stdout).toContain('rebalance change-1: done');
  });

  it('gives up watching after --timeout, and says that the change goes on', async () => {
    server = await startAdminServer({ nodes });
    await server.store.openChange({ id: 'c', kind: 'rebalance', input: {}, runId: 'c' });
    const { exitCode, stderr } = await ctl(['rebalance', 'status', 'c', '--watch', '--timeout', '700ms']);
    expect(exitCode).toBe(EXIT.timedOut);
    expect(stderr).toContain('it goes on without this command');
  });

  it('shows why a change was refused by the workflow', async () => {
    server = await startAdminServer({ nodes });
    server.changes.outcomes.set('change-1', {
      status: 'failed',
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:00:01Z',
      message: 'node n4 does not accept its key',
      pending: [],
    });
    const { exitCode, stdout } = await ctl(['node', 'add', 'n4=http://n4.test', '--watch']);
    expect(exitCode).toBe(EXIT.failed);
    expect(stdout).toContain('node n4 does not accept its key');
  });
});
