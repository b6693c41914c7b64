// A whole fleet on one machine: Temporal, nodes, worker and proxy, started in order and stopped in reverse.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../shared/io/config.js';
import { freePort, startTemporal, type TemporalServer } from '../shared/io/temporal-server.js';
import { Api } from './admin-api.js';
import type { DataFolder } from './data-folder.js';
import { nodeFlags } from './node-flags.js';
import { chooseNodeProgram, type LocalNode, type NodeProgram, startNode, waitForNode } from './nodes.js';
import type { Output } from './output.js';
import { type Child, Supervisor } from './supervisor.js';

export interface FleetOptions {
  config: Config;
  folder: DataFolder;
  output: Output;
  /** The user's own nodes; empty starts `nodeCount` of ours. */
  given: LocalNode[];
  nodeCount: number;
  /** Further settings for worker and proxy, by their MIROIR_* names. */
  settings?: Record<string, string>;
}

const TEMPORAL_PORT = 7233;
const TEMPORAL_UI_PORT = 8233;
/** Draining a worker lets its activities hand over; its own grace is shorter than this. */
const WORKER_STOP_DEADLINE_MS = 20_000;

export class Fleet {
  readonly nodes: LocalNode[] = [];
  program: NodeProgram | null = null;
  temporal: TemporalServer | null = null;
  proxyUrl = '';
  readonly supervisor: Supervisor;
  private reference: LocalNode | null = null;
  private worker: Child | null = null;
  private proxy: Child | null = null;
  private adminKey: string | null = null;
  private masterKey: string | null = null;
  private stopped: Promise<void> | null = null;

  constructor(private readonly options: FleetOptions) {
    this.supervisor = new Supervisor((line) => options.output.warn(line), options.folder.processes.remember);
  }

  /** Starts everything. Throws with a readable reason; the caller then stops what runs already. */
  async start(): Promise<void> {
    const { config, folder, output, given } = this.options;
    this.masterKey = config.masterKey;
    this.adminKey = config.adminApiKey ?? config.masterKey ?? (await folder.secret('admin-api-key'));
    await folder.writeCredentials(this.adminKey);
    const orphans = await folder.processes.endOrphans();
    if (orphans.length > 0)
      output.line(`Ended what an earlier start had left running: ${orphans.join(', ')}`);
    this.temporal = await startTemporal({
      dbFile: join(folder.path, 'temporal.db'),
      port: TEMPORAL_PORT,
      uiPort: TEMPORAL_UI_PORT,
      progress: output.line,
    });
    output.line(`Temporal: ${this.temporal.description} at ${this.temporal.address}`);
    this.watchTemporal(this.temporal);
    if (given.length > 0) {
      for (const node of given) await waitForNode(node.url, () => true, null);
      this.nodes.push(...given);
    } else {
      this.program = await chooseNodeProgram();
      output.line(`Nodes:    ${this.options.nodeCount} of ${this.program.description}`);
      for (let at = 1; at <= this.options.nodeCount; at += 1) await this.startNode(`n${at}`);
    }
    await Promise.all([this.startWorker(), this.startProxy()]);
    this.sayMovedPorts();
  }

  /** Starts one more node of our own; it is not part of the fleet before it is added. */
  async startNode(id: string): Promise<LocalNode> {
    const { folder } = this.options;
    this.program ??= await chooseNodeProgram();
    const node = await startNode(this.program, id, folder, this.supervisor);
    this.nodes.push(node);
    return node;
  }

  /** A standalone node that the fleet never hears of, for comparing answers. */
  async startReference(): Promise<LocalNode> {
    this.program ??= await chooseNodeProgram();
    this.reference = await startNode(this.program, 'reference', this.options.folder, this.supervisor);
    return this.reference;
  }

  /** A worker process; there is one at a time. */
  async startWorker(): Promise<void> {
    this.worker = await this.supervisor.start({
      name: 'worker',
      command: process.execPath,
      args: this.programArgs('worker'),
      env: this.programEnv(),
      logFile: this.options.folder.logFile('worker'),
      ready: (line) => line.worker === 'ready',
      readyDeadlineMs: 120_000,
      stopDeadlineMs: WORKER_STOP_DEADLINE_MS,
    });
  }

  /** kill -9, as a power cut would; nothing starts it again by itself. */
  async killWorker(): Promise<number | null> {
    const pid = this.worker?.pid() ?? null;
    await this.worker?.kill();
    this.worker = null;
    return pid;
  }

  get folder(): DataFolder {
    return this.options.folder;
  }

  /** A client of the proxy as users have it. */
  userApi(): Api {
    return new Api(this.proxyUrl, this.masterKey);
  }

  /** A client of the admin API. */
  adminApi(): Api {
    return new Api(this.proxyUrl, this.adminKey);
  }

  /** Stops everything in order: no new requests, worker drained, nodes, then Temporal. */
  stop(): Promise<void> {
    this.stopped ??= this.stopInOrder();
    return this.stopped;
  }

  /** Ends everything at once. */
  kill(): void {
    this.supervisor.killAll();
    this.temporal?.kill();
  }

  private async stopInOrder(): Promise<void> {
    this.supervisor.beginStop();
    await this.proxy?.stop();
    await this.worker?.stop();
    const nodes = [...this.nodes, ...(this.reference ? [this.reference] : [])];
    await Promise.all(nodes.map((node) => node.child?.stop()));
    const temporal = this.temporal;
    this.temporal = null;
    await temporal?.stop();
    await this.options.folder.release();
  }

  private async startProxy(): Promise<void> {
    const { config, folder } = this.options;
    const port = await freePort(config.port);
    this.proxyUrl = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
    this.proxy = await this.supervisor.start({
      name: 'proxy',
      command: process.execPath,
      args: this.programArgs('proxy'),
      env: { ...this.programEnv(), MIROIR_PORT: String(port), MIROIR_HOST: config.host },
      logFile: folder.logFile('proxy'),
      ready: (line) => 'listening' in line,
    });
  }

  /** The program's compiled main file; the folder, which it does not read, says in a process list whose it is. */
  private programArgs(program: 'proxy' | 'worker'): string[] {
    const main = fileURLToPath(new URL(`../${program}/main.js`, import.meta.url));
    return [...nodeFlags(program), main, `--data-dir=${this.options.folder.path}`];
  }

  private programEnv(): Record<string, string> {
    const { config, folder, settings } = this.options;
    const env: Record<string, string> = {
      MIROIR_DATA_DIR: folder.path,
      MIROIR_STORE_URL: config.storeUrl,
      TEMPORAL_ADDRESS: this.temporal?.address ?? config.temporalAddress,
      ...settings,
    };
    // A replication factor above the number of nodes could never be met.
    const nodeCount = Math.max(1, this.nodes.length);
    env.MIROIR_REPLICATION_FACTOR ??= String(Math.min(config.replicationFactor, nodeCount));
    if (this.adminKey !== null) env.MIROIR_ADMIN_API_KEY = this.adminKey;
    if (this.masterKey !== null) env.MIROIR_MASTER_KEY = this.masterKey;
    return env;
  }

  /** Our own Temporal server that ends by itself is started again on the same port and database. */
  private watchTemporal(server: TemporalServer): void {
    const { folder } = this.options;
    if (server.pid !== null) folder.processes.remember('temporal', server.pid, server.commandLine);
    void server.ended.then(async (code) => {
      if (this.temporal !== server) return;
      this.options.output.warn(`the Temporal server ended with ${code}; starting it again`);
      const { output } = this.options;
      const again = await startTemporal({
        dbFile: join(folder.path, 'temporal.db'),
        port: Number(server.address.split(':').at(-1)),
        uiPort: server.uiUrl === null ? null : Number(new URL(server.uiUrl).port),
        progress: output.line,
      }).catch((error: Error) => output.warn(error.message));
      if (!again) return;
      if (this.temporal !== server) return again.kill();
      this.temporal = again;
      this.watchTemporal(again);
    });
  }

  private sayMovedPorts(): void {
    const { config, output } = this.options;
    const proxyPort = Number(new URL(this.proxyUrl).port);
    if (config.port !== 0 && proxyPort !== config.port) {
      output.warn(`port ${config.port} is taken; the proxy listens on ${proxyPort}`);
    }
    const { uiUrl, pid, address } = this.temporal!;
    if (pid !== null && !address.endsWith(`:${TEMPORAL_PORT}`)) {
      output.warn(`port ${TEMPORAL_PORT} is taken; Temporal listens on ${address}`);
    }
    if (uiUrl !== null && !uiUrl.endsWith(`:${TEMPORAL_UI_PORT}`)) {
      output.warn(`port ${TEMPORAL_UI_PORT} is taken; Temporal's Web UI is at ${uiUrl}`);
    }
  }
}
