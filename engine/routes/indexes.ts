// Indexes: create, list, get, update (primary key and name), delete.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { requireIndex } from '../application.js';
import { jsonBody } from '../bodies.js';
import type { IndexData } from '../index-data.js';
import { checkIndexUid, indexUidOf, type Query, type RouteContext } from '../route-context.js';
import { describeValue } from '../settings.js';

function indexView({ uid, createdAt, updatedAt, primaryKey }: IndexData): Record<string, unknown> {
  return { uid, createdAt, updatedAt, primaryKey };
}

interface IndexBody {
  uid?: string;
  primaryKey?: string | null;
}

function readBody(body: Record<string, unknown>): IndexBody {
  for (const [name, value] of Object.entries(body)) {
    if (name !== 'uid' && name !== 'primaryKey') {
      throw new ApiError('bad_request', `Unknown field \`${name}\`: expected one of \`uid\`, \`primaryKey\``);
    }
    if (typeof value === 'string' || value === null) continue;
    throw new ApiError(
      name === 'uid' ? 'invalid_index_uid' : 'invalid_index_primary_key',
      `Invalid value type at \`.${name}\`: expected a string, but found ${describeValue(value)}`,
    );
  }
  if (typeof body.uid === 'string') checkIndexUid(body.uid, 'Invalid value at `.uid`: ');
  return body as IndexBody;
}

export function indexRoutes(app: FastifyInstance, { engine, authorize, accept }: RouteContext): void {
  app.get('/indexes', (request) => {
    const access = authorize(request, 'indexes.get');
    const query = request.query as Query;
    const [offset, limit] = [Number(query.offset ?? 0), Number(query.limit ?? 20)];
    const all = [...engine.indexes.values()]
      .filter((index) => access.allowsIndex(index.uid))
      .sort((left, right) => (left.uid < right.uid ? -1 : 1));
    return { results: all.slice(offset, offset + limit).map(indexView), offset, limit, total: all.length };
  });

  app.post('/indexes', async (request, reply) => {
    const access = authorize(request, 'indexes.create');
    const { uid, primaryKey = null } = readBody(jsonBody(request));
    if (uid === undefined) throw new ApiError('missing_index_uid', 'Missing field `uid`');
    if (!access.allowsIndex(uid))
      throw new ApiError('invalid_api_key', 'The provided API key is invalid.', 403);
    return accept(reply, {
      indexUid: uid,
      type: 'indexCreation',
      operation: { do: 'createIndex', primaryKey },
      details: { primaryKey },
    });
  });

  app.get('/indexes/:uid', (request) => {
    const uid = indexUidOf(request);
    authorize(request, 'indexes.get', uid);
    return indexView(requireIndex(engine.indexes, uid));
  });

  app.patch('/indexes/:uid', async (request, reply) => {
    const uid = indexUidOf(request);
    authorize(request, 'indexes.update', uid);
    const { uid: newUid, primaryKey } = readBody(jsonBody(request));
    return accept(reply, {
      indexUid: uid,
      type: 'indexUpdate',
      operation: { do: 'updateIndex', primaryKey, newUid },
      details: {
        primaryKey: primaryKey ?? null,
        ...(newUid ? { oldIndexUid: uid, newIndexUid: newUid } : {}),
      },
    });
  });

  app.delete('/indexes/:uid', async (request, reply) => {
    const uid = indexUidOf(request);
    authorize(request, 'indexes.delete', uid);
    return accept(reply, {
      indexUid: uid,
      type: 'indexDeletion',
      operation: { do: 'deleteIndex' },
      details: { deletedDocuments: null },
    });
  });
}
