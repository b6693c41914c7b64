// A move from its snapshot to its flip against the bare loop: read the same documents in chunks of the same size, write
// them, wait for each task.
import { shardFilter } from '../../shared/core/topology.js';
import { type NodeClient, requireSuccess } from '../../shared/io/node-client.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import { addNodes, waitForChange } from '../../up/changes.js';
import type { Output } from '../../up/output.js';
import { loadSynsets } from '../../up/tour/corpus.js';
import { BenchFleet } from '../bench-fleet.js';
import { toBatches } from '../corpus.js';
import { median } from '../statistics.js';
import type { Outcome } from './search.js';

const INDEX = 'synsets';
const SHARDS = 8;
const CHUNK_DOCUMENTS = 1_000;
const DEADLINE_MS = 600_000;
/** Sources are deleted when all moves have flipped: deleting is not measured, and would take the cores meanwhile. */
const RETENTION_MS = 60_000;

/** One node, then a second that takes about half of the shards, one move at a time. */
export async function measureMove(quick: boolean, output: Output): Promise<Outcome> {
  const documents = await loadSynsets(quick ? 16_000 : 60_000);
  const fleet = await BenchFleet.start({ nodeCount: 1, replicationFactor: 1, shardCount: SHARDS, output });
  const store = await openStore(`sqlite:${fleet.folder}/miroir.db`);
  try {
    await fleet.fill(INDEX, toBatches(documents, 5_000));
    const added = await fleet.fleet.startNode('n2');
    const source = fleet.node(0).client;
    const target = fleet.node(1).client;
    const name = await fleet.physicalName(0, INDEX);
    const settings = await source.json({ method: 'GET', path: `/indexes/${name}/settings` });
    const lists = await readIds(source, name);

    const bare = async (uid: string) => {
      await createIndex(target, uid, settings);
      const times: number[] = [];
      for (const ids of lists) times.push(await copyBare(source, target, name, uid, ids));
      return times;
    };
    // Before and after the change, so that neither side has the quieter minute to itself.
    const before = await bare('bare-1');
    const moves = await moveShards(fleet, store, () =>
      addNodes(fleet.fleet.adminApi(), [added], {
        retentionMs: RETENTION_MS,
        concurrency: 1,
        copyChunkDocuments: CHUNK_DOCUMENTS,
      }),
    );
    const after = await bare('bare-2');

    const ratios = moves.map(({ shard, ms }) => ms / ((before[shard]! + after[shard]!) / 2));
    const steps: Record<string, number> = {};
    for (const step of new Set(moves.flatMap((move) => [...move.steps.keys()]))) {
      steps[`${step} ms`] = median(moves.flatMap((move) => move.steps.get(step) ?? []));
    }
    return {
      measures: [
        { name: 'time over the bare loop', value: median(ratios), unit: 'ratio', target: { most: 1.25 } },
      ],
      details: {
        moves: moves.length,
        'documents a shard': median(lists.map((ids) => ids.length)),
        'bare ms': median(moves.map(({ shard }) => (before[shard]! + after[shard]!) / 2)),
        'move ms': median(moves.map(({ ms }) => ms)),
        ...steps,
      },
    };
  } finally {
    await store.close();
    await fleet.stop();
  }
}

/** The ids of every shard. */
async function readIds(client: NodeClient, name: string): Promise<string[][]> {
  const lists: string[][] = [];
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const { results } = await client.json<{ results: { id: string }[] }>({
      method: 'POST',
      path: `/indexes/${name}/documents/fetch`,
      body: JSON.stringify({ fields: ['id'], filter: shardFilter([shard]), limit: 1_000_000 }),
    });
    lists.push(results.map((document) => document.id));
  }
  return lists;
}

async function createIndex(client: NodeClient, uid: string, settings: unknown): Promise<void> {
  const run = async (method: 'POST' | 'PATCH', path: string, body: unknown) => {
    const task = await client.waitTask(await client.enqueue({ method, path, body: JSON.stringify(body) }));
    requireSuccess(client.id, task);
  };
  await run('POST', '/indexes', { uid, primaryKey: 'id' });
  await run('PATCH', `/indexes/${uid}/settings`, settings);
}

async function copyBare(
  source: NodeClient,
  target: NodeClient,
  name: string,
  uid: string,
  ids: readonly string[],
): Promise<number> {
  const startedMs = performance.now();
  for (let at = 0; at < ids.length; at += CHUNK_DOCUMENTS) {
    const chunk = ids.slice(at, at + CHUNK_DOCUMENTS);
    const read = await source.request({
      method: 'POST',
      path: `/indexes/${name}/documents/fetch`,
      body: JSON.stringify({ ids: chunk, limit: chunk.length }),
    });
    const body = read.body.subarray(read.body.indexOf('['), read.body.lastIndexOf(']') + 1);
    const task = await target.enqueue({ method: 'POST', path: `/indexes/${uid}/documents`, body });
    requireSuccess(target.id, await target.waitTask(task));
  }
  return performance.now() - startedMs;
}

interface MeasuredMove {
  shard: number;
  ms: number;
  /** Durations by step. */
  steps: Map<string, number[]>;
}

/** Runs a change and reads from the audit of its moves how long each took, from snapshot to flip. */
async function moveShards(
  fleet: BenchFleet,
  store: Store,
  begin: () => Promise<string>,
): Promise<MeasuredMove[]> {
  const api = fleet.fleet.adminApi();
  const change = await waitForChange(api, await begin(), DEADLINE_MS, () => {});
  await api.close();
  // The sources are still kept: deleting them is not measured.
  if (!['done', 'retaining'].includes(change.status))
    throw new Error(`the change is ${change.status}: ${change.error}`);
  return Promise.all(change.moves.map((move) => measureOne(store, move)));
}

async function measureOne(store: Store, move: MoveRow): Promise<MeasuredMove> {
  const audit = await store.listSteps(move.id);
  const steps = new Map<string, number[]>();
  for (const { step, durationMs } of audit) steps.set(step, [...(steps.get(step) ?? []), durationMs]);
  const first = audit[0]!;
  const flip = audit.find(({ step }) => step.startsWith('flip'))!;
  const ms = Date.parse(flip.at) + flip.durationMs - Date.parse(first.at);
  return { shard: move.shard, ms, steps };
}
