// The nodes of `miroir up`: the user's own by URL, else Meilisearch processes, else the embedded engine.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { nodeUrlProblem, normalizeNodeUrl } from '../shared/core/node-address.js';
import { findOnPath } from '../shared/io/temporal-binary.js';
import { freePort } from '../shared/io/temporal-server.js';
import type { DataFolder } from './data-folder.js';
import type { Child, Supervisor } from './supervisor.js';

/** A node as `miroir up` knows it. `child` is null for a node that was running before. */
export interface LocalNode {
  id: string;
  url: string;
  /** The node's master key, or null where it runs without one. Never printed. */
  key: string | null;
  child: Child | null;
}

export interface NodeProgram {
  kind: 'meilisearch' | 'engine';
  command: string;
  args: string[];
  /** For the start-up line. */
  description: string;
}

const FIRST_PORT = 7701;
const READY_DEADLINE_MS = 60_000;

/** MIROIR_MEILISEARCH_BIN, else `meilisearch` on PATH, else the embedded engine. */
export async function chooseNodeProgram(env: NodeJS.ProcessEnv = process.env): Promise<NodeProgram> {
  const given = env.MIROIR_MEILISEARCH_BIN;
  const binary = given || (await findOnPath('meilisearch', env));
  if (binary) {
    const from = given ? 'MIROIR_MEILISEARCH_BIN' : 'on PATH';
    return { kind: 'meilisearch', command: binary, args: [], description: `Meilisearch (${from})` };
  }
  return {
    kind: 'engine',
    command: process.execPath,
    args: [fileURLToPath(new URL('../engine/main.js', import.meta.url))],
    description: 'the embedded engine (for trying out, not for production)',
  };
}

/** The user's own nodes: `--nodes URL,URL` with MIROIR_NODE_MASTER_KEY, named after their place in the list. */
export function givenNodes(urls: string[], env: NodeJS.ProcessEnv = process.env): LocalNode[] {
  const seen = new Set<string>();
  return urls.map((text, at) => {
    const full = text.includes('://') ? text : `http://${text}`;
    const problem = nodeUrlProblem(full);
    if (problem !== null) {
      const hint = problem.includes('credentials') ? ', in MIROIR_NODE_MASTER_KEY' : '';
      // A URL with credentials must not be printed.
      throw new Error(hint === '' ? `--nodes: \`${text}\` ${problem}` : `--nodes: a URL ${problem}${hint}`);
    }
    const normal = normalizeNodeUrl(full);
    if (seen.has(normal)) throw new Error(`--nodes: ${normal} is listed twice`);
    seen.add(normal);
    return { id: `n${at + 1}`, url: normal, key: env.MIROIR_NODE_MASTER_KEY || null, child: null };
  });
}

/** Starts one node process of our own, with more settings of Meilisearch where some are given, and waits for it. */
export async function startNode(
  program: NodeProgram,
  id: string,
  folder: DataFolder,
  supervisor: Supervisor,
  settings: Record<string, string> = {},
): Promise<LocalNode> {
  const key = await folder.secret('node-master-key');
  const number = Number(/\d+$/.exec(id)?.[0] ?? 1);
  const home = join(folder.path, 'nodes', id);
  await mkdir(home, { recursive: true });
  const port = await keptPort(join(home, 'port'), FIRST_PORT + number - 1);
  const child = await supervisor.start({
    name: id,
    command: program.command,
    // On the command line, unlike the key: an orphan is recognised by it.
    args: [...program.args, '--db-path', join(home, 'data.ms'), '--http-addr', `127.0.0.1:${port}`],
    cwd: home,
    env: {
      MEILI_DUMP_DIR: join(home, 'dumps'),
      MEILI_SNAPSHOT_DIR: join(home, 'snapshots'),
      MEILI_MASTER_KEY: key,
      MEILI_NO_ANALYTICS: 'true',
      MEILI_LOG_LEVEL: 'WARN',
      MEILI_MAX_INDEXING_MEMORY: process.env.MEILI_MAX_INDEXING_MEMORY ?? indexingMemory(),
      ...settings,
    },
    logFile: folder.logFile(id),
    ready: null,
  });
  const node = { id, url: `http://127.0.0.1:${port}`, key, child };
  await waitForNode(node.url, () => child.pid() !== null, folder.logFile(id));
  return node;
}

/**
 * Meilisearch would take two thirds of the machine for each node, and prepares buffers in proportion for every batch:
 * a batch of one document then takes a second instead of a tenth.
 */
function indexingMemory(): string {
  const mebibytes = Math.floor(totalmem() / 2 ** 20 / 16);
  return `${Math.max(64, Math.min(512, mebibytes))}MiB`;
}

/** A node's URL is part of the topology: once chosen, its port stays. */
async function keptPort(file: string, preferred: number): Promise<number> {
  const stored = Number(await readFile(file, 'utf8').catch(() => ''));
  const port = await freePort(stored || preferred);
  if (stored && port !== stored) {
    throw new Error(`port ${stored} is taken, and the node that is known there must start on it; free it`);
  }
  await writeFile(file, `${port}\n`);
  return port;
}

/** Waits until `/health` of a node answers. */
export async function waitForNode(
  url: string,
  isAlive: () => boolean,
  logFile: string | null,
): Promise<void> {
  const until = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    try {
      const answer = await request(`${url}/health`, { headersTimeout: 2_000, bodyTimeout: 2_000 });
      await answer.body.dump();
      if (answer.statusCode === 200) return;
    } catch {
      // Not there yet; the deadline decides.
    }
    const where = logFile === null ? '' : `; see ${logFile}`;
    if (!isAlive()) throw new Error(`the node at ${url} ended while starting${where}`);
    if (performance.now() > until) throw new Error(`the node at ${url} does not answer${where}`);
    await sleep(50);
  }
}
