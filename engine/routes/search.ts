// Search over one index, and several searches in one request.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { requireIndex } from '../application.js';
import { jsonBody } from '../bodies.js';
import { checkIndexUid, indexUidOf, type Query, type RouteContext, sendJson } from '../route-context.js';
import { search } from '../search.js';
import { readSearchBody, readSearchQuery } from '../search-parameters.js';

export function searchRoutes(app: FastifyInstance, { engine, authorize }: RouteContext): void {
  app.get('/indexes/:uid/search', (request, reply) => {
    const uid = indexUidOf(request);
    authorize(request, 'search', uid);
    const parameters = readSearchQuery(request.query as Query);
    return sendJson(reply, search(requireIndex(engine.indexes, uid), parameters));
  });

  app.post('/indexes/:uid/search', (request, reply) => {
    const uid = indexUidOf(request);
    authorize(request, 'search', uid);
    const parameters = readSearchBody(jsonBody(request));
    return sendJson(reply, search(requireIndex(engine.indexes, uid), parameters));
  });

  app.post('/multi-search', (request, reply) => {
    authorize(request, 'search');
    const { queries, federation } = jsonBody<{ queries?: Record<string, unknown>[]; federation?: unknown }>(
      request,
    );
    if (federation) throw new ApiError('feature_not_enabled', 'The embedded engine has no federated search.');
    if (!Array.isArray(queries))
      throw new ApiError('missing_multi_search_queries', 'Missing field `queries`');
    const parsed = queries.map(({ indexUid, ...body }, at) => {
      if (indexUid === undefined) {
        throw new ApiError('missing_index_uid', `Missing field \`indexUid\` inside \`.queries[${at}]\``);
      }
      checkIndexUid(String(indexUid), `Invalid value at \`.queries[${at}].indexUid\`: `);
      return { uid: String(indexUid), parameters: readSearchBody(body, `.queries[${at}]`) };
    });
    for (const { uid } of parsed) authorize(request, 'search', uid);
    const results = parsed.map(({ uid, parameters }, at) => {
      try {
        return search(requireIndex(engine.indexes, uid), parameters, [['indexUid', JSON.stringify(uid)]]);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        throw new ApiError(error.code, `Inside \`.queries[${at}]\`: ${error.message}`, 400);
      }
    });
    return sendJson(reply, `{"results":[${results.join(',')}]}`);
  });
}
