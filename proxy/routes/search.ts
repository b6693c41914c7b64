// Search routes: POST and GET /indexes/:uid/search, and /multi-search without federation.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { readSearchBody, readSearchParams, type SearchQuery } from '../../shared/core/search-request.js';
import type { NodeRequest } from '../../shared/io/node-client.js';
import type { ProxyContext } from '../context.js';
import { runMultiSearch } from '../search/multi-search.js';
import { referToNode } from '../search/refer.js';
import { runSearch, type SearchOutcome } from '../search/run-search.js';
import { requireVisibleIndex } from '../visible-indexes.js';

interface ByIndex {
  Params: { indexUid: string };
}

/** Registers the search routes. */
export function registerSearchRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.post<ByIndex>('/indexes/:indexUid/search', async (request, reply) => {
    const { indexUid } = request.params;
    const query = readSearchBody(request.body);
    if (query === null) {
      const body = request.bodyText ?? JSON.stringify(request.body);
      return refer(ctx, indexUid, (name) => ({ method: 'POST', path: `/indexes/${name}/search`, body }));
    }
    return sendOutcome(reply, await runSearch(ctx, indexUid, query));
  });

  app.get<ByIndex>('/indexes/:indexUid/search', async (request, reply) => {
    const { indexUid } = request.params;
    const at = request.url.indexOf('?');
    const search = at < 0 ? '' : request.url.slice(at + 1);
    const query = readSearchParams(new URLSearchParams(search));
    if (query === null) {
      return refer(ctx, indexUid, (name) => ({ method: 'GET', path: `/indexes/${name}/search?${search}` }));
    }
    refuseLoneVector(search, query);
    return sendOutcome(reply, await runSearch(ctx, indexUid, query));
  });

  app.post('/multi-search', async (request, reply) => {
    return sendOutcome(reply, await runMultiSearch(ctx, request.body));
  });
}

/** A vector without an embedder is Meilisearch's own error; anything else about vectors is not supported yet. */
function refuseLoneVector(search: string, query: SearchQuery): void {
  if (query.vector === undefined || query.hybrid !== undefined || search === '') return;
  throw new ApiError('missing_search_hybrid', '`hybridEmbedder` is mandatory when `vector` is present');
}

async function refer(ctx: ProxyContext, uid: string, build: (name: string) => NodeRequest): Promise<never> {
  const hold = ctx.watcher.acquire('search');
  try {
    const index = requireVisibleIndex(hold.topology, uid);
    return await referToNode(ctx, hold.topology, index, (names) => build(names(uid)));
  } finally {
    hold.release();
  }
}

function sendOutcome(reply: FastifyReply, outcome: SearchOutcome): FastifyReply {
  if (outcome.unavailable.length > 0) {
    reply.header(
      'x-miroir-degraded',
      `shards ${[...new Set(outcome.unavailable)].sort((a, b) => a - b).join(', ')}`,
    );
  }
  return reply.type('application/json').send(Buffer.from(outcome.text, 'latin1'));
}
