// The supervisor over real processes: ready lines, crashes, stopping, and what never reaches a command line.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyDataFolder, openDataFolder } from '../../up/data-folder.js';
import { givenNodes } from '../../up/nodes.js';
import { type ChildSpec, Supervisor } from '../../up/supervisor.js';

let folder: string;
let supervisor: Supervisor;
let reports: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miroir-up-'));
  reports = [];
  supervisor = new Supervisor((line) => reports.push(line));
});
afterEach(() => {
  supervisor.killAll();
  rmSync(folder, { recursive: true, force: true });
});

function script(source: string): ChildSpec {
  return {
    name: 'child',
    command: process.execPath,
    args: ['-e', source],
    env: {},
    logFile: join(folder, 'child.log'),
    ready: (line) => line.child === 'ready',
  };
}

const READY = `console.log(JSON.stringify({ child: 'ready' })); setInterval(() => {}, 1000);`;

async function eventually(what: () => boolean): Promise<void> {
  const until = performance.now() + 15_000;
  while (!what()) {
    if (performance.now() > until) throw new Error(`never came true; reports: ${reports.join(' | ')}`);
    await sleep(20);
  }
}

test('waits for the ready line, keeps the log, stops by SIGTERM', async () => {
  const child = await supervisor.start(
    script(`process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); ${READY}`),
  );
  expect(child.pid()).toBeGreaterThan(0);
  await child.stop();
  expect(child.pid()).toBeNull();
  await eventually(() => readFileSync(join(folder, 'child.log'), 'utf8').includes('drained'));
  expect(reports).toEqual([]);
});

test('a child that ends before it is ready says why', async () => {
  const spec = script(`console.error('no such database'); process.exit(3);`);
  await expect(supervisor.start(spec)).rejects.toThrow(/child ended \(code 3\)[\s\S]*no such database/);
});

test('starts a crashed child again, but not one that was killed on purpose', async () => {
  const child = await supervisor.start(script(READY));
  const first = child.pid()!;
  process.kill(first, 'SIGKILL');
  await eventually(() => reports.some((line) => line.includes('is back')));
  expect(child.pid()).not.toBe(first);
  await child.kill();
  await sleep(800);
  expect(child.pid()).toBeNull();
  expect(reports.filter((line) => line.includes('is back'))).toHaveLength(1);
});

test('a child that ignores SIGTERM is killed at the deadline', async () => {
  const child = await supervisor.start({
    ...script(`process.on('SIGTERM', () => {}); ${READY}`),
    stopDeadlineMs: 300,
  });
  await child.stop();
  expect(child.pid()).toBeNull();
});

test('nodes inherit no key and no setting of the caller', async () => {
  process.env.MEILI_MASTER_KEY = 'of-the-caller';
  process.env.MIROIR_NODE_MASTER_KEY = 'of-the-caller-too';
  try {
    const tell = `console.log(JSON.stringify(process.env)); ${READY}`;
    const child = await supervisor.start({ ...script(tell), env: { MEILI_DB_PATH: '/data' } });
    await child.stop();
    await eventually(() => readFileSync(join(folder, 'child.log'), 'utf8').includes('"/data"'));
    expect(readFileSync(join(folder, 'child.log'), 'utf8')).not.toContain('of-the-caller');
  } finally {
    delete process.env.MEILI_MASTER_KEY;
    delete process.env.MIROIR_NODE_MASTER_KEY;
  }
});

test('the data folder generates a secret once and keeps it from others', async () => {
  const data = await openDataFolder(join(folder, 'data'));
  const secret = await data.secret('node-master-key');
  expect(secret.length).toBeGreaterThanOrEqual(24);
  expect(await data.secret('node-master-key')).toBe(secret);
  expect(statSync(join(data.path, 'secrets', 'node-master-key')).mode & 0o777).toBe(0o600);
});

test('the data folder belongs to one process that is alive', async () => {
  const data = await openDataFolder(join(folder, 'data'));
  writeFileSync(join(data.path, 'up.pid'), `${process.ppid}\n`);
  await expect(openDataFolder(data.path)).rejects.toThrow(/another `miroir up`/);
  writeFileSync(join(data.path, 'up.pid'), '999999999\n');
  await (await openDataFolder(data.path)).release();
});

test('ends what a killed run left running, and nothing else', async () => {
  const data = await openDataFolder(join(folder, 'data'));
  const [mine, other] = [1, 2].map((marker) =>
    spawn(process.execPath, ['-e', `setInterval(() => {}, ${marker}000)`]),
  );
  try {
    data.processes.remember(
      'n1',
      mine!.pid!,
      [process.execPath, '-e', 'setInterval(() => {}, 1000)'].join(' '),
    );
    // The pid of another process: it was used again since.
    data.processes.remember('n2', other!.pid!, '/usr/bin/meilisearch');
    expect(await data.processes.endOrphans()).toEqual(['n1']);
    await eventually(() => mine!.signalCode === 'SIGTERM');
    expect(other!.signalCode ?? other!.exitCode).toBeNull();
    expect(await data.processes.endOrphans()).toEqual([]);
  } finally {
    mine!.kill('SIGKILL');
    other!.kill('SIGKILL');
  }
});

test('the tour empties its own folder and no other', async () => {
  const own = join(folder, 'tour');
  await emptyDataFolder(own);
  writeFileSync(join(own, 'miroir.db'), 'old');
  await emptyDataFolder(own);
  expect(() => readFileSync(join(own, 'miroir.db'))).toThrow();
  const other = join(folder, 'other');
  await openDataFolder(other);
  await expect(emptyDataFolder(other)).rejects.toThrow(/not made by a tour/);
});

test('given nodes: names, keys, and what is refused', () => {
  const env = { MIROIR_NODE_MASTER_KEY: 'k' };
  expect(givenNodes(['http://a:7700/', 'b:7700'], env)).toEqual([
    { id: 'n1', url: 'http://a:7700', key: 'k', child: null },
    { id: 'n2', url: 'http://b:7700', key: 'k', child: null },
  ]);
  expect(() => givenNodes(['http://a:7700', 'http://a:7700/'], env)).toThrow(/listed twice/);
  expect(() => givenNodes(['http://:secret@a'], env)).toThrow(/MIROIR_NODE_MASTER_KEY/);
  expect(() => givenNodes(['http://'], env)).toThrow(/not a URL/);
});
