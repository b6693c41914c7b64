// A whole fleet of real processes for a test: nodes, worker, proxy, with a folder, store and task queue of its own.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import type { TaskView } from '../../shared/core/tasks.js';
import { type NodeProcess, startNode, waitForHealth } from './node-process.js';
import { NO_POSTGRES, PostgresServer } from './postgres-server.js';
import { freePort, TestProcess } from './process.js';
import { isWritable } from './sqlite-lock.js';

export interface ClusterOptions {
  nodes?: number;
  replicationFactor?: number;
  shardCount?: number;
  masterKey?: string | null;
  /** Where the state is kept: one SQLite file, or a PostgreSQL server of the fleet's own. */
  store?: 'sqlite' | 'postgres';
  /** More configuration for worker and proxies, as MIROIR_* variables. */
  env?: Record<string, string>;
}

export interface Answer<T = unknown> {
  status: number;
  headers: Headers;
  /** The body as JSON, or null when it is none. */
  body: T;
  text: string;
}

export interface RequestOptions {
  method?: string;
  /** An object is sent as JSON, a string as it is. */
  body?: unknown;
  contentType?: string;
  headers?: Record<string, string>;
  /** Which proxy to ask; the first by default. */
  proxy?: string;
}

/** What a member of the fleet is called: `proxy`, `worker`, or a node's id. */
export type MemberName = string;

/** What a busy machine may take; reached only when something is broken. */
const DEADLINE_MS = 400_000;

const DIST = resolve(import.meta.dirname, '../../dist');

export class Cluster {
  readonly id = `t${randomBytes(4).toString('hex')}`;
  readonly dir = mkdtempSync(join(tmpdir(), 'miroir-e2e-'));
  readonly adminKey = randomBytes(16).toString('hex');
  readonly nodes = new Map<string, NodeProcess>();
  private readonly members = new Map<MemberName, TestProcess>();
  private readonly urls = new Map<string, string>();
  /** The server of a fleet with `store: 'postgres'`. */
  postgres: PostgresServer | null = null;
  private nextNode = 1;

  constructor(
    readonly temporalAddress: string,
    readonly options: ClusterOptions,
  ) {}

  get taskQueue(): string {
    return `miroir-${this.id}`;
  }

  /** The first proxy's address. */
  get url(): string {
    return this.urls.get('proxy')!;
  }

  get storeUrl(): string {
    return this.postgres?.url() ?? `sqlite:${join(this.dir, 'miroir.db')}`;
  }

  /** A proxy's address. */
  urlOf(proxy: MemberName): string {
    return this.urls.get(proxy)!;
  }

  /** The configuration that worker, proxies and the CLI of this fleet share. */
  get env(): Record<string, string> {
    const { replicationFactor = 2, shardCount = 8, masterKey } = this.options;
    return {
      MIROIR_STORE_URL: this.storeUrl,
      MIROIR_DATA_DIR: this.dir,
      MIROIR_CLUSTER_ID: this.id,
      MIROIR_REPLICATION_FACTOR: String(replicationFactor),
      MIROIR_DEFAULT_SHARD_COUNT: String(shardCount),
      MIROIR_TASK_QUEUE: this.taskQueue,
      MIROIR_ADMIN_API_KEY: this.adminKey,
      TEMPORAL_ADDRESS: this.temporalAddress,
      ...(masterKey ? { MIROIR_MASTER_KEY: masterKey } : {}),
      ...this.options.env,
    };
  }

  /** Starts everything and adds the nodes. */
  async start(): Promise<void> {
    await this.startStore();
    const proxyUp = this.startProxy('proxy');
    const worker = this.startWorker('worker');
    const nodes = Array.from({ length: this.options.nodes ?? 3 }, () => this.spawnNode());
    await Promise.all([proxyUp, worker, ...nodes]);
    await this.addNode(...[...this.nodes.keys()].sort());
  }

  /** Before any other member. */
  async startStore(): Promise<void> {
    if (this.options.store !== 'postgres') return;
    this.postgres = await PostgresServer.start();
    if (this.postgres === null) throw new Error(NO_POSTGRES);
  }

  /** `fault` names the step at which it ends or stops itself, as in `copy.chunk@2=kill`. */
  async startWorker(name: MemberName = 'worker', fault?: string): Promise<void> {
    const child = this.member(name, 'worker/main.js', fault === undefined ? {} : { MIROIR_FAULT: fault });
    child.start();
    // The bundle of the workflows takes seconds on a busy machine.
    const ready = child.waitForLine((line) => (line.includes('"ready"') ? true : null), DEADLINE_MS);
    // One with a fault may come to it before it is ready.
    await (fault === undefined ? ready : Promise.race([ready, child.ended]));
  }

  async startProxy(name: MemberName = 'proxy', env: Record<string, string> = {}): Promise<void> {
    const port = await freePort();
    this.urls.set(name, `http://127.0.0.1:${port}`);
    await this.launchProxy(this.member(name, 'proxy/main.js', { MIROIR_PORT: String(port), ...env }));
  }

  /** Starts a node that does not belong to the fleet yet. */
  async spawnNode(): Promise<NodeProcess> {
    const id = `node-${this.nextNode++}`;
    const masterKey = randomBytes(16).toString('hex');
    const node = await startNode({ id, dir: this.dir, masterKey });
    this.nodes.set(id, node);
    this.members.set(id, node.process);
    return node;
  }

  /** Adds nodes in one change through the admin API and waits until it is done. */
  async addNode(...ids: string[]): Promise<void> {
    await this.addNodeWith(ids, {});
  }

  async addNodeWith(
    ids: string[],
    options: Record<string, unknown>,
    deadlineMs = DEADLINE_MS,
  ): Promise<void> {
    const nodes = ids.map((id) => {
      const { url, masterKey } = this.nodes.get(id)!;
      return { id, url, key: masterKey };
    });
    const { changeId } = await this.admin<{ changeId: string }>('POST', '/_miroir/nodes', {
      nodes,
      ...options,
    });
    await this.waitChange(changeId, deadlineMs);
  }

  async removeNode(id: string, options: Record<string, string | number> = {}): Promise<void> {
    const query = new URLSearchParams(
      Object.entries(options).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const { changeId } = await this.admin<{ changeId: string }>('DELETE', `/_miroir/nodes/${id}?${query}`);
    await this.waitChange(changeId);
  }

  /** Waits until a topology change is done; fails when it fails. */
  async waitChange(changeId: string, deadlineMs = DEADLINE_MS): Promise<void> {
    let last = '';
    const seen = () => `change ${changeId}: ${last}`;
    await this.until(seen, deadlineMs, async () => {
      const view = await this.admin<{ change: { status: string } | null; error?: string | null }>(
        'GET',
        `/_miroir/rebalance/${changeId}`,
      );
      const status = view.change?.status;
      last = JSON.stringify(view).slice(0, 6_000);
      if (status === 'failed' || status === 'aborted') {
        throw new Error(`change ${changeId} is ${status}: ${view.error}`);
      }
      return status === 'done' ? true : null;
    });
  }

  /** One call of the admin API; throws for a status of 400 and above. */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${this.adminKey}` };
    const answer = await this.request<T & { message?: string }>(path, { method, body, headers });
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** One request to a proxy, with the master key unless a header says otherwise. */
  async request<T = unknown>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const { body, masterKey } = { body: options.body, masterKey: this.options.masterKey };
    const headers: Record<string, string> = {};
    if (masterKey) headers.authorization = `Bearer ${masterKey}`;
    if (body !== undefined) headers['content-type'] = options.contentType ?? 'application/json';
    const answer = await fetch(`${this.urls.get(options.proxy ?? 'proxy')}${path}`, {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...headers, ...options.headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    let parsed: unknown = null;
    try {
      parsed = JSON.parse(text);
    } catch {
      // An answer without a JSON body.
    }
    return { status: answer.status, headers: answer.headers, body: parsed as T, text };
  }

  /** Sends a write, expects 202 and waits for its task. */
  async write(path: string, options: RequestOptions): Promise<TaskView> {
    const answer = await this.request<{ taskUid: number }>(path, options);
    if (answer.status !== 202) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return this.waitTask(answer.body.taskUid);
  }

  /** Waits until a task is terminal, whatever its outcome. */
  async waitTask(uid: number, deadlineMs = DEADLINE_MS): Promise<TaskView> {
    return this.until(`task ${uid}`, deadlineMs, async () => {
      const answer = await this.request<TaskView>(`/tasks/${uid}`);
      if (answer.status !== 200) throw new Error(`task ${uid}: ${answer.status} ${answer.text}`);
      return ['succeeded', 'failed', 'canceled'].includes(answer.body.status) ? answer.body : null;
    });
  }

  /** Ends a member: at once by default, in order with SIGTERM. Answers its exit code, null after a signal. */
  async kill(name: MemberName, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    return this.find(name).end(signal);
  }

  /** Waits until a member has ended by itself. */
  async waitForEnd(name: MemberName, deadlineMs = DEADLINE_MS): Promise<void> {
    await this.until(`the end of ${name}`, deadlineMs, async () =>
      this.find(name).isRunning() ? null : true,
    );
  }

  /** Waits until a member has written a line that contains the text. */
  async waitForLog(name: MemberName, text: string, deadlineMs = DEADLINE_MS): Promise<void> {
    await this.until(`"${text}" from ${name}`, deadlineMs, async () =>
      this.find(name).lines.some((line) => line.includes(text)) ? true : null,
    );
  }

  /**
   * Stops a process that a fault holds at its point. Again while it holds the store's write lock: a stopped owner of
   * that lock stops every other process of the host, which is a limit of the embedded store (docs/architecture.md).
   */
  async freeze(name: MemberName): Promise<void> {
    await this.until(`${name} outside of a transaction`, 10_000, async () => {
      this.signal(name, 'SIGSTOP');
      await sleep(20);
      if (isWritable(join(this.dir, 'miroir.db'))) return true;
      this.signal(name, 'SIGCONT');
      return null;
    });
  }

  /** Lets a frozen process go on from its point. */
  thaw(name: MemberName): void {
    this.signal(name, 'SIGCONT');
    this.signal(name, 'SIGUSR2');
  }

  /** Sends a signal and does not wait, for SIGSTOP and SIGCONT. */
  signal(name: MemberName, signal: NodeJS.Signals): void {
    this.find(name).signal(signal);
  }

  pidOf(name: MemberName): number | null {
    return this.find(name).pid;
  }

  /** Starts a member again with its data and address, ending it first if need be. */
  async restart(name: MemberName, deadlineMs = DEADLINE_MS): Promise<void> {
    const child = this.find(name);
    await child.end();
    const node = this.nodes.get(name);
    if (node !== undefined) {
      child.start();
      await waitForHealth(node.url, child, deadlineMs);
    } else if (this.urls.has(name)) {
      await this.launchProxy(child);
    } else {
      await this.startWorker(name);
    }
  }

  /** Ends every process of this fleet and removes its folder. */
  async stop(): Promise<void> {
    const order = (name: string) => (this.urls.has(name) ? 0 : this.nodes.has(name) ? 2 : 1);
    const names = [...this.members.keys()].sort((a, b) => order(a) - order(b));
    for (const rank of [0, 1, 2]) {
      const group = names.filter((name) => order(name) === rank);
      for (const name of group) this.find(name).signal('SIGCONT');
      await Promise.all(group.map((name) => this.find(name).end(rank === 2 ? 'SIGKILL' : 'SIGTERM', 8_000)));
    }
    await this.postgres?.stop();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }

  /** The last log lines of every process. */
  tails(): string {
    return [...this.members.values()].map((child) => child.tail(25)).join('\n');
  }

  /** Polls until `probe` answers something; the logs come with the error when it never does. */
  async until<T>(
    what: string | (() => string),
    deadlineMs: number,
    probe: () => Promise<T | null>,
  ): Promise<T> {
    const untilMs = performance.now() + deadlineMs;
    for (let delayMs = 5; ; delayMs = Math.min(delayMs * 1.5, 200)) {
      const found = await probe();
      if (found !== null) return found;
      if (performance.now() > untilMs)
        throw new Error(`${typeof what === 'string' ? what : what()} took too long\n${this.tails()}`);
      await sleep(delayMs);
    }
  }

  private member(name: MemberName, program: string, env: Record<string, string>): TestProcess {
    const known = this.members.get(name);
    if (known !== undefined) return known;
    const child = new TestProcess({
      name,
      command: process.execPath,
      args: [join(DIST, program)],
      env: { ...this.env, ...env },
      cwd: this.dir,
    });
    this.members.set(name, child);
    return child;
  }

  private async launchProxy(child: TestProcess): Promise<void> {
    child.start();
    await child.waitForLine((line) => (line.startsWith('{"listening"') ? true : null), DEADLINE_MS);
  }

  private find(name: MemberName): TestProcess {
    const child = this.members.get(name);
    if (child === undefined) throw new Error(`no member is called ${name}`);
    return child;
  }
}

/** Starts a fleet; what was started is ended again when the start fails. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new Cluster(inject('temporalAddress'), options);
  try {
    await cluster.start();
  } catch (error) {
    const tails = cluster.tails();
    await cluster.stop();
    throw new Error(
      `the cluster did not start: ${error instanceof Error ? error.message : error}\n${tails}`,
      {
        cause: error,
      },
    );
  }
  return cluster;
}

/** A fleet for all tests of the enclosing block; prints the logs after a failed test. */
export function useCluster(options: ClusterOptions = {}): () => Cluster {
  let cluster: Cluster | null = null;
  beforeAll(async () => {
    cluster = await startCluster(options);
  }, DEADLINE_MS);
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`${cluster?.tails()}\n`);
  });
  afterAll(async () => {
    await cluster?.stop();
    cluster = null;
  }, 60_000);
  return () => cluster!;
}
