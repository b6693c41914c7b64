// Numbers an entry in the journal: decides on the newest topology, and again when the journal has moved on since.
import { randomUUID } from 'node:crypto';
import type { EntryMeta } from '../../shared/core/entries.js';
import { ApiError, type MeilisearchError } from '../../shared/core/errors.js';
import { placeShards } from '../../shared/core/placement.js';
import { summarizeTask, type TaskSummary } from '../../shared/core/tasks.js';
import { findIndex, type Topology, type TopologyIndex } from '../../shared/core/topology.js';
import type { AppendInput, AppendResult } from '../../shared/io/store.js';
import type { Hash64, ProxyContext } from '../context.js';

/** What to append, decided for one state of the index. */
export interface EntryDraft {
  meta: EntryMeta;
  /** Creates the index with this entry; only for an index that does not exist. */
  create?: { primaryKey: string | null };
  /** Fixes the primary key of an index that has none. */
  setPrimaryKey?: string | null;
  /** The draft holds only while nothing of the index was numbered after this entry and all before is finished. */
  quietSince?: number;
  /** The task fails with it; nothing is delivered. */
  failure?: MeilisearchError | null;
  stagingId?: string | null;
  details?: Record<string, unknown> | null;
}

/** Conflicts in a row after which a client is asked to come again: each means that another write got through. */
const MAX_ATTEMPTS = 20;

/**
 * Appends an entry that has no documents, or whose parts are staged already. `draft` is called again whenever the
 * index changed between the decision and the journal.
 */
export async function appendDraft(
  ctx: ProxyContext,
  indexUid: string,
  draft: (index: TopologyIndex | undefined, topology: Topology) => EntryDraft | Promise<EntryDraft>,
): Promise<TaskSummary> {
  const requestId = randomUUID();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const hold = ctx.watcher.acquire('write');
    let result: AppendResult;
    let meta: EntryMeta;
    try {
      const index = findIndex(hold.topology, indexUid);
      const entry = await draft(index, hold.topology);
      meta = entry.meta;
      result = await appendOnce(ctx, {
        requestId,
        indexUid,
        meta,
        stagingId: entry.stagingId ?? null,
        expected: {
          incarnation: index?.incarnation ?? null,
          primaryKey: index?.primaryKey ?? null,
          quietSince: entry.quietSince,
        },
        createIndex: entry.create ? createInput(hold.topology, entry.create.primaryKey, ctx.hash) : null,
        setPrimaryKey: entry.setPrimaryKey ?? null,
        failure: entry.failure ?? null,
        details: entry.details ?? null,
        fields: [entry.create?.primaryKey, entry.setPrimaryKey].filter((key) => typeof key === 'string'),
      });
    } finally {
      hold.release();
    }
    if (result.ok) return summarizeTask(result.seq, indexUid, meta, result.enqueuedAt);
    await ctx.watcher.refresh();
  }
  throw new ApiError(
    'miroir_topology_changed',
    `Index \`${indexUid}\` kept changing while the request was prepared. Send it again.`,
  );
}

/** A commit whose answer was lost is asked again under the same request id, which numbers it once. */
export async function appendOnce(ctx: ProxyContext, input: AppendInput): Promise<AppendResult> {
  try {
    return await ctx.store.appendEntry(input);
  } catch (error) {
    ctx.log.warn({ err: error, requestId: input.requestId }, 'the append did not answer; asking again');
    return ctx.store.appendEntry(input);
  }
}

/** How an entry creates its index: the committed assignment of every shard, computed for this epoch. */
export function createInput(
  topology: Topology,
  primaryKey: string | null,
  hash: Hash64,
): NonNullable<AppendInput['createIndex']> {
  const nodes = topology.nodes.filter((node) => node.state === 'active');
  if (nodes.length < topology.replicationFactor) {
    throw new ApiError(
      'miroir_shards_unavailable',
      `An index needs ${topology.replicationFactor} active nodes for its replicas, but only ${nodes.length} of ` +
        `${topology.nodes.length} nodes are active, so it cannot be created. Add nodes, or wait until they have joined.`,
    );
  }
  const assignment = placeShards({
    incarnationKey: topology.nextIncarnation,
    shardCount: topology.defaultShardCount,
    replicationFactor: topology.replicationFactor,
    nodes,
    hash,
  });
  return { epoch: topology.epoch, primaryKey, assignment };
}
