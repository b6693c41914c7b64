// /multi-search: without federation every query is a search of its own, answered in the order of the request.
import { toByteText } from '../../shared/core/byte-text.js';
import { atQuery, readFederation, readIndexQuery } from '../../shared/core/federation-request.js';
import type { Flaw } from '../../shared/core/search-flaws.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import type { ProxyContext } from '../context.js';
import { NodeMustJudge, runFederation } from './federation.js';
import { referToNode } from './refer.js';
import { runAll } from './run-all.js';
import type { SearchOutcome } from './run-search.js';
import { type AskedScoring, runRanked } from './scoring.js';

interface IndexQuery {
  uid: string;
  query: SearchQuery;
}

/** Runs the queries of a body. Throws the error of the first one that fails, naming it as Meilisearch does. */
export async function runMultiSearch(
  ctx: ProxyContext,
  body: unknown,
  scoring: AskedScoring | null = null,
): Promise<SearchOutcome> {
  if (isFederated(body)) return runFederated(ctx, body);
  const queries = readQueries(body);
  if (queries === null) return refer(ctx, body);
  const outcomes = await runAll(queries, ({ uid, query }) =>
    runRanked(ctx, uid, query, scoring).catch((error: Error) => error),
  );
  const results: string[] = [];
  const unavailable: number[] = [];
  const flaws: Flaw[] = [];
  for (const [position, outcome] of outcomes.entries()) {
    if (outcome instanceof Error) throw atQuery(outcome, position);
    results.push(
      `{"indexUid":${toByteText(JSON.stringify(queries[position]!.uid))},${outcome.text.slice(1)}`,
    );
    unavailable.push(...outcome.unavailable);
    flaws.push(...(outcome.flaws ?? []));
  }
  return { text: `{"results":[${results.join(',')}]}`, unavailable, flaws };
}

function isFederated(body: unknown): boolean {
  return ((body as { federation?: unknown } | null)?.federation ?? null) !== null;
}

async function runFederated(ctx: ProxyContext, body: unknown): Promise<SearchOutcome> {
  const federation = readFederation(body);
  if (federation === null) return refer(ctx, body);
  try {
    return await runFederation(ctx, federation);
  } catch (error) {
    if (error instanceof NodeMustJudge) return refer(ctx, body);
    throw error;
  }
}

function readQueries(body: unknown): IndexQuery[] | null {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return null;
  const { queries, federation: _, ...unknown } = body as { queries?: unknown; federation?: unknown };
  if (Object.keys(unknown).length > 0 || !Array.isArray(queries)) return null;
  const read = queries.map((item) => {
    const query = readIndexQuery(item);
    return query?.options === null ? query : null;
  });
  return read.includes(null) ? null : (read as IndexQuery[]);
}

async function refer(ctx: ProxyContext, body: unknown): Promise<never> {
  const hold = ctx.watcher.acquire('search');
  try {
    return await referToNode(ctx, hold.topology, null, (names) => ({
      method: 'POST',
      path: '/multi-search',
      body: JSON.stringify(body, (key, value) => {
        if (key === 'indexUid' && typeof value === 'string') return names(value);
        return key === 'facetsByIndex' ? renameKeys(value, names) : value;
      }),
    }));
  } finally {
    hold.release();
  }
}

function renameKeys(value: unknown, names: (uid: string) => string): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([uid, item]) => [names(uid), item]));
}
