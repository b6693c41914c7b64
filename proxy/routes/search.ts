// Search routes: search, facet search, similar documents and /multi-search.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { readFacetSearchBody } from '../../shared/core/facet-search.js';
import { readSearchBody, readSearchParams, type SearchQuery } from '../../shared/core/search-request.js';
import { readSimilarBody, readSimilarParams } from '../../shared/core/similar-request.js';
import type { NodeRequest } from '../../shared/io/node-client.js';
import type { ProxyContext } from '../context.js';
import { runFacetSearch } from '../search/facet-search.js';
import { runMultiSearch } from '../search/multi-search.js';
import { referToNode } from '../search/refer.js';
import type { SearchOutcome } from '../search/run-search.js';
import { type AskedScoring, readScoring, runRanked } from '../search/scoring.js';
import { runSimilar } from '../search/similar.js';
import { requireVisibleIndex } from '../visible-indexes.js';

interface ByIndex {
  Params: { indexUid: string };
}

/** Asks for the BM25 mode, or against it. */
const SCORING = 'x-miroir-scoring';

/** Registers the search routes. */
export function registerSearchRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.post<ByIndex>('/indexes/:indexUid/search', async (request, reply) => {
    const body = () => request.bodyText ?? JSON.stringify(request.body);
    const scoring = readScoring(request.headers[SCORING]);
    const build = (name: string): NodeRequest => ({
      method: 'POST',
      path: `/indexes/${name}/search`,
      body: body(),
    });
    const query = readSearchBody(request.body);
    return sendOutcome(reply, await search(ctx, request.params.indexUid, query, scoring, build));
  });

  app.get<ByIndex>('/indexes/:indexUid/search', async (request, reply) => {
    const text = parametersOf(request.url);
    const query = readSearchParams(new URLSearchParams(text));
    const scoring = readScoring(request.headers[SCORING]);
    const build = (name: string): NodeRequest => ({
      method: 'GET',
      path: `/indexes/${name}/search?${text}`,
    });
    return sendOutcome(reply, await search(ctx, request.params.indexUid, query, scoring, build));
  });

  app.post<ByIndex>('/indexes/:indexUid/facet-search', async (request, reply) => {
    const { indexUid } = request.params;
    const query = readFacetSearchBody(request.body);
    const build = (name: string): NodeRequest => ({
      method: 'POST',
      path: `/indexes/${name}/facet-search`,
      body: request.bodyText ?? JSON.stringify(request.body),
    });
    if (query === null) return refer(ctx, indexUid, build);
    const run = () => runFacetSearch(ctx, indexUid, query, request.body as object);
    return sendOutcome(reply, await orRefer(ctx, indexUid, build, run));
  });

  app.post<ByIndex>('/indexes/:indexUid/similar', async (request, reply) => {
    const { indexUid } = request.params;
    const text = request.bodyText ?? JSON.stringify(request.body);
    const query = readSimilarBody(request.body, text);
    if (query !== null) return sendOutcome(reply, await runSimilar(ctx, indexUid, query));
    return refer(ctx, indexUid, (name) => ({ method: 'POST', path: `/indexes/${name}/similar`, body: text }));
  });

  app.get<ByIndex>('/indexes/:indexUid/similar', async (request, reply) => {
    const { indexUid } = request.params;
    const text = parametersOf(request.url);
    const query = readSimilarParams(new URLSearchParams(text));
    if (query !== null) return sendOutcome(reply, await runSimilar(ctx, indexUid, query));
    return refer(ctx, indexUid, (name) => ({ method: 'GET', path: `/indexes/${name}/similar?${text}` }));
  });

  app.post('/multi-search', async (request, reply) => {
    const scoring = readScoring(request.headers[SCORING]);
    return sendOutcome(reply, await runMultiSearch(ctx, request.body, scoring));
  });
}

function parametersOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at + 1);
}

/** Runs a query. What cannot be read, and what is not supported yet, is shown to a node: it may be wrong as well. */
function search(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery | null,
  scoring: AskedScoring | null,
  build: (name: string) => NodeRequest,
): Promise<SearchOutcome> {
  if (query === null) return refer(ctx, uid, build);
  return orRefer(ctx, uid, build, () => runRanked(ctx, uid, query, scoring));
}

async function orRefer(
  ctx: ProxyContext,
  uid: string,
  build: (name: string) => NodeRequest,
  run: () => Promise<SearchOutcome>,
): Promise<SearchOutcome> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ApiError && error.code === 'miroir_not_supported')
      return refer(ctx, uid, build, error);
    throw error;
  }
}

async function refer(
  ctx: ProxyContext,
  uid: string,
  build: (name: string) => NodeRequest,
  accepted?: ApiError,
): Promise<never> {
  const hold = ctx.watcher.acquire('search');
  try {
    const index = requireVisibleIndex(hold.topology, uid);
    return await referToNode(ctx, hold.topology, index, (names) => build(names(uid)), accepted);
  } finally {
    hold.release();
  }
}

function sendOutcome(reply: FastifyReply, outcome: SearchOutcome): FastifyReply {
  const shards = [...new Set(outcome.unavailable)].sort((a, b) => a - b).join(', ');
  const degraded = [...(shards === '' ? [] : [`shards ${shards}`]), ...new Set(outcome.flaws)].join('; ');
  if (degraded !== '') reply.header('x-miroir-degraded', degraded);
  return reply.type('application/json').send(Buffer.from(outcome.text, 'latin1'));
}
