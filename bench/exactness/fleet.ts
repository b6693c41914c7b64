// A fleet to compare: nodes and proxy as processes of their own, the streams in this one. No Temporal is needed, since
// nothing moves. Assignments may be badly uneven, as after an unfinished rebalancing.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { claimNode, obtainDataKey } from '../../activities/claim.js';
import { type ActivityDeps, DEFAULT_ACTIVITY_OPTIONS } from '../../activities/deps.js';
import { runStream } from '../../activities/stream/stream.js';
import type { Scoring } from '../../shared/core/topology.js';
import { REAL_CLOCK } from '../../shared/io/clock.js';
import { loadHash } from '../../shared/io/hash.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { createNodeDirectory, type NodeDirectory } from '../../shared/io/node-directory.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';
import { Api } from '../../up/admin-api.js';
import { openDataFolder } from '../../up/data-folder.js';
import { type LocalNode, type NodeProgram, startNode } from '../../up/nodes.js';
import { type Child, Supervisor } from '../../up/supervisor.js';
import { loadWorld } from './load.js';
import { PRIMARY_KEY, type World } from './worlds.js';

export interface FleetShape {
  nodes: number;
  replicationFactor: number;
  skew: 'even' | 'bad';
}

export const SHARD_COUNT = 64;
/** Vectors are compared one by one: approximate search differs from itself, and would prove nothing. */
export const EXACT_VECTORS = {
  MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW: '4294967295',
  MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW_RATIO: '1.0',
};
const POLL_MS = 10;

export function nameOf({ nodes, replicationFactor, skew }: FleetShape): string {
  return `${nodes} node${nodes === 1 ? '' : 's'}, RF ${replicationFactor}, ${skew}`;
}

/**
 * Which nodes hold a shard when half of all shards is on the first node, half of the rest on the second, and so on;
 * every node has one at least.
 */
export function skewedAssignment(
  shardCount: number,
  nodes: readonly string[],
  replicationFactor: number,
): string[][] {
  const counts = nodes.map(() => 1);
  let left = shardCount - nodes.length;
  for (let at = 0; at < nodes.length; at += 1) {
    const share = at === nodes.length - 1 ? left : Math.ceil(left / 2);
    counts[at]! += share;
    left -= share;
  }
  const first = counts.flatMap((count, node) => new Array<number>(count).fill(node));
  return first
    .slice(0, shardCount)
    .map((node) =>
      Array.from(
        { length: Math.min(replicationFactor, nodes.length) },
        (_, step) => nodes[(node + step) % nodes.length]!,
      ),
    );
}

/** Fleets that run now, for an end before time. */
const running = new Set<ExactFleet>();

/** Ends at once what runs. */
export function killFleets(): void {
  for (const fleet of running) fleet.kill();
}

export class ExactFleet {
  private readonly nodes: LocalNode[] = [];
  private readonly directory: NodeDirectory;
  private readonly streams: Promise<unknown>[] = [];
  private over = false;
  private proxy: Child | null = null;
  private proxyApi: Api | null = null;

  private constructor(
    readonly shape: FleetShape,
    private readonly folder: string,
    private readonly store: Store,
    private readonly supervisor: Supervisor,
  ) {
    this.directory = createNodeDirectory(store);
  }

  /** Starts nodes, streams and a proxy. `warn` hears of crashes. */
  static async start(
    shape: FleetShape,
    program: NodeProgram,
    warn: (line: string) => void,
  ): Promise<ExactFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'miroir-exact-'));
    const data = await openDataFolder(folder);
    const store = await openStore(`sqlite:${join(folder, 'miroir.db')}`);
    const { replicationFactor } = shape;
    await store.initialize({ clusterId: 'main', replicationFactor, defaultShardCount: SHARD_COUNT });
    const fleet = new ExactFleet(shape, folder, store, new Supervisor(warn));
    running.add(fleet);
    try {
      for (let at = 1; at <= shape.nodes; at += 1) {
        fleet.nodes.push(await startNode(program, `n${at}`, data, fleet.supervisor, EXACT_VECTORS));
      }
      await fleet.addNodes(warn);
      fleet.proxyApi = new Api(await fleet.startProxy(data.logFile('proxy')), null);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get api(): Api {
    return this.proxyApi!;
  }

  private async addNodes(warn: (line: string) => void): Promise<void> {
    const deps = await this.deps(warn);
    for (const { id, url, key } of this.nodes) {
      const client = new NodeClient({ id, url, adminKey: key, dataKey: null });
      await claimNode(client, { clusterId: 'main', node: id });
      const dataKey = await obtainDataKey(client);
      await client.close();
      await this.store.addNode({ id, url }, { adminKey: key, dataKey }, 'the comparison');
      const stream = runStream(deps, {
        node: id,
        holder: `exactness ${process.pid}`,
        signal: new AbortController().signal,
        isOver: () => this.over,
        report: () => undefined,
      });
      this.streams.push(
        stream.catch((error: unknown) => warn(`the stream of ${id} ended: ${String(error)}`)),
      );
    }
    for (;;) {
      const streams = await this.store.readStreams();
      if (streams.length === this.nodes.length && streams.every(({ provisioned }) => provisioned)) break;
      await sleep(POLL_MS);
    }
    for (const { id } of this.nodes) await this.store.setNodeState(id, 'active', 'the comparison');
  }

  private async deps(warn: (line: string) => void): Promise<ActivityDeps> {
    const tell = (fields: Record<string, unknown>, message: string) =>
      warn(`${message} ${JSON.stringify(fields)}`);
    return {
      store: this.store,
      nodes: this.directory,
      hash: await loadHash(),
      log: { info: () => undefined, warn: tell, error: tell },
      // Nodes that index on two cores are slow, not lost.
      options: { ...DEFAULT_ACTIVITY_OPTIONS, demoteAfterMs: 600_000 },
      faults: { reach: async () => undefined },
      clock: REAL_CLOCK,
    };
  }

  private async startProxy(logFile: string): Promise<string> {
    let url = '';
    this.proxy = await this.supervisor.start({
      name: 'proxy',
      command: process.execPath,
      args: [fileURLToPath(new URL('../../proxy/main.js', import.meta.url)), `--data-dir=${this.folder}`],
      env: {
        MIROIR_DATA_DIR: this.folder,
        MIROIR_STORE_URL: `sqlite:${join(this.folder, 'miroir.db')}`,
        MIROIR_REPLICATION_FACTOR: String(this.shape.replicationFactor),
        MIROIR_DEFAULT_SHARD_COUNT: String(SHARD_COUNT),
        MIROIR_LOG_LEVEL: 'warn',
        MIROIR_SEARCH_DEADLINE_MS: '120000',
        MIROIR_PORT: '0',
      },
      logFile,
      ready: (line) => {
        if (typeof line.listening === 'string') url = line.listening;
        return url !== '';
      },
    });
    return url;
  }

  /** Creates the index of a world, where its shards belong, and puts its documents in through the proxy. */
  async load(world: World, scoring: Scoring | null = null): Promise<void> {
    if (this.shape.skew === 'bad') await this.createSkewed(world.name);
    if (scoring !== null) await this.setScoring(world.name, scoring);
    await loadWorld(this.api, world, { create: this.shape.skew === 'even', settings: world.settings });
  }

  private async createSkewed(uid: string): Promise<void> {
    const ids = this.nodes.map(({ id }) => id);
    const assignment = skewedAssignment(SHARD_COUNT, ids, this.shape.replicationFactor);
    for (;;) {
      const { epoch } = await this.store.readTopology();
      const answer = await this.store.appendEntry({
        requestId: `create-${uid}`,
        indexUid: uid,
        meta: { kind: 'indexCreation', primaryKey: PRIMARY_KEY },
        stagingId: null,
        expected: { incarnation: null, primaryKey: null },
        createIndex: { epoch, primaryKey: PRIMARY_KEY, assignment },
        setPrimaryKey: null,
        failure: null,
        details: null,
      });
      if (answer.ok) return this.finish(answer.seq);
      // Other indexes are created at the same time, and each moves the epoch on.
      if (answer.conflict !== 'epoch') throw new Error(`no index ${uid}: ${answer.conflict}`);
    }
  }

  /** For an index that is there; waits until the proxy records lengths. */
  private async setScoring(uid: string, scoring: Scoring): Promise<void> {
    const epoch = (await this.store.setScoring(uid, scoring)) ?? 0;
    while (!(await this.store.readLeases()).every((lease) => lease.oldestEpoch >= epoch))
      await sleep(POLL_MS);
  }

  private async finish(seq: number): Promise<void> {
    while (!(await this.store.readTask(seq))?.finishedAt) await sleep(POLL_MS);
  }

  /** Ends everything in order and removes the folder. */
  async stop(): Promise<void> {
    running.delete(this);
    this.over = true;
    await this.proxyApi?.close();
    await Promise.all(this.streams);
    this.supervisor.beginStop();
    await this.proxy?.stop();
    await Promise.all(this.nodes.map((node) => node.child?.stop()));
    await this.directory.close();
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  kill(): void {
    this.supervisor.killAll();
  }
}
