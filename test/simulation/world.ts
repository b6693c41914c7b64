// One virtual fleet: nodes, workers and proxies around the real store, and what everybody has been promised.
import { claimNode, obtainDataKey } from '../../activities/claim.js';
import { type ActivityDeps, DEFAULT_ACTIVITY_OPTIONS } from '../../activities/deps.js';
import type { ProxyContext } from '../../proxy/context.js';
import { SearchTurns } from '../../proxy/search/search-turns.js';
import { LeasedTopology } from '../../proxy/topology-watcher.js';
import type { EntryMeta } from '../../shared/core/entries.js';
import type { NodeId, Topology } from '../../shared/core/topology.js';
import { NodeClient, type NodeRequest, type NodeResponse } from '../../shared/io/node-client.js';
import { createNodeDirectory } from '../../shared/io/node-directory.js';
import type { Store } from '../../shared/io/store.js';
import { type Database, openDatabase } from './database.js';
import { JournalModel, type Write } from './model.js';
import { type Network, remoteStore, VirtualClient } from './network.js';
import { VirtualNode } from './node.js';
import type { Random } from './random.js';
import { Process, Scheduler } from './scheduler.js';
import type { Variant } from './variants.js';

export interface Worker {
  process: Process;
  deps: ActivityDeps;
}

export interface ProxyProcess {
  process: Process;
  watcher: LeasedTopology;
  ctx: ProxyContext;
}

/** Whoever reaches a point dies there, or stands still. */
export interface Trap {
  point: string;
  count: number;
  stopMs: number | null;
  /** Only the step is late; what else its process does goes on. */
  lateMs?: number;
  /** The node that came last is slow for so long from then on. */
  slowMs?: number;
}

export interface Shape {
  nodes: number;
  workers: number;
  proxies: number;
  shards: number;
  replicas: number;
  /** How likely a worker dies or stops at each of its writes. */
  strikes: number;
  /** How slow each node is. */
  slowness: number[];
  /** How likely a search is late on its way. */
  lateSearches: number;
}

export const TIMES = { ttlMs: 1_500, graceMs: 1_000, pollMs: 150, demoteAfterMs: 1_200, heartbeatMs: 2_500 };
const CALM_POLL_MS = 450;
/** A search may take longer than a lease lasts. */
export const SEARCH_MS = 10_000;

const SILENT = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};
const log = { ...SILENT, child: () => log } as unknown as ProxyContext['log'];

export class World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly nodes = new Map<NodeId, VirtualNode>();
  readonly workers: Worker[] = [];
  readonly proxies: ProxyProcess[] = [];
  readonly violations: string[] = [];
  readonly traps: Trap[] = [];
  readonly trace: string[] = [];
  /** What an entry means to the model, by the meta that its proxy made; and the primary key that it was read with. */
  readonly writes = new WeakMap<EntryMeta, { uid: string; write: Write; primaryKey: string | null }>();
  model!: JournalModel;
  store!: Store;
  database!: Database;
  /** How many copies each shard had when it was last looked at. */
  readonly copies = new Map<string, number>();
  /** Nodes that have lost their disk. */
  readonly lost = new Set<NodeId>();
  /** A node that went back to an old disk answers searches with it until its stream has found out. */
  answersMayBeOld = false;
  /** How likely a worker dies or stops at each of its writes. */
  strikes = 0;
  private names = 0;
  private pollMs: number = TIMES.pollMs;

  constructor(
    readonly random: Random,
    readonly hash: (text: string) => bigint,
    readonly variant: Variant | null,
    private readonly tracing: boolean,
  ) {
    this.scheduler = new Scheduler(random);
    this.network = {
      scheduler: this.scheduler,
      random,
      nodes: new Map(),
      cuts: new Map(),
      calm: false,
      lateSearches: 0,
      reach: (process, point) => this.reach(process, point),
      strike: (process, what) => this.strike(process, what),
      tamper: variant?.tamper ? (sent) => variant.tamper!(sent, this) : null,
    };
  }

  async open(shape: Shape): Promise<void> {
    this.database = await openDatabase(() => this.scheduler.nowMs, this.variant?.sql ?? null);
    this.model = new JournalModel(this.hash);
    this.store = recording(this.database.store, this);
    this.strikes = shape.strikes;
    this.network.lateSearches = shape.lateSearches;
    await this.store.initialize({
      clusterId: 'main',
      replicationFactor: shape.replicas,
      defaultShardCount: shape.shards,
    });
    for (let number = 1; number <= shape.nodes; number += 1) {
      const id = `n${number}`;
      await this.addNode(id);
      const takeover = await this.store.takeOverStream(id, 'the beginning');
      await this.store.setProvisioned(id, takeover!.generation);
      await this.store.setNodeState(id, 'active', 'the beginning');
      this.nodes.get(id)!.slowness = shape.slowness[number - 1] ?? 1;
    }
    for (let count = 0; count < shape.workers; count += 1) this.startWorker();
    for (let count = 0; count < shape.proxies; count += 1) this.startProxy();
  }

  /** In the calm most polls find nothing; each costs processor time. */
  pollSlowly(): void {
    this.pollMs = CALM_POLL_MS;
    for (const { deps } of this.workers) Object.assign(deps.options, { pollMs: this.pollMs });
  }

  say(text: string): void {
    if (this.tracing) this.trace.push(`${this.scheduler.nowMs.toFixed(0).padStart(7)} ${text}`);
  }

  violate(text: string): void {
    this.say(`VIOLATION ${text}`);
    this.violations.push(text);
  }

  /** Starts a node and claims it, as a change does: without messages, for it has no faults to meet. */
  async addNode(id: NodeId): Promise<void> {
    const url = `http://${id}.test:7700`;
    const node = new VirtualNode(id, this.scheduler, this.random);
    this.nodes.set(id, node);
    this.network.nodes.set(url, node);
    const client = new DirectClient(node, url);
    await claimNode(client, { clusterId: 'main', node: id });
    const dataKey = await obtainDataKey(client);
    const secrets = { adminKey: node.masterKey, dataKey };
    await this.store.addNode({ id, url }, secrets, 'a test');
  }

  startWorker(): Worker {
    const process = new Process(`w${++this.names}`, this.scheduler);
    const store = remoteStore(this.store, process, this.network, this.variant?.store?.(this) ?? null);
    const connect = (options: ConstructorParameters<typeof NodeClient>[0]) =>
      new VirtualClient(options, process, this.network);
    const deps: ActivityDeps = {
      store,
      nodes: createNodeDirectory(store, connect),
      hash: this.hash,
      log: { ...SILENT, warn: (_fields, message) => this.say(`${process.name}: ${message}`) },
      options: {
        ...DEFAULT_ACTIVITY_OPTIONS,
        pollMs: this.pollMs,
        demoteAfterMs: TIMES.demoteAfterMs,
        groupEntries: 6,
        copyChunkDocuments: 1,
      },
      faults: { reach: async (point) => void (await this.reach(process, point)) },
      clock: process,
    };
    const worker = { process, deps };
    this.workers.push(worker);
    return worker;
  }

  startProxy(): ProxyProcess {
    const process = new Process(`p${++this.names}`, this.scheduler);
    const store = remoteStore(this.store, process, this.network, this.variant?.store?.(this) ?? null);
    const clients = new Map<string, NodeClient>();
    const connect = async (topology: Topology) => {
      const secrets = await store.readNodeSecrets();
      clients.clear();
      for (const { id, url } of topology.nodes) {
        const keys = secrets[id] ?? { adminKey: null, dataKey: null };
        clients.set(id, new VirtualClient({ id, url, ...keys }, process, this.network));
      }
    };
    const watcher = new LeasedTopology({
      store,
      clock: process,
      log,
      proxyId: process.name,
      url: null,
      ttlMs: TIMES.ttlMs,
      graceMs: TIMES.graceMs,
      onTopology: connect,
    });
    const ctx = {
      store,
      watcher: this.variant?.watcher?.(watcher) ?? watcher,
      nodes: {
        client: (id: NodeId) => clients.get(id),
        observe: () => undefined,
        cost: () => this.random.below(20),
      },
      searches: new SearchTurns(),
      hash: this.hash,
      log,
      clock: process,
      options: { searchDeadlineMs: SEARCH_MS, unavailable: 'error' },
    } as unknown as ProxyContext;
    const proxy = { process, watcher, ctx };
    this.proxies.push(proxy);
    void this.keepLease(proxy);
    return proxy;
  }

  private async keepLease({ process, watcher }: ProxyProcess): Promise<void> {
    for (;;) {
      try {
        await watcher.poll();
      } catch (error) {
        this.say(`${process.name} cannot renew its lease: ${(error as Error).message}`);
        // The store does not answer: the lease runs out, which is what it is for.
      }
      await process.sleep(this.random.between(100, 250) * (this.network.calm ? 2 : 1));
    }
  }

  /** Null where nothing waits for the process: it goes on at once. */
  reach(process: Process, point: string): Promise<void> | null {
    const trap = this.traps.find((one) => one.point === point);
    if (!trap) return null;
    trap.count -= 1;
    if (trap.count > 0) return null;
    this.traps.splice(this.traps.indexOf(trap), 1);
    const what = trap.stopMs === null ? 'dies' : `stops for ${trap.stopMs} ms`;
    this.say(`${process.name} ${trap.lateMs === undefined ? what : `is ${trap.lateMs} ms late`} at ${point}`);
    if (trap.slowMs !== undefined) this.slowDown([...this.nodes.values()].at(-1)!, 60, trap.slowMs);
    if (trap.lateMs !== undefined) return process.sleep(trap.lateMs);
    if (trap.stopMs === null) this.killAny(process);
    else process.stop(trap.stopMs);
    return process.sleep(0);
  }

  private killAny(process: Process): void {
    const proxy = this.proxies.find((one) => one.process === process);
    if (proxy) this.killProxy(proxy);
    else this.killWorker(process);
  }

  slowDown(node: VirtualNode, factor: number, ms: number): void {
    node.slowness = factor;
    this.scheduler.after(ms, null, () => {
      node.slowness = 1;
    });
  }

  private strike(process: Process, what: string): boolean {
    if (!this.random.chance(this.strikes) || !process.isAwake()) return false;
    if (!this.workers.some((worker) => worker.process === process)) return false;
    const stopMs = this.random.chance(0.4) ? null : this.random.between(500, 6_000);
    this.say(`${process.name} ${stopMs === null ? 'dies' : `stops for ${stopMs} ms`} at ${what}`);
    if (stopMs === null) this.killWorker(process);
    else process.stop(stopMs);
    return true;
  }

  /** Another one comes in its place. */
  killWorker(process: Process): void {
    if (!process.alive) return;
    process.kill();
    const index = this.workers.findIndex((worker) => worker.process === process);
    if (index >= 0) this.workers.splice(index, 1);
    this.scheduler.after(this.random.between(100, 1_500), null, () => void this.startWorker());
  }

  killProxy(proxy: ProxyProcess): void {
    proxy.process.kill();
    this.proxies.splice(this.proxies.indexOf(proxy), 1);
    this.scheduler.after(this.random.between(100, 1_500), null, () => void this.startProxy());
  }

  /** A row of the store as it is now, without a message. */
  async query<T>(sql: string, params: (string | number)[] = []): Promise<T[]> {
    return this.database.driver.transaction('read', (tx) => tx.all<T>(sql, params));
  }
}

/** Tells the model of each entry at the moment in which it is numbered. */
function recording(store: Store, world: World): Store {
  const appendEntry: Store['appendEntry'] = async (input) => {
    const result = await store.appendEntry(input);
    const known = world.writes.get(input.meta);
    if (!result.ok || !known || world.model.entries.has(result.seq)) return result;
    const [row] = await world.query<{
      incarnation: number | null;
      primary_key: string | null;
      count: number | null;
    }>(
      `SELECT j.incarnation, j.primary_key, (SELECT shard_count FROM indexes i WHERE i.incarnation = j.incarnation)
         AS count FROM journal j WHERE j.seq = ?`,
      [result.seq],
    );
    if (input.failure !== null || row?.incarnation == null) return result;
    if (known.primaryKey !== null && known.primaryKey !== row.primary_key)
      world.violate(
        `task ${result.seq} was read with primary key ${known.primaryKey}, not ${row.primary_key}`,
      );
    const entry = { seq: result.seq, uid: known.uid, incarnation: row.incarnation, write: known.write };
    world.say(`task ${result.seq} of ${known.uid}: ${JSON.stringify(known.write)}`);
    world.model.append(entry, row.count ?? 1, row.primary_key);
    return result;
  };
  return { ...store, appendEntry };
}

/** Asks a node at once. */
class DirectClient extends NodeClient {
  constructor(
    private readonly node: VirtualNode,
    url: string,
  ) {
    super({ id: node.id, url, adminKey: node.masterKey, dataKey: null });
  }

  override async request(request: NodeRequest): Promise<NodeResponse> {
    const body = request.body === undefined ? null : String(request.body);
    const answer = this.node.handle(request.method, request.path, body, this.node.masterKey);
    return { status: answer.status, body: Buffer.from(JSON.stringify(answer.body)) };
  }
}
