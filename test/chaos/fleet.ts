// The fleet under chaos: real processes of one cluster, with a Temporal server that can be killed too.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Topology } from '../../shared/core/topology.js';
import { startTemporal, type TemporalServer } from '../../shared/io/temporal-server.js';
import { createRandom } from '../../up/tour/random.js';
import { Cluster } from '../support/cluster.js';
import type { NodeProcess } from '../support/node-process.js';
import { ChaosClient } from './client.js';

export interface FleetSize {
  nodes: number;
  proxies: number;
  workers: number;
  shardCount: number;
  store?: 'sqlite' | 'postgres';
}

export interface ChangeView {
  change: { id: string; kind: string; status: string; plannedAt?: string | null } | null;
  error?: string | null;
  moves: { id: string; phase: string }[];
}

/** A change that only keeps sources for a rollback has ended for everybody else. */
export const ENDED = new Set(['done', 'retaining', 'rolled-back', 'failed', 'aborted']);

/** What anything may take on a busy machine before it counts as stuck. */
export const STUCK_MS = 300_000;

export class ChaosFleet {
  /** The proxies that clients know, by name. */
  readonly proxies = new Map<string, string>();
  readonly workers = new Set<string>();
  readonly admin: ChaosClient;
  private nextName = 1;
  private spare: Promise<NodeProcess> | null = null;

  private constructor(
    readonly cluster: Cluster,
    private temporal: TemporalServer,
    private readonly temporalDir: string,
    private readonly seed: number,
  ) {
    this.admin = this.client(cluster.adminKey);
  }

  static async start(size: FleetSize, seed: number, env: Record<string, string>): Promise<ChaosFleet> {
    const dir = mkdtempSync(join(tmpdir(), 'miroir-chaos-'));
    const temporal = await startTemporal({ dbFile: join(dir, 'temporal.db'), uiPort: null });
    const { shardCount, store } = size;
    const cluster = new Cluster(temporal.address, { replicationFactor: 2, shardCount, store, env });
    const fleet = new ChaosFleet(cluster, temporal, dir, seed);
    try {
      await cluster.startStore();
      for (let at = 0; at < size.proxies; at += 1) await fleet.addProxy();
      for (let at = 0; at < size.workers; at += 1) await fleet.addWorker();
      const nodes = await Promise.all(Array.from({ length: size.nodes }, () => cluster.spawnNode()));
      const added = { nodes: nodes.map(({ id }) => fleet.nodeInput(id)) };
      await fleet.waitForChange(await fleet.startChange('POST', '/_miroir/nodes', added));
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /** A client that knows all proxies. */
  client(key: string | null = null): ChaosClient {
    return new ChaosClient(() => [...this.proxies.values()], createRandom(this.seed + this.nextName++), key);
  }

  async addProxy(): Promise<string> {
    const name = `proxy-${this.nextName++}`;
    await this.cluster.startProxy(name);
    this.proxies.set(name, this.cluster.urlOf(name));
    return name;
  }

  async addWorker(): Promise<string> {
    const name = `worker-${this.nextName++}`;
    await this.cluster.startWorker(name);
    this.workers.add(name);
    return name;
  }

  /** A node that runs and does not belong to the fleet yet; the next one starts meanwhile. */
  async takeNode(): Promise<NodeProcess> {
    const node = await (this.spare ?? this.cluster.spawnNode());
    this.spare = this.cluster.spawnNode();
    this.spare.catch(() => {}); // thrown where it is taken
    return node;
  }

  /** Kills Temporal at once and starts it again, with its data, on the same port. */
  async restartTemporal(pauseMs: number): Promise<void> {
    const port = Number(this.temporal.address.split(':')[1]);
    this.temporal.kill();
    await this.temporal.ended;
    await sleep(pauseMs);
    this.temporal = await startTemporal({
      dbFile: join(this.temporalDir, 'temporal.db'),
      uiPort: null,
      port,
    });
    if (!this.temporal.address.endsWith(`:${port}`)) throw new Error(`port ${port} was taken meanwhile`);
  }

  async topology(): Promise<Topology> {
    return (await this.admin.ask('GET', '/_miroir/topology')).body as Topology;
  }

  nodeInput(id: string): { id: string; url: string; key: string } {
    const { url, masterKey } = this.cluster.nodes.get(id)!;
    return { id, url, key: masterKey };
  }

  /** Starts a change; one whose answer was lost is found again. Throws when it is refused. */
  async startChange(method: string, path: string, body?: unknown): Promise<string> {
    for (;;) {
      const reply = await this.admin.ask(method, path, body, true);
      const { changeId, code } = reply.body as { changeId?: string; code?: string };
      if (changeId !== undefined) return changeId;
      if (code !== 'miroir_change_in_progress') throw new Error(`${method} ${path}: ${reply.text}`);
      const running = (await this.admin.ask('GET', '/_miroir/rebalance')).body as ChangeView;
      if (running.change !== null && ['running', 'needs-attention'].includes(running.change.status))
        return running.change.id;
      await sleep(100);
    }
  }

  async viewChange(id: string): Promise<ChangeView> {
    return (await this.admin.ask('GET', `/_miroir/rebalance/${id}`)).body as ChangeView;
  }

  /** Waits for the end of a change; moves that wait for an operator are tried again. Answers how it ended. */
  async waitForChange(id: string): Promise<{ status: string; error: string | null }> {
    return this.until(`the end of change ${id}`, async () => {
      const { change, error } = await this.viewChange(id);
      if (change?.status === 'needs-attention')
        await this.admin.ask('POST', '/_miroir/rebalance/retry', {}, true);
      const ended = ENDED.has(change?.status ?? '');
      return ended ? { status: change!.status, error: error ?? null } : null;
    });
  }

  /** Waits until every shard has as many in-sync replicas as it should. */
  async waitForRedundancy(): Promise<void> {
    await this.untilShards('the redundancy of every shard', (inSync, _all, factor) => inSync >= factor);
  }

  /** Waits until every shard has just its in-sync replicas, and no source is kept any longer. */
  async waitForRest(): Promise<void> {
    await this.untilShards(
      'every shard to be at rest',
      (inSync, all, factor) => inSync === factor && all === factor,
    );
  }

  private async untilShards(
    what: string,
    isWell: (inSync: number, all: number, factor: number) => boolean,
  ): Promise<void> {
    await this.until(what, async () => {
      const { indexes } = await this.topology();
      const live = indexes.filter(({ deletedSeq }) => deletedSeq === null);
      const ill = live.some(({ shards, replicationFactor }) =>
        shards.some((replicas) => {
          const inSync = replicas.filter(({ state }) => state === 'in-sync').length;
          return !isWell(inSync, replicas.length, replicationFactor);
        }),
      );
      return ill ? null : true;
    });
  }

  async until<T>(what: string, probe: () => Promise<T | null>): Promise<T> {
    return this.cluster.until(what, STUCK_MS, probe);
  }

  async stop(): Promise<void> {
    await this.spare?.catch(() => {});
    await this.cluster.stop();
    await this.temporal.stop();
    rmSync(this.temporalDir, { recursive: true, force: true, maxRetries: 3 });
  }
}
