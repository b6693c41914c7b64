// A fleet of its own for each case, in a throw-away folder, with a probe in proxy and worker.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../shared/io/config.js';
import { NodeClient } from '../shared/io/node-client.js';
import type { Api } from '../up/admin-api.js';
import { openDataFolder } from '../up/data-folder.js';
import { Fleet } from '../up/fleet.js';
import { joinNodes } from '../up/join.js';
import type { LocalNode } from '../up/nodes.js';
import type { Output } from '../up/output.js';
import type { Usage } from './probe.js';
import { probeEnvironment, readUsage } from './usage.js';

export interface BenchFleetOptions {
  nodeCount: number;
  replicationFactor: number;
  shardCount?: number;
  output: Output;
}

const POLL_MS = 20;

/** Fleets that run now, for an end before time. */
const running = new Set<Fleet>();

/** Ends at once what runs: after Ctrl-C nothing stays behind. */
export function killFleets(): void {
  for (const fleet of running) fleet.kill();
}

export class BenchFleet {
  private constructor(
    readonly fleet: Fleet,
    readonly folder: string,
    readonly api: Api,
    private readonly pids: Map<string, number>,
    private readonly clients: NodeClient[],
  ) {}

  /** Starts nodes, worker and proxy, and brings the nodes into the fleet. */
  static async start(options: BenchFleetOptions): Promise<BenchFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'miroir-bench-'));
    const settings: Record<string, string> = {
      MIROIR_DATA_DIR: folder,
      MIROIR_PORT: '0',
      MIROIR_REPLICATION_FACTOR: String(options.replicationFactor),
      MIROIR_DEFAULT_SHARD_COUNT: String(options.shardCount ?? 64),
      MIROIR_LOG_LEVEL: 'warn',
    };
    const config = loadConfig({ env: settings, cwd: folder });
    const data = await openDataFolder(folder);
    const pids = new Map<string, number>();
    const processes = {
      ...data.processes,
      remember(name: string, pid: number, commandLine: string) {
        pids.set(name, pid);
        data.processes.remember(name, pid, commandLine);
      },
    };
    const fleet = new Fleet({
      config,
      folder: { ...data, processes },
      output: options.output,
      given: [],
      nodeCount: options.nodeCount,
      settings: { ...settings, ...probeEnvironment(folder) },
    });
    running.add(fleet);
    try {
      await fleet.start();
      await joinNodes(fleet, options.output);
    } catch (error) {
      await fleet.stop();
      running.delete(fleet);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return new BenchFleet(fleet, folder, fleet.userApi(), pids, []);
  }

  /** A client with the admin key of a node, for what goes past the proxy. */
  node(at: number): { node: LocalNode; client: NodeClient } {
    const node = this.fleet.nodes[at]!;
    const client = new NodeClient({ id: node.id, url: node.url, adminKey: node.key, dataKey: null });
    this.clients.push(client);
    return { node, client };
  }

  /** What an index is called on a node. */
  async physicalName(at: number, uid: string): Promise<string> {
    const { client } = this.node(at);
    const { results } = await client.json<{ results: { uid: string }[] }>({
      method: 'GET',
      path: '/indexes?limit=1000',
    });
    const found = results.find((index) => index.uid.startsWith(`${uid}--`));
    if (found === undefined) throw new Error(`node ${at} does not have the index ${uid}`);
    return found.uid;
  }

  /** Sends a write to the proxy and answers the task's uid. */
  async write(method: 'POST' | 'PUT' | 'PATCH', path: string, body: unknown): Promise<number> {
    return (await this.api.json<{ taskUid: number }>(method, path, body)).taskUid;
  }

  /** Waits until a task of the proxy has succeeded. */
  async waitForTask(uid: number): Promise<void> {
    for (;;) {
      const task = await this.api.json<{ status: string; error: unknown }>('GET', `/tasks/${uid}`);
      if (task.status === 'succeeded') return;
      if (task.status === 'failed') throw new Error(`task ${uid} failed: ${JSON.stringify(task.error)}`);
      await sleep(POLL_MS);
    }
  }

  /** Puts all batches into an index and waits until they can be found. */
  async fill(uid: string, batches: readonly string[]): Promise<void> {
    await this.waitForTask(await this.write('POST', '/indexes', { uid, primaryKey: 'id' }));
    let last = 0;
    for (const batch of batches) last = await this.write('POST', `/indexes/${uid}/documents`, batch);
    await this.waitForTask(last);
  }

  usage(name: string): Promise<Usage> {
    const pid = this.pids.get(name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    return readUsage(this.folder, pid);
  }

  /** Starts the yardstick in front of a node; answers its address. */
  async startPassThrough(at: number): Promise<string> {
    const node = this.fleet.nodes[at]!;
    let url = '';
    await this.fleet.supervisor.start({
      name: 'pass-through',
      command: process.execPath,
      args: [fileURLToPath(new URL('./pass-through.js', import.meta.url))],
      env: {
        ...probeEnvironment(this.folder),
        BENCH_NODE_URL: node.url,
        BENCH_NODE_KEY: node.key ?? '',
      },
      logFile: join(this.folder, 'logs', 'pass-through.log'),
      ready: (line) => {
        if (typeof line.listening !== 'string') return false;
        url = line.listening;
        return true;
      },
    });
    return url;
  }

  async stop(): Promise<void> {
    await this.api.close();
    await Promise.all(this.clients.map((client) => client.close()));
    await this.fleet.stop();
    this.fleet.supervisor.killAll();
    running.delete(this.fleet);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
