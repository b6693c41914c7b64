// Reading documents: one from the owner of its shard, many from one in-sync replica of every shard.
import { isDocumentId } from '../../shared/core/document-ids.js';
import { ApiError } from '../../shared/core/errors.js';
import { stripField } from '../../shared/core/json-text.js';
import { shardOf } from '../../shared/core/placement.js';
import { findHiddenFilter } from '../../shared/core/search-judge.js';
import { withShards } from '../../shared/core/search-plan.js';
import { compareText } from '../../shared/core/setting-kinds.js';
import { SHARD_FIELD, type TopologyIndex } from '../../shared/core/topology.js';
import type { NodeResponse } from '../../shared/io/node-client.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';
import { nodeError, referToNode } from '../search/refer.js';
import { requireVisibleIndex } from '../visible-indexes.js';
import type { FetchQuery } from './fetch-query.js';
import { mergeDocuments } from './merge-documents.js';

const ATTEMPTS = 3;

/** Runs `read` on a topology that is still valid when it is done. */
async function withTopology<T>(
  ctx: ProxyContext,
  uid: string,
  read: (index: TopologyIndex, hold: TopologyHold) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const hold = ctx.watcher.acquire('search');
    try {
      const answer = await read(requireVisibleIndex(hold.topology, uid), hold);
      if (hold.stillValid()) return answer;
    } finally {
      hold.release();
    }
  }
  throw new ApiError(
    'miroir_topology_changed',
    'The topology kept changing while documents were read; try again.',
  );
}

export interface DocumentQuery {
  fields: string[] | null;
  retrieveVectors: boolean;
}

/** One document as its node has it, without the hidden field. */
export function readDocument(
  ctx: ProxyContext,
  uid: string,
  id: string,
  query: DocumentQuery,
): Promise<Uint8Array> {
  return withTopology(ctx, uid, async (index, hold) => {
    // No document can have such an id; a node would answer the same.
    if (!isDocumentId(id)) throw new ApiError('document_not_found', `Document \`${id}\` not found.`);
    const parameters = new URLSearchParams();
    if (query.fields !== null) parameters.set('fields', query.fields.join(','));
    if (query.retrieveVectors) parameters.set('retrieveVectors', 'true');
    const [answer] = await scatter(ctx, hold, index, {
      stickyKey: id,
      deadlineMs: ctx.options.searchDeadlineMs,
      shards: [shardOf(id, index.shardCount, ctx.hash)],
      build: (_shards, node, current) => ({
        method: 'GET',
        path: `/indexes/${current.physicalNames[node]}/documents/${id}?${parameters}`,
      }),
    });
    const { response } = answer!;
    if (response.status >= 400) throw nodeError(hold.topology, index, response);
    return stripField(response.body, SHARD_FIELD);
  });
}

/** A page of documents in the order of `sort`, then of the primary key; the answer's body. */
export function readDocuments(ctx: ProxyContext, uid: string, query: FetchQuery): Promise<Uint8Array> {
  return withTopology(ctx, uid, async (index, hold) => {
    refuseHiddenParts(index, query);
    const sort = [...(query.sort ?? [])];
    if (index.primaryKey !== null) sort.push(`${index.primaryKey}:asc`);
    const asked = {
      offset: 0,
      limit: query.offset + query.limit,
      retrieveVectors: query.retrieveVectors,
      fields: query.fields ?? undefined,
      ids: query.ids ?? undefined,
      sort,
    };
    const answers = await scatter(ctx, hold, index, {
      stickyKey: JSON.stringify([query.filter, query.sort, query.ids]),
      deadlineMs: ctx.options.searchDeadlineMs,
      build: (shards, node, current) => ({
        method: 'POST',
        path: `/indexes/${current.physicalNames[node]}/documents/fetch`,
        // Makes the node add the values that it sorted by.
        headers: { 'meili-proxy-search': 'true' },
        body: `${JSON.stringify(asked).slice(0, -1)},"filter":${withShards(query.filter, shards)}}`,
      }),
    });
    const keyed = answers.filter((answer) => !lacksKey(index, query, answer.response));
    const refused = keyed.find((answer) => answer.response.status >= 400);
    if (refused !== undefined) throw nodeError(hold.topology, index, refused.response);
    return mergeDocuments(
      keyed.map((answer) => answer.response.body),
      query.offset,
      query.limit,
    );
  });
}

/** Whether a node refused for it has not got the primary key yet: then it has no documents either. */
function lacksKey(index: TopologyIndex, query: FetchQuery, { status, body }: NodeResponse): boolean {
  if (status !== 400 || index.primaryKey === null) return false;
  if (query.sort?.some((item) => item.replace(/:(?:asc|desc)$/, '') === index.primaryKey)) return false;
  return body.includes(`Attribute \`${index.primaryKey}\` is not sortable`);
}

/** Lets a node say what is wrong with a body that the proxy cannot read. */
export async function referFetch(ctx: ProxyContext, uid: string, body: string): Promise<never> {
  return withTopology(ctx, uid, (index, hold) =>
    referToNode(ctx, hold.topology, index, (names) => ({
      method: 'POST',
      path: `/indexes/${names(uid)}/documents/fetch`,
      body,
    })),
  );
}

/** What nodes would take, but a Meilisearch without the hidden parts would not. */
function refuseHiddenParts(index: TopologyIndex, query: FetchQuery): void {
  if (findHiddenFilter(query.filter) !== null) {
    throw new ApiError('invalid_document_filter', `Attribute \`${SHARD_FIELD}\` is not filterable.`);
  }
  const sortable = (index.settings.sortableAttributes ?? []) as string[];
  for (const item of query.sort ?? []) {
    const field = item.replace(/:(?:asc|desc)$/, '');
    if (field !== index.primaryKey || sortable.includes(field)) continue;
    const available =
      sortable.length === 0
        ? 'This index does not have configured sortable attributes.'
        : `Available sortable attributes are: \`${[...sortable].sort(compareText).join(', ')}\`.`;
    throw new ApiError('invalid_document_sort', `Attribute \`${field}\` is not sortable. ${available}`);
  }
}
