// Our own Temporal server: started on free ports, kept across restarts, never mistaken for somebody else's.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import {
  freePort,
  SEARCH_ATTRIBUTES,
  startTemporal,
  type TemporalServer,
  waitForTemporal,
} from '../../shared/io/temporal-server.js';

let folder: string;
let started: TemporalServer[];
let blockers: Server[];
// A TEMPORAL_ADDRESS of the caller would start nothing.
const { TEMPORAL_ADDRESS: _ignored, ...env } = process.env;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miroir-temporal-'));
  started = [];
  blockers = [];
});
afterEach(async () => {
  await Promise.all(started.map((server) => server.stop()));
  for (const blocker of blockers) blocker.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Parameters<typeof startTemporal>[0]): Promise<TemporalServer> {
  const server = await startTemporal({ env, ...options });
  started.push(server);
  return server;
}

test('has the search attributes, keeps its database across a restart, and is gone after stop', async () => {
  const dbFile = join(folder, 'temporal.db');
  const first = await start({ dbFile, uiPort: null });
  const namesOf = async (server: TemporalServer) => {
    const connection = await Connection.connect({ address: server.address });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: 'default',
    });
    const { workflowExecutionInfo } = await connection.workflowService
      .describeWorkflowExecution({ namespace: 'default', execution: { workflowId: 'kept' } })
      .catch(() => ({ workflowExecutionInfo: null }));
    await connection.close();
    return {
      attributes: Object.keys(customAttributes ?? {}),
      kept: workflowExecutionInfo?.execution?.workflowId,
    };
  };
  const connection = await Connection.connect({ address: first.address });
  await connection.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId: 'kept',
    requestId: 'kept',
    workflowType: { name: 'nobodyRunsThis' },
    taskQueue: { name: 'nobody-polls-this' },
  });
  await connection.close();
  expect((await namesOf(first)).attributes).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
  await first.stop();
  await expect(waitForTemporal(first.address, 300)).rejects.toThrow(/no Temporal server answers/);
  const second = await start({ dbFile, uiPort: null });
  expect((await namesOf(second)).kept).toBe('kept');
});

test('takes another port when the preferred one is taken', async () => {
  const taken = await new Promise<number>((resolve) => {
    const blocker = createServer().listen(0, '127.0.0.1', () =>
      resolve((blocker.address() as { port: number }).port),
    );
    blockers.push(blocker);
  });
  const server = await start({ dbFile: null, port: taken, uiPort: null });
  expect(server.address).not.toBe(`127.0.0.1:${taken}`);
  expect(await freePort(taken)).not.toBe(taken);
});

test('does not adopt a server that listens on the port that ours could not get', async () => {
  const theirs = inject('temporalAddress').split(':').at(-1)!;
  const wish = start({ dbFile: null, uiPort: null, extraArgs: ['--port', theirs], startDeadlineMs: 5_000 });
  await expect(wish).rejects.toThrow(/ended with|no Temporal server answers/);
});

test('uses the server of TEMPORAL_ADDRESS, and leaves it running', async () => {
  const address = inject('temporalAddress');
  const server = await startTemporal({ dbFile: null, env: { TEMPORAL_ADDRESS: address } });
  expect([server.address, server.pid]).toEqual([address, null]);
  await server.stop();
  await waitForTemporal(address, 5_000);
});
