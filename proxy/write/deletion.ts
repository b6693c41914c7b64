// Deletions: by ids, split by shard as documents are; by filter and of everything, as barriers.
import { isDocumentId } from '../../shared/core/document-ids.js';
import type { DeletionMeta } from '../../shared/core/entries.js';
import { ApiError, meilisearchError } from '../../shared/core/errors.js';
import { printCompact } from '../../shared/core/json-print.js';
import { shardOf } from '../../shared/core/placement.js';
import { findHiddenFilter } from '../../shared/core/search-judge.js';
import type { TaskSummary } from '../../shared/core/tasks.js';
import { SHARD_FIELD, type Topology } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { nodeError } from '../search/refer.js';
import { appendDraft } from './append.js';
import { Staging } from './staging.js';

const indexMissing = (uid: string) => meilisearchError('index_not_found', `Index \`${uid}\` not found.`);

/** Deletes documents by their ids, as the client gave them. */
export async function deleteByIds(
  ctx: ProxyContext,
  indexUid: string,
  ids: readonly string[],
): Promise<TaskSummary> {
  const meta: DeletionMeta = {
    kind: 'documentDeletion',
    mode: 'ids',
    providedIds: ids.length,
    filter: null,
  };
  const attempts: Staging[] = [];
  let claimed: Staging | null = null;
  try {
    return await appendDraft(ctx, indexUid, async (index) => {
      claimed = null;
      if (index === undefined) return { meta, failure: indexMissing(indexUid) };
      const staging = new Staging(ctx.store);
      attempts.push(staging);
      for (const id of ids) {
        // An id that no document can have deletes nothing, as in Meilisearch.
        if (isDocumentId(id)) staging.addId(shardOf(id, index.shardCount, ctx.hash), id);
        if (staging.isFull) await staging.flush();
      }
      const stagingId = await staging.settle();
      claimed = staging;
      return { meta, stagingId };
    });
  } catch (error) {
    claimed = null;
    throw error;
  } finally {
    for (const staging of attempts) {
      if (staging === claimed) continue;
      await staging.drop().catch((error: unknown) => {
        ctx.log.warn({ err: error, stagingId: staging.id }, 'staged ids could not be dropped');
      });
    }
  }
}

/** Deletes every document of an index. */
export function deleteAll(ctx: ProxyContext, indexUid: string): Promise<TaskSummary> {
  const meta: DeletionMeta = { kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null };
  return appendDraft(ctx, indexUid, (index) => ({
    meta,
    failure: index === undefined ? indexMissing(indexUid) : null,
  }));
}

/** Deletes what a filter matches. A filter that cannot be parsed is refused here, as in Meilisearch. */
export async function deleteByFilter(
  ctx: ProxyContext,
  indexUid: string,
  filter: unknown,
): Promise<TaskSummary> {
  if (typeof filter !== 'string' && !Array.isArray(filter)) {
    const found = printCompact(JSON.stringify(filter));
    throw new ApiError(
      'invalid_document_filter',
      `Invalid syntax for the filter parameter: \`expected String, Array, found: ${found}\`.`,
    );
  }
  if ([filter].flat(3).every((item) => typeof item === 'string' && item.trim() === '')) {
    throw new ApiError('invalid_document_filter', 'Sending an empty filter is forbidden.');
  }
  await checkSyntax(ctx, indexUid, filter);
  const meta: DeletionMeta = {
    kind: 'documentDeletion',
    mode: 'filter',
    providedIds: 0,
    filter: JSON.stringify(filter),
  };
  const hidden = findHiddenFilter(filter) !== null;
  return appendDraft(ctx, indexUid, (index) => {
    if (index === undefined) return { meta, failure: indexMissing(indexUid) };
    if (!hidden) return { meta };
    const message = `Index \`${indexUid}\`: Attribute \`${SHARD_FIELD}\` is not filterable.`;
    return { meta, failure: meilisearchError('invalid_document_filter', message) };
  });
}

/** What a filter may refer to is judged when the task runs; only a node's other refusals are about its syntax. */
const JUDGED_LATER = /is not filterable|matched rule #|is not allowed for the/;

/** Asks some node, with any index that it has, whether the filter can be parsed. Without one it is not checked. */
async function checkSyntax(ctx: ProxyContext, indexUid: string, filter: unknown): Promise<void> {
  const hold = ctx.watcher.acquire('write');
  try {
    for (const { node, name, index } of candidates(ctx, hold.topology, indexUid)) {
      const response = await ctx.nodes
        .client(node)
        ?.request({
          method: 'POST',
          path: `/indexes/${name}/documents/fetch`,
          body: JSON.stringify({ filter, limit: 0 }),
          signal: AbortSignal.timeout(ctx.options.searchDeadlineMs),
        })
        .catch(() => undefined);
      if (response?.status === 200) return;
      if (response === undefined || response.status !== 400) continue;
      const error = nodeError(hold.topology, index, response);
      if (error.code !== 'invalid_document_filter') continue;
      if (JUDGED_LATER.test(error.message)) return;
      throw error;
    }
  } finally {
    hold.release();
  }
}

function candidates(ctx: ProxyContext, topology: Topology, indexUid: string) {
  return topology.indexes
    .filter((index) => index.deletedSeq === null)
    .sort((left, right) => Number(right.uid === indexUid) - Number(left.uid === indexUid))
    .slice(0, 3)
    .flatMap((index) => Object.entries(index.physicalNames).map(([node, name]) => ({ node, name, index })))
    .filter(({ node }) => Number.isFinite(ctx.nodes.cost(node)));
}
