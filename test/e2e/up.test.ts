// `miroir up` as a user runs it: the whole fleet comes up, answers, survives a crash, and leaves nothing behind.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { Api } from '../../up/admin-api.js';

const MAIN = resolve(import.meta.dirname, '../../dist/up/main.js');
const UP_DEADLINE_MS = 110_000;

let folder: string;
let running: Up | null;
let fleetId: string;

interface Up {
  process: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miroir-e2e-up-'));
  running = null;
  fleetId = `up-${randomUUID()}`;
});
afterEach(async () => {
  if (running && running.process.exitCode === null) {
    running.process.kill('SIGINT');
    running.process.kill('SIGINT');
    await running.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function up(...args: string[]): Up {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    MIROIR_PORT: '0',
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MIROIR_TASK_QUEUE: fleetId,
    MIROIR_CLUSTER_ID: fleetId,
    MIROIR_DEFAULT_SHARD_COUNT: '8',
  };
  const child = spawn(process.execPath, [MAIN, 'up', '--data-dir', folder, ...args], { env, cwd: tmpdir() });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<number | null>((settle) => child.once('exit', settle));
  running = { process: child, output: () => output, ended };
  return running;
}

async function waitForOutput(started: Up, pattern: RegExp): Promise<RegExpExecArray> {
  const until = performance.now() + UP_DEADLINE_MS;
  for (;;) {
    const found = pattern.exec(started.output());
    if (found) return found;
    if (started.process.exitCode !== null || performance.now() > until) {
      throw new Error(`no ${pattern} in:\n${started.output()}`);
    }
    await sleep(100);
  }
}

/** Pids of processes that mention the data folder in their environment or arguments. */
function processesOf(path: string): string[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,args=', 'eww'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return listed
    .split('\n')
    .filter(
      (line) => line.includes(path) && !line.includes('ps -eo') && Number.parseInt(line, 10) !== process.pid,
    );
}

async function settle(api: Api, taskUid: number): Promise<string> {
  const until = performance.now() + 60_000;
  for (;;) {
    const task = await api.json<{ status: string }>('GET', `/tasks/${taskUid}`);
    if (!['enqueued', 'processing'].includes(task.status) || performance.now() > until) return task.status;
    await sleep(50);
  }
}

test('starts a fleet that works, starts a crashed node again, and stops cleanly on Ctrl-C', async () => {
  const started = up();
  const url = (await waitForOutput(started, /Miroir is up: (\S+)/))[1]!;
  const nodeUrl = (await waitForOutput(started, /n1\s+(http\S+)/))[1]!;
  expect(started.output()).toMatch(/not for production|Meilisearch/);
  const api = new Api(url, null);
  const documents = Array.from({ length: 50 }, (_unused, at) => ({ id: at, title: `title ${at}` }));
  const { taskUid } = await api.json<{ taskUid: number }>('POST', '/indexes/films/documents', documents);
  expect(await settle(api, taskUid)).toBe('succeeded');
  const count = async () =>
    (await api.json<{ estimatedTotalHits: number }>('POST', '/indexes/films/search', { q: 'title' }))
      .estimatedTotalHits;
  expect(await count()).toBe(50);

  const port = new URL(nodeUrl).port;
  const node = processesOf(folder).find((line) => line.includes(`--http-addr 127.0.0.1:${port}`));
  process.kill(Number.parseInt(node ?? '', 10), 'SIGKILL');
  await waitForOutput(started, /n1 is back/);
  const second = await api.json<{ taskUid: number }>('PUT', '/indexes/films/documents', [
    { id: 50, title: 'title 50' },
  ]);
  expect(await settle(api, second.taskUid)).toBe('succeeded');
  expect(await count()).toBe(51);
  await api.close();

  const secret = readFileSync(join(folder, 'secrets', 'node-master-key'), 'utf8').trim();
  const commands = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' });
  expect(commands).not.toContain(secret);
  expect(started.output()).not.toContain(secret);

  started.process.kill('SIGINT');
  expect(await started.ended).toBe(0);
  expect(started.output()).toContain('Stopped.');
  expect(processesOf(folder)).toEqual([]);
}, 600_000);

test('a second start in the same folder finds the first one, and --exit ends by itself', async () => {
  const first = up('--exit');
  expect(await first.ended, first.output()).toBe(0);
  // The same folder again: nodes are known, nothing is added twice.
  const second = up('--exit');
  expect(await second.ended, second.output()).toBe(0);
  expect(second.output()).not.toContain('Adding:');
  expect(processesOf(folder)).toEqual([]);
}, 240_000);

test('says what is wrong and stops what it had started', async () => {
  const config = join(folder, 'wrong.yml');
  writeFileSync(config, 'replicationFactory: 2\n');
  const wrong = up('--config', config);
  expect(await wrong.ended).not.toBe(0);
  expect(wrong.output()).toContain('unknown key replicationFactory');
  const unreachable = up('--nodes', 'http://127.0.0.1:9');
  unreachable.process.kill('SIGINT');
  await unreachable.ended;
  expect(processesOf(folder)).toEqual([]);
}, 600_000);

test.runIf(process.env.MIROIR_TEST_FULL === '1')(
  'the tour passes',
  async () => {
    // The tour empties a folder of its own making only, and makes one that is not there.
    rmSync(folder, { recursive: true, force: true });
    const tour = up('--tour', '--exit', '--json', `${folder}.json`);
    expect(await tour.ended, tour.output()).toBe(0);
    const { passed, failures } = JSON.parse(readFileSync(`${folder}.json`, 'utf8'));
    rmSync(`${folder}.json`);
    expect({ passed, failures }).toEqual({ passed: true, failures: [] });
  },
  900_000,
);
