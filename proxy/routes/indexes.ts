// Indexes: create, list, read, update, delete, in Meilisearch's shapes. Reads answer from the topology.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError, meilisearchError } from '../../shared/core/errors.js';
import {
  immutableField,
  indexNotFound,
  indexUidProblem,
  requireIndexUid,
  unknownField,
  wrongKind,
} from '../../shared/core/field-errors.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { checkParameters, integerParameter } from '../parameters.js';
import { notSupported } from '../unsupported.js';
import { requireVisibleIndex, visibleIndexes } from '../visible-indexes.js';
import { appendDraft } from '../write/append.js';
import { countDocuments } from './stats.js';

interface UidParams {
  Params: { indexUid: string };
}

function viewIndex(index: TopologyIndex) {
  const { uid, createdAt, updatedAt, primaryKey } = index;
  return { uid, createdAt, updatedAt, primaryKey };
}

function requireObject(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw wrongKind('', 'an object', body, 'bad_request');
  }
  return body as Record<string, unknown>;
}

function optionalText(fields: Record<string, unknown>, key: string, code: string): string | null {
  const value = fields[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw wrongKind(`.${key}`, 'a string', value, code);
  return value;
}

function readCreation(body: unknown): { uid: string; primaryKey: string | null } {
  const fields = requireObject(body);
  const accepted = ['uid', 'primaryKey'];
  for (const key of Object.keys(fields)) if (!accepted.includes(key)) throw unknownField(key, accepted);
  const { uid } = fields;
  if (uid === undefined) throw new ApiError('missing_index_uid', 'Missing field `uid`');
  if (typeof uid !== 'string') throw wrongKind('.uid', 'a string', uid, 'invalid_index_uid');
  const problem = indexUidProblem(uid);
  if (problem !== null) throw new ApiError('invalid_index_uid', `Invalid value at \`.uid\`: ${problem}`);
  return { uid, primaryKey: optionalText(fields, 'primaryKey', 'invalid_index_primary_key') };
}

function readUpdate(body: unknown): { primaryKey: string | null; uid: string | null } {
  const fields = requireObject(body);
  const accepted = ['primaryKey', 'uid'];
  for (const key of Object.keys(fields)) {
    if (key === 'createdAt') throw immutableField(key, accepted, 'immutable_index_created_at');
    if (key === 'updatedAt') throw immutableField(key, accepted, 'immutable_index_updated_at');
    if (!accepted.includes(key)) throw unknownField(key, accepted);
  }
  return {
    primaryKey: optionalText(fields, 'primaryKey', 'invalid_index_primary_key'),
    uid: optionalText(fields, 'uid', 'invalid_index_uid'),
  };
}

export function registerIndexRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.get<{ Querystring: Record<string, string> }>('/indexes', async (request) => {
    checkParameters(request.query, ['offset', 'limit']);
    const offset = integerParameter(request.query, 'offset', 'invalid_index_offset') ?? 0;
    const limit = integerParameter(request.query, 'limit', 'invalid_index_limit') ?? 20;
    const hold = ctx.watcher.acquire('search');
    try {
      const all = visibleIndexes(hold.topology);
      return { results: all.slice(offset, offset + limit).map(viewIndex), offset, limit, total: all.length };
    } finally {
      hold.release();
    }
  });

  app.post('/indexes', async (request, reply) => {
    const { uid, primaryKey } = readCreation(request.body);
    const meta = { kind: 'indexCreation', primaryKey } as const;
    return accept(reply, () =>
      appendDraft(ctx, uid, (index) => {
        if (index === undefined) return { meta, create: { primaryKey } };
        return {
          meta,
          failure: meilisearchError('index_already_exists', `Index \`${uid}\` already exists.`),
        };
      }),
    );
  });

  app.get<UidParams>('/indexes/:indexUid', async (request) => {
    const hold = ctx.watcher.acquire('search');
    try {
      return viewIndex(requireVisibleIndex(hold.topology, request.params.indexUid));
    } finally {
      hold.release();
    }
  });

  app.patch<UidParams>('/indexes/:indexUid', async (request, reply) => {
    const uid = requireIndexUid(request.params.indexUid);
    const { primaryKey, uid: newUid } = readUpdate(request.body);
    if (newUid !== null) {
      requireIndexUid(newUid);
      if (newUid !== uid) throw notSupported('Renaming an index');
    }
    const meta = { kind: 'indexUpdate', primaryKey } as const;
    return accept(reply, () =>
      appendDraft(ctx, uid, async (index) => {
        if (index === undefined) return { meta, failure: indexNotFound(uid).toJSON() };
        if (primaryKey === null || index.primaryKey === primaryKey) return { meta };
        if (index.primaryKey === null) return { meta, setPrimaryKey: primaryKey };
        const quietSince = await findEmpty(ctx, index);
        if (quietSince !== null) return { meta, setPrimaryKey: primaryKey, quietSince };
        const message = `Index \`${uid}\`: Index already has a primary key: \`${index.primaryKey}\`.`;
        return { meta, failure: meilisearchError('index_primary_key_already_exists', message) };
      }),
    );
  });

  app.delete<UidParams>('/indexes/:indexUid', async (request, reply) => {
    const uid = requireIndexUid(request.params.indexUid);
    const meta = { kind: 'indexDeletion' } as const;
    return accept(reply, () =>
      appendDraft(ctx, uid, (index) =>
        index === undefined ? { meta, failure: indexNotFound(uid).toJSON() } : { meta },
      ),
    );
  });
}

/**
 * The last task of an index that has no documents, all its tasks finished and all its replicas at rest; else null.
 * Only such an index may change its primary key: every node must decide alike, whenever it comes to the entry.
 */
async function findEmpty(ctx: ProxyContext, index: TopologyIndex): Promise<number | null> {
  if (index.shards.some((replicas) => replicas.some(({ state }) => state !== 'in-sync'))) return null;
  const ofIndex = { indexUids: [index.uid], limit: 1 };
  const last = await ctx.store.listTasks(ofIndex);
  const open = await ctx.store.listTasks({ ...ofIndex, statuses: ['enqueued', 'processing'] });
  if (open.total > 0 || (await countDocuments(ctx, index)) > 0) return null;
  return last.rows[0]?.uid ?? -1;
}

/** 202 with the summary of the task. */
export async function accept<T>(reply: FastifyReply, append: () => Promise<T>): Promise<T> {
  const summary = await append();
  reply.code(202);
  return summary;
}
