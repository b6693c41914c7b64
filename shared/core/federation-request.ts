// Reads a federated multi-search as Meilisearch 1.50 would. What it refuses, or what Miroir cannot do, is left to a
// node: null means so.
import { ApiError } from './errors.js';
import { readSearchBody, type SearchQuery } from './search-request.js';

export interface FederatedQuery {
  readonly uid: string;
  readonly query: SearchQuery;
  readonly weight: number;
  /** The position in the request, which answers and errors name, and which decides between equal hits. */
  readonly position: number;
}

export interface Federation {
  readonly queries: readonly FederatedQuery[];
  readonly paging: FederationPaging;
  /** Patterns of facets by index; null asks for none. */
  readonly facetsByIndex: ReadonlyMap<string, readonly string[] | null>;
  readonly mergeFacets: { readonly maxValues: number | null } | null;
  readonly distinct: string | null;
  readonly showPerformanceDetails: boolean;
}

export interface FederationPaging {
  readonly mode: 'offset' | 'page';
  readonly skip: number;
  readonly take: number;
  /** From the top. */
  readonly required: number;
  /** offset and limit, or page and hitsPerPage. */
  readonly first: number;
  readonly second: number;
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

/** The request in a parsed body, or null when a node must say what is wrong with it. */
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

function readFederatedQuery(item: unknown, at: number, distinct: string | null): FederatedQuery | null {
  if (!isObject(item)) return null;
  const { indexUid, federationOptions = null, ...rest } = item;
  if (typeof indexUid !== 'string' || !INDEX_UID.test(indexUid)) return null;
  const weight = readWeight(federationOptions);
  if (weight === null) return null;
  for (const name of NULLABLE) if (rest[name] === null) delete rest[name];
  const query = readSearchBody(rest);
  if (query === null) return null;
  if (NOT_IN_QUERIES.some((name) => (query[name] ?? null) !== null)) return null;
  if ((query.facets ?? []).length > 0 || query.useNetwork) return null;
  if (distinct !== null && (query.distinct ?? null) !== null) return null;
  const { facets, useNetwork, ...plain } = query;
  return { uid: indexUid, query: plain, weight, position: at };
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

const DEFAULT_LIMIT = 20;

function readFederationPaging(federation: Record<string, unknown>): FederationPaging | null {
  const { limit = DEFAULT_LIMIT, offset = 0, page = null, hitsPerPage = null } = federation;
  if (!isCount(limit) || !isCount(offset)) return null;
  if (page !== null && !isCount(page)) return null;
  if (hitsPerPage !== null && !isCount(hitsPerPage)) return null;
  if (page === null && hitsPerPage === null) {
    return {
      mode: 'offset',
      skip: offset,
      take: limit,
      required: offset + limit,
      first: offset,
      second: limit,
    };
  }
  const number = page ?? 1;
  const size = hitsPerPage ?? DEFAULT_LIMIT;
  const shown = { mode: 'page', first: number, second: size } as const;
  if (number === 0) return { ...shown, skip: 0, take: 0, required: 0 };
  return { ...shown, skip: (number - 1) * size, take: size, required: number * size };
}

/** Names the query that an error is about, as Meilisearch does. A missing index is the body's fault here. */
export function atQuery(error: Error, position: number): Error {
  if (!(error instanceof ApiError)) return error;
  const status = error.code === 'index_not_found' ? 400 : error.status;
  return new ApiError(error.code, `Inside \`.queries[${position}]\`: ${error.message}`, status);
}
