// Records what one real Meilisearch answers, and what parts of the same documents answer, into test/recorded/: the
// exactness of the merge is judged by these answers. Run with MIROIR_MEILISEARCH_BIN set: npm run record
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { firstRequest, mergeFirst, planShared } from '../proxy/search/preflight.js';
import { toByteText } from '../shared/core/byte-text.js';
import { nodeBody, planSearch } from '../shared/core/search-plan.js';
import type { SearchQuery } from '../shared/core/search-request.js';
import { nodeSettings } from '../shared/core/settings.js';
import { SHARD_FIELD, shardMark, type TopologyIndex } from '../shared/core/topology.js';
import { loadHash } from '../shared/io/hash.js';
import { NodeClient, type NodeRequest } from '../shared/io/node-client.js';
import { recordClasses } from './record-classes.js';
import { hybridWorld, sharedWorld } from './record-shared.js';
import { type Document, recordedWorlds, type World } from './record-worlds.js';
import { packRecording } from './recorded-fleet.js';

const SHARD_COUNT = 64;
/** Shards of each part: one of them large, as after an unfinished rebalancing. */
const PARTS: readonly number[][] = [range(0, 36), range(36, 50), range(50, 64)];

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** The index as the topology would describe it. */
export function worldIndex(
  name: string,
  primaryKey: string,
  settings: Record<string, unknown>,
): TopologyIndex {
  return {
    uid: name,
    incarnation: 1,
    primaryKey,
    shardCount: SHARD_COUNT,
    replicationFactor: 1,
    settings,
    visible: true,
    createdAt: '',
    updatedAt: '',
    deletedSeq: null,
    physicalNames: {},
    shards: [],
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Recorder {
  constructor(
    private readonly node: NodeClient,
    private readonly hash: (text: string) => bigint,
  ) {}

  private async wait(path: string, method: 'POST' | 'PATCH' | 'DELETE', body?: unknown): Promise<void> {
    const uid = await this.node.enqueue({
      method,
      path,
      body: body === undefined ? undefined : JSON.stringify(body),
      admin: true,
    });
    const task = await this.node.waitTask(uid, undefined, true);
    if (task.status !== 'succeeded') throw new Error(`${method} ${path}: ${task.error?.message}`);
  }

  private async load(
    name: string,
    world: World,
    settings: unknown,
    documents: readonly Document[],
  ): Promise<void> {
    await this.wait('/indexes', 'POST', { uid: name, primaryKey: world.primaryKey });
    await this.wait(`/indexes/${name}/settings`, 'PATCH', settings);
    // One document with all fields, added and deleted again, so that every index orders fields alike.
    const schema = Object.assign({}, ...world.documents, documents[0]) as Document;
    const ordered: Document = {
      ...schema,
      ...(documents[0]?.[SHARD_FIELD] === undefined ? {} : { [SHARD_FIELD]: '' }),
    };
    await this.wait(`/indexes/${name}/documents`, 'POST', [ordered]);
    await this.wait(`/indexes/${name}/documents`, 'DELETE');
    await this.wait(`/indexes/${name}/documents`, 'POST', documents);
  }

  private async search(request: NodeRequest): Promise<string> {
    const answer = await this.node.request({ ...request, admin: true });
    const text = answer.body.toString('latin1');
    if (answer.status !== 200) throw new Error(`${request.body}: ${text}`);
    return text;
  }

  /** Loads a world into one index, into parts and into one part with everything. */
  async loadAll(world: World): Promise<void> {
    const { name, primaryKey, settings } = world;
    const shardOf = (document: Document): number =>
      Number(this.hash(String(document[primaryKey])) % BigInt(SHARD_COUNT));
    const marked = world.documents.map((document) => ({
      ...document,
      [SHARD_FIELD]: shardMark(shardOf(document)),
    }));
    const hidden = nodeSettings(settings, primaryKey);
    // The fair reference for ties has the hidden last rule too, and needs nothing else of Miroir.
    const reference = {
      ...settings,
      sortableAttributes: hidden.sortableAttributes,
      rankingRules: hidden.rankingRules,
      searchCutoffMs: 60_000,
    };
    await this.load(`${name}-one`, world, reference, world.documents);
    await this.load(`${name}-all`, world, { ...hidden, searchCutoffMs: 60_000 }, marked);
    for (const [part, shards] of PARTS.entries()) {
      const own = marked.filter((document) => shards.includes(shardOf(document)));
      await this.load(`${name}-${part}`, world, { ...hidden, searchCutoffMs: 60_000 }, own);
    }
  }

  /** Asks all queries of a loaded world; answers lines of JSON. */
  async askAll(world: World): Promise<string[]> {
    const { name, primaryKey, settings } = world;
    const index = worldIndex(name, primaryKey, settings);
    const lines = [
      JSON.stringify({ name, primaryKey, settings, parts: PARTS, documents: world.documents.length }),
    ];
    for (const { class: kind, query } of world.queries) {
      lines.push(await this.ask(name, index, kind, query));
    }
    return lines;
  }

  private async ask(name: string, index: TopologyIndex, kind: string, query: SearchQuery): Promise<string> {
    const plan = planSearch(query, index);
    const path = (part: string): NodeRequest => ({ method: 'POST', path: `/indexes/${name}-${part}/search` });
    const one = await this.search({ ...path('one'), body: JSON.stringify(query) });
    const all = await this.search({ ...path('all'), body: nodeBody(plan, range(0, SHARD_COUNT), true) });
    // Every question that is asked a part, in order, with its answer.
    const asked: [part: number, body: string, answer: string][] = [];
    const question = async (part: number, request: NodeRequest): Promise<string> => {
      const answer = await this.search(request);
      asked.push([part, toByteText(String(request.body)), answer]);
      return answer;
    };
    const search = planShared(plan, index);
    const answers = [];
    for (const [part, shards] of PARTS.entries()) {
      const text = await question(part, firstRequest(search, `${name}-${part}`, shards));
      answers.push({ text, shards });
    }
    await mergeFirst(search, answers, {
      askNode: (part, build) => question(part, build(`${name}-${part}`)),
      elapsedMs: () => 0,
    });
    return JSON.stringify({
      class: kind,
      query: JSON.parse(toByteText(JSON.stringify(query))),
      one,
      all,
      asked,
    });
  }
}

async function main(): Promise<void> {
  // Names of worlds as arguments record these only.
  const only = process.argv.slice(2);
  const binary = process.env.MIROIR_MEILISEARCH_BIN;
  if (!binary) throw new Error('set MIROIR_MEILISEARCH_BIN to a real Meilisearch 1.50');
  const target = join(import.meta.dirname, '../../test/recorded');
  const dir = mkdtempSync(join(tmpdir(), 'miroir-record-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    binary,
    ['--db-path', join(dir, 'data'), '--http-addr', `127.0.0.1:${port}`, '--no-analytics'],
    {
      cwd: dir,
      stdio: 'ignore',
      env: {
        ...process.env,
        MEILI_LOG_LEVEL: 'ERROR',
        MEILI_MAX_INDEXING_MEMORY: '128MiB',
        // Vectors are compared one by one: what a graph finds is left to chance, on one node as well.
        MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW: '4294967295',
        MEILI_EXPERIMENTAL_HNSW_LINEAR_BELOW_RATIO: '1.0',
      },
    },
  );
  const node = new NodeClient({ id: 'record', url, adminKey: null, dataKey: null });
  try {
    for (let tries = 0; ; tries++) {
      const up = await node.request({ method: 'GET', path: '/health' }).then(
        (answer) => answer.status === 200,
        () => false,
      );
      if (up) break;
      if (tries > 100) throw new Error('Meilisearch does not start');
      await sleep(100);
    }
    const hash = await loadHash();
    const recorder = new Recorder(node, hash);
    for (const world of [...recordedWorlds(), sharedWorld(), hybridWorld()]) {
      if (only.length > 0 && !only.includes(world.name)) continue;
      await recorder.loadAll(world);
      const lines = await recorder.askAll(world);
      // Lines are byte text: written as latin1 they are UTF-8 again.
      const packed = gzipSync(Buffer.from(`${lines.join('\n')}\n`, 'latin1'), { level: 9 });
      writeFileSync(join(target, `${world.name}.jsonl.gz`), packed);
      console.log(
        `${world.name}: ${world.documents.length} documents, ${lines.length - 1} queries, ${packed.length} bytes`,
      );
    }
    if (only.length === 0 || only.includes('classes')) {
      const recording = await recordClasses(node, hash);
      const packed = packRecording(recording);
      writeFileSync(join(target, 'classes.jsonl.br'), packed);
      console.log(`classes: ${recording.asks.length} queries, ${packed.length} bytes`);
    }
  } finally {
    child.kill();
    await node.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) await main();
