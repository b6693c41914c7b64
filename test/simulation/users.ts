// What clients do through a proxy: writes by the real path from draft to number, searches by the real scatter; and what
// an answer must hold.
import { scatter } from '../../proxy/scatter.js';
import { withIndex } from '../../proxy/search/spread-request.js';
import { appendDraft, type EntryDraft } from '../../proxy/write/append.js';
import { Staging } from '../../proxy/write/staging.js';
import type { EntryMeta } from '../../shared/core/entries.js';
import { ApiError, meilisearchError } from '../../shared/core/errors.js';
import { shardOf } from '../../shared/core/placement.js';
import { nodeBody, planSearch } from '../../shared/core/search-plan.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import { StoreUnavailable } from '../../shared/io/store-failure.js';
import type { Write } from './model.js';
import type { Fields } from './node-documents.js';
import { type ProxyProcess, SEARCH_MS, type World } from './world.js';

/** Sends a write; nothing is known of it when its proxy dies, and its client gives up when it is refused. */
export async function sendWrite(world: World, proxy: ProxyProcess, uid: string, write: Write): Promise<void> {
  try {
    const summary = await appendDraft(proxy.ctx, uid, (index, topology) =>
      draft(world, proxy, uid, write, index, topology.defaultShardCount),
    );
    const rows = await world.query('SELECT 1 FROM journal WHERE seq = ?', [summary.taskUid]);
    if (rows.length === 0)
      world.violate(`task ${summary.taskUid} was acknowledged, and is not in the journal`);
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof StoreUnavailable)) throw error;
    world.say(`${proxy.process.name} refuses a write: ${error.message}`);
  }
}

async function draft(
  world: World,
  proxy: ProxyProcess,
  uid: string,
  write: Write,
  index: TopologyIndex | undefined,
  defaultShardCount: number,
): Promise<EntryDraft> {
  const { ctx } = proxy;
  const remember = (meta: EntryMeta, primaryKey: string | null = null) => {
    world.writes.set(meta, { uid, write, primaryKey });
    return meta;
  };
  const missing = () => ({ failure: meilisearchError('index_not_found', `Index \`${uid}\` not found.`) });
  const shardCount = index?.shardCount ?? defaultShardCount;
  switch (write.kind) {
    case 'put':
    case 'patch': {
      const primaryKey = index?.primaryKey ?? inferKey(write.documents);
      const meta = remember(
        {
          kind: 'documentAdditionOrUpdate',
          method: write.kind === 'put' ? 'replace' : 'update',
          primaryKey: null,
          receivedDocuments: write.documents.length,
        },
        primaryKey,
      );
      const keyless = write.documents.some((document) => document[primaryKey] === undefined);
      const failure = keyless ? meilisearchError('missing_document_id', 'a document has no id') : null;
      const staging = new Staging(ctx.store);
      for (const document of failure ? [] : write.documents) {
        const shard = shardOf(String(document[primaryKey]), shardCount, world.hash);
        staging.addDocument(shard, Buffer.from(JSON.stringify(document)), false);
      }
      return {
        meta,
        failure,
        create: index ? undefined : { primaryKey: failure ? null : primaryKey },
        setPrimaryKey: index && index.primaryKey === null && !failure ? primaryKey : null,
        stagingId: await staging.settle(),
      };
    }
    case 'delete': {
      const meta = {
        kind: 'documentDeletion',
        mode: 'ids',
        providedIds: write.ids.length,
        filter: null,
      } as const;
      const staging = new Staging(ctx.store);
      for (const id of write.ids) staging.addId(shardOf(id, shardCount, world.hash), id);
      if (!index) return { meta: remember({ ...meta }), ...missing() };
      return { meta: remember({ ...meta }), stagingId: await staging.settle() };
    }
    case 'delete-by-filter': {
      const filter = JSON.stringify(`${write.field} = ${write.value}`);
      const meta = remember({ kind: 'documentDeletion', mode: 'filter', providedIds: 0, filter });
      return index ? { meta } : { meta, ...missing() };
    }
    case 'clear': {
      const meta = remember({ kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null });
      return index ? { meta } : { meta, ...missing() };
    }
    case 'settings': {
      const patch = { filterableAttributes: write.filterable };
      const meta = remember({ kind: 'settingsUpdate', patch, isDeletion: false });
      return index ? { meta } : { meta, create: { primaryKey: null } };
    }
    case 'create-index': {
      const meta = remember({ kind: 'indexCreation', primaryKey: 'id' });
      if (!index) return { meta, create: { primaryKey: 'id' } };
      return { meta, failure: meilisearchError('index_already_exists', 'there is one') };
    }
    case 'delete-index': {
      const meta = remember({ kind: 'indexDeletion' });
      return index ? { meta } : { meta, ...missing() };
    }
  }
}

/** As Meilisearch: the field whose name ends in id. */
function inferKey(documents: readonly Fields[]): string {
  return Object.keys(documents[0] ?? {}).find((field) => field.endsWith('id')) ?? 'id';
}

interface Gathered {
  incarnation: number;
  found: Map<string, Fields>;
  twice: string | null;
}

/** Searches, and judges the answer by what had succeeded when it was asked for. */
export async function sendSearch(world: World, proxy: ProxyProcess, uid: string): Promise<void> {
  const lows = await finished(world, uid);
  let gathered: Gathered;
  try {
    gathered = await withIndex(proxy.ctx, uid, async (hold, index) => {
      const plan = planSearch({ limit: 10_000 }, index);
      const answers = await scatter(proxy.ctx, hold, index, {
        stickyKey: String(world.random.below(1_000)),
        deadlineMs: SEARCH_MS,
        build: (shards, node, current, alone) => ({
          method: 'POST',
          path: `/indexes/${current.physicalNames[node]}/search`,
          body: nodeBody(plan, shards, alone),
        }),
      });
      if (answers.some(({ response }) => response.status !== 200)) return null;
      const found = new Map<string, Fields>();
      let twice: string | null = null;
      for (const { response } of answers) {
        for (const hit of (JSON.parse(response.body.toString('utf8')) as { hits: Fields[] }).hits) {
          const id = String(hit[index.primaryKey ?? 'id']);
          if (found.has(id)) twice = id;
          found.set(id, hit);
        }
      }
      return { incarnation: index.incarnation, found, twice };
    });
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof StoreUnavailable)) throw error;
    world.say(`${proxy.process.name} refuses a search: ${error.message}`);
    await judgeMissing(world, uid, error, lows);
    return;
  }
  const [head] = await world.query<{ seq: number }>('SELECT MAX(seq) AS seq FROM journal');
  const { incarnation, found, twice } = gathered;
  const index = world.model.indexes.get(incarnation);
  if (index?.deletedSeq !== null || world.answersMayBeOld) return;
  const wrong =
    twice === null
      ? world.model.judge(incarnation, found, lows.get(incarnation) ?? -1, head?.seq ?? -1)
      : `document ${twice} is there twice`;
  if (wrong !== null)
    world.violate(
      `a search through ${proxy.process.name} at epoch ${proxy.watcher.current().epoch}: ${wrong}`,
    );
}

/** The last task that had succeeded or failed, of each incarnation of an index. */
async function finished(world: World, uid: string): Promise<Map<number, number>> {
  const rows = await world.query<{ incarnation: number; seq: number }>(
    `SELECT incarnation, MAX(seq) AS seq FROM journal WHERE index_uid = ? AND finished_at IS NOT NULL
       AND incarnation IS NOT NULL GROUP BY incarnation`,
    [uid],
  );
  return new Map(rows.map(({ incarnation, seq }) => [incarnation, seq]));
}

/** An index whose creation has succeeded is found, until its deletion is numbered. */
async function judgeMissing(
  world: World,
  uid: string,
  error: Error,
  lows: Map<number, number>,
): Promise<void> {
  if (!(error instanceof ApiError) || error.code !== 'index_not_found') return;
  for (const incarnation of lows.keys()) {
    if (world.model.indexes.get(incarnation)?.deletedSeq === null)
      world.violate(`a search does not find the index ${uid}, whose creation had succeeded`);
  }
}
