// The embedded engine as a process of its own, compiled from these sources, and a plain client for one node.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TestProcess } from './process.js';

const ROOT = resolve(import.meta.dirname, '../..');

export interface CompiledEngine {
  main: string;
  remove: () => void;
}

/** Compiles the engine into a folder of its own: a stale `dist` must not be what is tested. `npm test` has a fresh one. */
export async function compileEngine(): Promise<CompiledEngine> {
  if (process.env.MIROIR_TEST_SKIP_BUILD === '1')
    return { main: join(ROOT, 'dist/engine/main.js'), remove: () => {} };
  mkdirSync(join(ROOT, '.miroir'), { recursive: true });
  const directory = mkdtempSync(join(ROOT, '.miroir', 'engine-'));
  const project = join(directory, 'tsconfig.json');
  writeFileSync(
    project,
    JSON.stringify({
      extends: '../../tsconfig.build.json',
      compilerOptions: { outDir: '.', rootDir: '../..' },
      include: ['../../engine'],
    }),
  );
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [compiler, '-p', project]);
  const main = join(directory, 'engine/main.js');
  if (!existsSync(main)) throw new Error('the engine did not compile');
  return { main, remove: () => rmSync(directory, { recursive: true }) };
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers as they come
export type Json = any;

export interface NodeAnswer {
  status: number;
  text: string;
  json: Json;
}

/** Sends one request to a node; a string body goes as it is. */
export async function ask(
  url: string,
  method: string,
  path: string,
  options: { body?: unknown; key?: string | null; type?: string } = {},
): Promise<NodeAnswer> {
  const headers: Record<string, string> = {};
  if (options.key) headers.authorization = `Bearer ${options.key}`;
  if (options.body !== undefined) headers['content-type'] = options.type ?? 'application/json';
  const body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body);
  const answer = await fetch(url + path, { method, headers, body });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : null,
  };
}

/** Waits until a task is finished. */
export async function finished(url: string, taskUid: number, key: string | null = null): Promise<Json> {
  for (;;) {
    const { json } = await ask(url, 'GET', `/tasks/${taskUid}`, { key });
    if (json.status === 'succeeded' || json.status === 'failed') return json;
    await sleep(5);
  }
}

/** Sends a write and waits for its task. */
export async function write(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  key: string | null = null,
): Promise<Json> {
  const { status, json, text } = await ask(url, method, path, { body, key });
  if (status !== 202) throw new Error(`${method} ${path}: ${status} ${text}`);
  return finished(url, json.taskUid, key);
}

/** Starts a compiled engine on a free port. */
export async function startEngine(
  engine: CompiledEngine,
  options: { dbPath: string; masterKey?: string; faults?: boolean },
): Promise<{ url: string; process: TestProcess }> {
  const env: Record<string, string> = {};
  if (options.masterKey) env.MEILI_MASTER_KEY = options.masterKey;
  if (options.faults) env.MIROIR_ENGINE_FAULTS = '1';
  const child = new TestProcess({
    name: 'engine',
    command: process.execPath,
    args: [engine.main, '--db-path', options.dbPath, '--http-addr', '127.0.0.1:0'],
    env,
  });
  child.start();
  const url = await child.waitForLine(
    (line) => (line.startsWith('{') ? JSON.parse(line).listening : null),
    20_000,
  );
  return { url, process: child };
}
