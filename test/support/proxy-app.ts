// The proxy's app over a real store without any node that answers, for tests of shapes and errors.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../proxy/app.js';
import type { ProxyContext } from '../../proxy/context.js';
import { TopologyNodePool } from '../../proxy/node-pool.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { LeasedTopology } from '../../proxy/topology-watcher.js';
import { loadHash } from '../../shared/io/hash.js';
import { createLogger } from '../../shared/io/observe.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';

export interface ProxyApp {
  app: FastifyInstance;
  store: Store;
  watcher: LeasedTopology;
  stop(): Promise<void>;
}

/** Starts the app over an empty store with one active node, which nobody listens as. */
export async function startProxyApp(masterKey: string | null): Promise<ProxyApp> {
  const dir = mkdtempSync(join(tmpdir(), 'miroir-app-'));
  const store = await openStore(`sqlite:${join(dir, 'miroir.db')}`, { thread: false });
  await store.initialize({ clusterId: 'test', replicationFactor: 1, defaultShardCount: 4 });
  await store.addNode({ id: 'a', url: 'http://127.0.0.1:9' }, { adminKey: null, dataKey: null }, 'test');
  await store.setNodeState('a', 'active', 'test');
  const log = createLogger({ name: 'test', level: 'silent' });
  const nowMs = () => performance.now();
  const nodes = new TopologyNodePool({
    readSecrets: () => store.readNodeSecrets(),
    fallbackAdminKey: null,
    nowMs,
    log,
  });
  const watcher = new LeasedTopology({
    store,
    clock: { nowMs },
    log,
    proxyId: 'p',
    url: null,
    ttlMs: 60_000,
    graceMs: 1_000,
    onTopology: (topology) => nodes.adopt(topology),
  });
  await watcher.start();
  const ctx: ProxyContext = {
    store,
    watcher,
    nodes,
    searches: new SearchTurns(),
    hash: await loadHash(),
    options: {
      proxyId: 'p',
      masterKey,
      adminApiKey: null,
      searchDeadlineMs: 1_000,
      unavailable: 'error',
      payloadLimitBytes: 10_240,
    },
    log,
  };
  const app = await buildApp(ctx, []);
  return {
    app,
    store,
    watcher,
    async stop() {
      await app.close();
      await watcher.stop();
      await nodes.close();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Confirms the whole journal as the one node's stream would, then finishes the tasks that this proxy has seen. */
export async function deliver(fleet: ProxyApp): Promise<void> {
  const takeover = await fleet.store.takeOverStream('a', 'test');
  const generation = takeover!.generation;
  for (let groups = 0; groups < 20; groups++) {
    const group = await fleet.store.readGroup('a', generation, { entries: 100, bytes: 1_000_000 });
    if (group === null || group.entries.length === 0) break;
    const outcomes = group.entries
      .filter((entry) => !entry.skipped)
      .map(({ seq }) => ({ seq, status: 'succeeded' as const, error: null, details: null }));
    const last = group.entries.at(-1)!.seq;
    await fleet.store.confirmEntries('a', generation, last, outcomes, true);
  }
  for (let round = 0; round < 5; round++) {
    await fleet.store.advanceTasks();
    await fleet.watcher.poll();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about.
export type Body = any;

/** One request; a body that is no text goes as JSON. */
export async function send(
  fleet: ProxyApp,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Body; headers: Record<string, unknown> }> {
  const json = body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body);
  const answer = await fleet.app.inject({
    method: method as 'GET',
    url,
    payload: json ? JSON.stringify(body) : (body as string | undefined),
    headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
  });
  return {
    status: answer.statusCode,
    body: answer.body === '' ? null : JSON.parse(answer.body),
    headers: answer.headers,
  };
}

/** Where Meilisearch documents a code. */
export const link = (code: string) => `https://docs.meilisearch.com/errors#${code}`;
