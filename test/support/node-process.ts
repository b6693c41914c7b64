// One node as its own OS process: a real Meilisearch when MIROIR_MEILISEARCH_BIN names one, else the embedded engine.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, TestProcess } from './process.js';

export interface NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly masterKey: string;
  readonly process: TestProcess;
}

/** True when the tests run on a real Meilisearch. */
export const onRealMeilisearch = (process.env.MIROIR_MEILISEARCH_BIN ?? '') !== '';

/** Starts a node with its data under `dir` and waits until it answers. */
export async function startNode(options: {
  id: string;
  dir: string;
  masterKey: string;
  /** More of Meilisearch's own variables. */
  env?: Record<string, string>;
}): Promise<NodeProcess> {
  const { id, masterKey } = options;
  const port = await freePort();
  const dir = join(options.dir, id);
  mkdirSync(dir, { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  const address = ['--db-path', join(dir, 'data'), '--http-addr', `127.0.0.1:${port}`];
  const child = onRealMeilisearch
    ? new TestProcess({
        name: id,
        command: process.env.MIROIR_MEILISEARCH_BIN!,
        args: [
          ...address,
          '--no-analytics',
          '--dump-dir',
          join(dir, 'dumps'),
          '--snapshot-dir',
          join(dir, 'snapshots'),
        ],
        // Several nodes share the test machine: its threads, and buffers in proportion to memory (see up/nodes.ts).
        env: {
          MEILI_MASTER_KEY: masterKey,
          MEILI_LOG_LEVEL: 'WARN',
          MEILI_MAX_INDEXING_THREADS: '1',
          MEILI_MAX_INDEXING_MEMORY: '128MiB',
          ...options.env,
        },
        cwd: dir,
      })
    : new TestProcess({
        name: id,
        command: process.execPath,
        args: [resolve(import.meta.dirname, '../../dist/engine/main.js'), ...address],
        env: { MEILI_MASTER_KEY: masterKey },
        cwd: dir,
      });
  child.start();
  await waitForHealth(url, child);
  return { id, url, masterKey, process: child };
}

/** Waits until something at the URL answers /health with 200. */
export async function waitForHealth(url: string, child: TestProcess, deadlineMs = 120_000): Promise<void> {
  const untilMs = performance.now() + deadlineMs;
  for (;;) {
    try {
      const answer = await fetch(`${url}/health`);
      await answer.arrayBuffer();
      if (answer.status === 200) return;
    } catch {
      // Not listening yet.
    }
    if (!child.isRunning()) throw new Error(`${child.name} ended while starting\n${child.tail()}`);
    if (performance.now() > untilMs) throw new Error(`${child.name} does not answer\n${child.tail()}`);
    await sleep(50);
  }
}
