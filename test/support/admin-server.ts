// A real admin API on a real socket over a real store; only Temporal is a recording of what was asked of it.
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { buildApp } from '../../proxy/app.js';
import type { ProxyContext } from '../../proxy/context.js';
import { registerAdminRoutes } from '../../proxy/routes/admin.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import type { ApiError } from '../../shared/core/errors.js';
import type { ChangeInput, ChangeOutcome, ChangeStarter, DecisionDetail } from '../../shared/io/changes.js';
import { loadHash } from '../../shared/io/hash.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { openStore } from '../../shared/io/open-store.js';
import type { NodeInput, Store } from '../../shared/io/store.js';
import type { VerificationInput } from '../../shared/io/store-verifications.js';
import type { VerificationStarter } from '../../shared/io/verifications.js';

export class RecordedChanges implements ChangeStarter {
  readonly started: ChangeInput[] = [];
  readonly acted: [string, string | null][] = [];
  readonly details: DecisionDetail[] = [];
  readonly outcomes = new Map<string, ChangeOutcome>();
  /** Thrown by the next call. */
  refusal: ApiError | null = null;

  async start(input: ChangeInput) {
    this.refuse();
    this.started.push(input);
    return { changeId: `change-${this.started.length}`, workflowId: 'miroir/topology/main' };
  }
  async act(action: string, moveId: string | null, detail: DecisionDetail = {}) {
    this.refuse();
    this.acted.push([action, moveId]);
    this.details.push(detail);
    return null;
  }
  /** What the running workflow says; null when none runs. */
  running: unknown = null;
  async progress() {
    return this.running;
  }
  async outcome(changeId: string) {
    return this.outcomes.get(changeId) ?? null;
  }
  async close() {}

  private refuse(): void {
    const refusal = this.refusal;
    this.refusal = null;
    if (refusal) throw refusal;
  }
}

export class RecordedVerifications implements VerificationStarter {
  readonly started: Partial<VerificationInput>[] = [];
  aborted = 0;

  async start(input: Partial<VerificationInput>) {
    this.started.push(input);
    return { verificationId: `verification-${this.started.length}`, workflowId: 'miroir/verify/main' };
  }
  async abort() {
    this.aborted += 1;
  }
}

export interface AdminServer {
  url: string;
  store: Store;
  changes: RecordedChanges;
  verifications: RecordedVerifications;
  /** Nodes that the proxy believes to be down. */
  down: Set<string>;
  /** One request to the admin API. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>;
  close(): Promise<void>;
}

/** Nodes of these names that nobody listens at. */
export function silentNodes(...ids: string[]): NodeInput[] {
  return ids.map((id) => ({ id, url: `http://${id}.test:7700` }));
}

export async function startAdminServer(
  options: { nodes?: NodeInput[]; adminApiKey?: string | null; masterKey?: string | null } = {},
): Promise<AdminServer> {
  const folder = mkdtempSync(join(tmpdir(), 'miroir-admin-'));
  const store = await openStore(`sqlite:${join(folder, 'miroir.db')}`, { thread: false });
  await store.initialize({ clusterId: 'main', replicationFactor: 2, defaultShardCount: 8 });
  for (const node of options.nodes ?? []) {
    await store.addNode(node, { adminKey: null, dataKey: null }, 'test');
    await store.setNodeState(node.id, 'active', 'test');
  }
  const changes = new RecordedChanges();
  const verifications = new RecordedVerifications();
  const down = new Set<string>();
  const unused = () => {
    throw new Error('the admin API does not use this');
  };
  const idle = new NodeClient({ id: 'idle', url: 'http://idle.test', adminKey: null, dataKey: null });
  const ctx: ProxyContext = {
    store,
    watcher: { acquire: unused, refresh: unused },
    nodes: {
      client: () => idle,
      observe: unused,
      cost: (id) => (down.has(id) ? Number.POSITIVE_INFINITY : 1),
    },
    searches: new SearchTurns(),
    hash: await loadHash(),
    options: {
      proxyId: 'proxy-1',
      masterKey: options.masterKey ?? null,
      adminApiKey: options.adminApiKey ?? null,
      searchDeadlineMs: 1_000,
      unavailable: 'error',
      payloadLimitBytes: 1_000_000,
    },
    log: pino({ level: 'silent' }),
  };
  const app = await buildApp(ctx, [
    (instance) => registerAdminRoutes(instance, { ...ctx, changes, verifications }),
  ]);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    store,
    changes,
    verifications,
    down,
    async call(method, path, body) {
      const answer = await fetch(`${url}/_miroir${path}`, {
        method,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      return { status: answer.status, body: await answer.json() };
    },
    async close() {
      await app.close();
      await idle.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}
