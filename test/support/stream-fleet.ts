// A fleet in the test's own process: embedded engines behind real HTTP, a store on this thread, and the real step logic
// of streams and moves, which a test stops and starts at named points.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Beat } from '../../activities/beat.js';
import { claimNode, obtainDataKey } from '../../activities/claim.js';
import { type ActivityDeps, DEFAULT_ACTIVITY_OPTIONS } from '../../activities/deps.js';
import { runStream } from '../../activities/stream/stream.js';
import { type RunningEngine, runEngine } from '../../engine/main.js';
import type { EntryMeta } from '../../shared/core/entries.js';
import { findIndex, type NodeId, shardMark, type TopologyIndex } from '../../shared/core/topology.js';
import { REAL_CLOCK } from '../../shared/io/clock.js';
import { loadHash } from '../../shared/io/hash.js';
import { NodeClient } from '../../shared/io/node-client.js';
import { createNodeDirectory, type NodeDirectory } from '../../shared/io/node-directory.js';
import { openStore } from '../../shared/io/open-store.js';
import type { AppendInput, Store, StreamPosition } from '../../shared/io/store.js';
import { appendInput } from './append-input.js';

export type Document = Record<string, unknown> & { id: number | string };

interface Engine {
  running: RunningEngine;
  masterKey: string;
  url: string;
}

/** One run of a stream that a test has started. */
export interface TestStream {
  /** Ends it in order and waits. */
  stop(): Promise<void>;
  /** How it ended. */
  ended: Promise<unknown>;
}

/** Holds whoever reaches a named point, the `count`th time, until it is released. */
export class Gate {
  private open = () => {};
  private arrive = () => {};
  readonly arrived = new Promise<void>((resolve) => {
    this.arrive = resolve;
  });
  private readonly released = new Promise<void>((resolve) => {
    this.open = resolve;
  });
  constructor(
    private readonly point: string,
    private count = 1,
  ) {}
  release(): void {
    this.open();
  }
  async reach(point: string): Promise<void> {
    if (point !== this.point) return;
    this.count -= 1;
    if (this.count > 0) return;
    this.arrive();
    await this.released;
  }
}

export class StreamFleet {
  readonly engines = new Map<NodeId, Engine>();
  private readonly streams = new Set<TestStream>();
  private requests = 0;
  readonly beat: Beat = {
    signal: new AbortController().signal,
    attempt: 1,
    report: () => undefined,
    sleep: async (ms) => {
      await sleep(ms);
    },
  };

  private constructor(
    readonly folder: string,
    readonly store: Store,
    private readonly nodes: NodeDirectory,
    private readonly hash: (text: string) => bigint,
  ) {}

  /** Opens a fleet of these nodes, claimed and active, their streams running. */
  static async open(ids: readonly NodeId[]): Promise<StreamFleet> {
    const folder = mkdtempSync(join(tmpdir(), 'miroir-streams-'));
    const store = await openStore(`sqlite:${join(folder, 'miroir.db')}`, { thread: false });
    await store.initialize({ clusterId: 'main', replicationFactor: 2, defaultShardCount: 2 });
    const fleet = new StreamFleet(folder, store, createNodeDirectory(store), await loadHash());
    for (const id of ids) {
      await fleet.addNode(id);
      fleet.stream(id);
    }
    for (const id of ids) {
      await fleet.until(async () => (await fleet.position(id)).provisioned || null);
      await store.setNodeState(id, 'active', 'a test');
    }
    return fleet;
  }

  deps(gate?: Gate): ActivityDeps {
    return {
      store: this.store,
      nodes: this.nodes,
      hash: this.hash,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      options: { ...DEFAULT_ACTIVITY_OPTIONS, pollMs: 3, demoteAfterMs: 200 },
      faults: { reach: async (point) => gate?.reach(point) },
      clock: REAL_CLOCK,
    };
  }

  /** Starts an engine; with `url` at the place of an earlier one. */
  async startEngine(id: NodeId, name: string = id, url?: string): Promise<Engine> {
    const masterKey = `${id}-master-key-of-a-test`;
    const address = url ? new URL(url).host : '127.0.0.1:0';
    const running = await runEngine(['--db-path', join(this.folder, name), '--http-addr', address], {
      MEILI_MASTER_KEY: masterKey,
      MIROIR_ENGINE_FAULTS: '1',
    });
    const engine = { running, masterKey, url: running.url };
    this.engines.set(id, engine);
    return engine;
  }

  async addNode(id: NodeId): Promise<void> {
    const engine = await this.startEngine(id);
    const client = this.admin(id);
    await claimNode(client, { clusterId: 'main', node: id });
    const dataKey = await obtainDataKey(client);
    await client.close();
    const secrets = { adminKey: engine.masterKey, dataKey };
    await this.store.addNode({ id, url: engine.url }, secrets, 'a test');
  }

  /** A client of our own for a node; whoever asks closes it. */
  admin(id: NodeId): NodeClient {
    const { url, masterKey } = this.engines.get(id)!;
    return new NodeClient({ id, url, adminKey: masterKey, dataKey: masterKey });
  }

  /** Runs the stream of a node in the background. */
  stream(id: NodeId, gate?: Gate): TestStream {
    let over = false;
    const ended = runStream(this.deps(gate), {
      node: id,
      holder: `test ${this.requests}`,
      signal: new AbortController().signal,
      isOver: () => over,
      report: () => undefined,
    }).catch((error: unknown) => error);
    const stream: TestStream = {
      ended,
      stop: async () => {
        over = true;
        gate?.release();
        await ended;
        this.streams.delete(stream);
      },
    };
    this.streams.add(stream);
    return stream;
  }

  /** Ends all streams in order. */
  async stopStreams(): Promise<void> {
    await Promise.all([...this.streams].map((stream) => stream.stop()));
  }

  async close(): Promise<void> {
    await this.stopStreams();
    await this.nodes.close();
    await this.store.close();
    await Promise.all([...this.engines.values()].map(({ running }) => running.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async index(uid: string): Promise<TopologyIndex> {
    return findIndex(await this.store.readTopology(), uid)!;
  }

  async position(id: NodeId): Promise<StreamPosition> {
    return (await this.store.readStreams()).find((stream) => stream.node === id)!;
  }

  async append(uid: string, meta: EntryMeta, more: Partial<AppendInput> = {}): Promise<number> {
    const index = findIndex(await this.store.readTopology(), uid);
    this.requests += 1;
    const answer = await this.store.appendEntry(
      appendInput(`request-${this.requests}`, uid, meta, index, more),
    );
    if (!answer.ok) throw new Error(`the append met a conflict: ${answer.conflict}`);
    return answer.seq;
  }

  async createIndex(uid: string, assignment: NodeId[][]): Promise<void> {
    const { epoch } = await this.store.readTopology();
    const meta: EntryMeta = { kind: 'indexCreation', primaryKey: 'id' };
    await this.finish(await this.append(uid, meta, { createIndex: { epoch, primaryKey: 'id', assignment } }));
    await this.settings(uid, { filterableAttributes: ['colour'] });
  }

  async settings(uid: string, patch: Record<string, unknown>): Promise<void> {
    await this.finish(await this.append(uid, { kind: 'settingsUpdate', patch, isDeletion: false }));
  }

  /** Journals documents of one shard. */
  async write(
    uid: string,
    shard: number,
    documents: Document[],
    update = false,
    more: Partial<AppendInput> = {},
  ): Promise<number> {
    const stagingId = `staging-${this.requests}`;
    const mark = JSON.stringify(shardMark(shard));
    const texts = documents.map((one) => `${JSON.stringify(one).slice(0, -1)},"_miroir":${mark}}`);
    const payload = Buffer.from(texts.join(','));
    await this.store.stageParts(stagingId, [{ shard, payload, documentCount: documents.length }]);
    const meta: EntryMeta = {
      kind: 'documentAdditionOrUpdate',
      method: update ? 'update' : 'replace',
      primaryKey: null,
      receivedDocuments: documents.length,
    };
    const fields = documents.flatMap((one) => Object.keys(one));
    return this.append(uid, meta, { stagingId, fields, ...more });
  }

  async deleteByFilter(uid: string, filter: string): Promise<number> {
    const text = JSON.stringify(filter);
    return this.append(uid, { kind: 'documentDeletion', mode: 'filter', providedIds: 0, filter: text });
  }

  /** Waits until a task is finished; answers its status. */
  async finish(seq: number): Promise<string> {
    return this.until(async () => {
      const task = await this.store.readTask(seq);
      return task?.finishedAt ? task.status : null;
    });
  }

  async until<T>(probe: () => Promise<T | null>): Promise<T> {
    for (;;) {
      const found = await probe();
      if (found !== null) return found;
      await sleep(5);
    }
  }

  /** What a node holds of an index, by id and in order, without the hidden field. */
  async documents(id: NodeId, uid: string): Promise<Document[]> {
    const client = this.admin(id);
    try {
      const name = (await this.index(uid)).physicalNames[id]!;
      const path = `/indexes/${name}/documents/fetch`;
      const { results } = await client.json<{ results: Document[] }>({
        method: 'POST',
        path,
        body: '{"limit":1000}',
      });
      return results
        .map(({ _miroir, ...document }) => document as Document)
        .sort((left, right) => String(left.id).localeCompare(String(right.id)));
    } finally {
      await client.close();
    }
  }

  /** Arms a fault of the engine behind a node. */
  async arm(id: NodeId, fault: Record<string, unknown>): Promise<void> {
    const { url } = this.engines.get(id)!;
    const body = JSON.stringify(fault);
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/__faults`, { method: 'POST', headers, body });
    if (answer.status !== 200) throw new Error(await answer.text());
  }

  /** Writes one move of a shard down as the plan of a change. */
  async planMove(id: string, uid: string, shard: number, from: NodeId, to: NodeId): Promise<void> {
    await this.store.openChange({ id: `change-${id}`, kind: 'rebalance', input: {}, runId: id });
    const { incarnation } = await this.index(uid);
    const move = {
      id,
      indexUid: uid,
      incarnation,
      shard,
      sourceNode: from,
      copyFrom: from,
      targetNode: to,
    };
    const planned = async () => {
      const epoch = await this.store.readEpoch();
      return (await this.store.planMoves(`change-${id}`, epoch, [move], 0)) || null;
    };
    await this.until(planned);
  }
}
