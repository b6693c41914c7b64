// Reads a federated multi-search as Meilisearch 1.50 would. What it refuses, or what Miroir cannot do, is left to a
// node: null means so.
import { ApiError } from './errors.js';
import { type Paging, readPaging, readSearchBody, type SearchQuery } from './search-request.js';

export interface FederatedQuery {
  readonly uid: string;
  readonly query: SearchQuery;
  readonly weight: number;
  /** The position in the request, which answers and errors name, and which decides between equal hits. */
  readonly position: number;
}

export interface Federation {
  readonly queries: readonly FederatedQuery[];
  readonly paging: Paging;
  /** Patterns of facets by index; null asks for none. */
  readonly facetsByIndex: ReadonlyMap<string, readonly string[] | null>;
  readonly mergeFacets: { readonly maxValues: number | null } | null;
  readonly distinct: string | null;
  readonly showPerformanceDetails: boolean;
}

const INDEX_UID = /^[a-zA-Z0-9_-]{1,400}$/;
const FEDERATION_FIELDS = new Set([
  'limit',
  'offset',
  'page',
  'hitsPerPage',
  'facetsByIndex',
  'mergeFacets',
  'distinct',
  'showPerformanceDetails',
  'personalize',
]);
/** May be null in a query of a multi-search, unlike in a search of one index. */
const NULLABLE = ['offset', 'limit', 'showPerformanceDetails'] as const;
/** What belongs to the federation, not to its queries. */
const NOT_IN_QUERIES = [
  'offset',
  'limit',
  'page',
  'hitsPerPage',
  'personalize',
  'showPerformanceDetails',
] as const;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The federation in a parsed body, or null when a node must say what is wrong with it. */
export function readFederation(body: unknown): Federation | null {
  if (!isObject(body) || Object.keys(body).some((key) => key !== 'queries' && key !== 'federation'))
    return null;
  const { queries, federation } = body;
  if (!Array.isArray(queries) || !isObject(federation)) return null;
  if (Object.keys(federation).some((key) => !FEDERATION_FIELDS.has(key))) return null;
  const {
    distinct = null,
    mergeFacets = null,
    showPerformanceDetails = false,
    personalize = null,
  } = federation;
  if (distinct !== null && typeof distinct !== 'string') return null;
  if (typeof showPerformanceDetails !== 'boolean' || personalize !== null) return null;
  const paging = readFederationPaging(federation);
  const facetsByIndex = readFacets(federation.facetsByIndex ?? {});
  const merge = readMergeFacets(mergeFacets);
  if (paging === null || facetsByIndex === null || merge === undefined) return null;
  const read = queries.map((item, at) => readFederatedQuery(item, at, distinct));
  if (read.includes(null)) return null;
  const list = read as FederatedQuery[];
  return { queries: list, paging, facetsByIndex, mergeFacets: merge, distinct, showPerformanceDetails };
}

/** One query of a multi-search, federated or not, with the options that it has for a federation. */
export function readIndexQuery(item: unknown): { uid: string; query: SearchQuery; options: unknown } | null {
  if (!isObject(item)) return null;
  const { indexUid, federationOptions = null, ...rest } = item;
  if (typeof indexUid !== 'string' || !INDEX_UID.test(indexUid)) return null;
  for (const name of NULLABLE) if (rest[name] === null) delete rest[name];
  const query = readSearchBody(rest);
  return query === null ? null : { uid: indexUid, query, options: federationOptions };
}

function readFederatedQuery(item: unknown, at: number, distinct: string | null): FederatedQuery | null {
  const read = readIndexQuery(item);
  const weight = read === null ? null : readWeight(read.options);
  if (read === null || weight === null) return null;
  const { uid, query } = read;
  if (NOT_IN_QUERIES.some((name) => (query[name] ?? null) !== null)) return null;
  if ((query.facets ?? []).length > 0 || query.useNetwork) return null;
  if (distinct !== null && (query.distinct ?? null) !== null) return null;
  const { facets, useNetwork, ...plain } = query;
  return { uid, query: plain, weight, position: at };
}

/** The other options belong to Meilisearch's own network of nodes. */
function readWeight(options: unknown): number | null {
  if (options === null) return 1;
  if (!isObject(options)) return null;
  const { weight = 1, queryPosition = null, remote = null, ...unknown } = options;
  if (Object.keys(unknown).length > 0 || remote !== null || queryPosition !== null) return null;
  return typeof weight === 'number' && weight >= 0 ? weight : null;
}

function readFacets(value: unknown): Map<string, string[] | null> | null {
  if (!isObject(value)) return null;
  const out = new Map<string, string[] | null>();
  for (const [uid, patterns] of Object.entries(value)) {
    const fine =
      patterns === null || (Array.isArray(patterns) && patterns.every((item) => typeof item === 'string'));
    if (!fine || !INDEX_UID.test(uid)) return null;
    out.set(uid, patterns as string[] | null);
  }
  return out;
}

function readMergeFacets(value: unknown): { maxValues: number | null } | null | undefined {
  if (value === null) return null;
  if (!isObject(value)) return undefined;
  const { maxValuesPerFacet = null, ...unknown } = value;
  if (Object.keys(unknown).length > 0) return undefined;
  return maxValuesPerFacet === null || isCount(maxValuesPerFacet)
    ? { maxValues: maxValuesPerFacet }
    : undefined;
}

function readFederationPaging(federation: Record<string, unknown>): Paging | null {
  const { limit, offset, page = null, hitsPerPage = null } = federation;
  if ([limit, offset].some((value) => value !== undefined && !isCount(value))) return null;
  if ([page, hitsPerPage].some((value) => value !== null && !isCount(value))) return null;
  const given = { limit, offset, page, hitsPerPage } as Parameters<typeof readPaging>[0];
  return readPaging(given, Number.POSITIVE_INFINITY);
}

/** Names the query that an error is about, as Meilisearch does. A missing index is the body's fault here. */
export function atQuery(error: Error, position: number): Error {
  if (!(error instanceof ApiError)) return error;
  const status = error.code === 'index_not_found' ? 400 : error.status;
  return new ApiError(error.code, `Inside \`.queries[${position}]\`: ${error.message}`, status);
}
