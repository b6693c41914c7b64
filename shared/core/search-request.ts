// Reads a search request as Meilisearch 1.50 would. What only Meilisearch can judge (wrong types, unknown fields, bad
// filters) is left to a node, whose error is relayed: `null` means so.
import { LOCALES } from './setting-table.js';

export type MatchingStrategy = 'last' | 'all' | 'frequency';

/** The parameters of POST /indexes/:uid/search; absent ones have Meilisearch's default. */
export interface SearchQuery {
  q?: string | null;
  offset?: number;
  limit?: number;
  page?: number | null;
  hitsPerPage?: number | null;
  attributesToRetrieve?: string[] | null;
  attributesToCrop?: string[] | null;
  cropLength?: number;
  cropMarker?: string;
  attributesToHighlight?: string[] | null;
  highlightPreTag?: string;
  highlightPostTag?: string;
  showMatchesPosition?: boolean;
  filter?: unknown;
  sort?: string[] | null;
  distinct?: string | null;
  facets?: string[] | null;
  matchingStrategy?: MatchingStrategy;
  attributesToSearchOn?: string[] | null;
  rankingScoreThreshold?: number | null;
  locales?: string[] | null;
  hybrid?: unknown;
  vector?: unknown;
  retrieveVectors?: boolean;
  media?: unknown;
  personalize?: unknown;
  useNetwork?: boolean | null;
  showRankingScore?: boolean;
  showRankingScoreDetails?: boolean;
  showPerformanceDetails?: boolean;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isNames = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isAnything = (): boolean => true;
const orNull =
  (accepts: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || accepts(value);

const FIELDS: Record<keyof SearchQuery, (value: unknown) => boolean> = {
  q: orNull(isText),
  offset: isCount,
  limit: isCount,
  page: orNull(isCount),
  hitsPerPage: orNull(isCount),
  attributesToRetrieve: orNull(isNames),
  attributesToCrop: orNull(isNames),
  cropLength: isCount,
  cropMarker: isText,
  attributesToHighlight: orNull(isNames),
  highlightPreTag: isText,
  highlightPostTag: isText,
  showMatchesPosition: isFlag,
  filter: isAnything,
  sort: orNull(isNames),
  distinct: orNull(isText),
  facets: orNull(isNames),
  matchingStrategy: (value) => value === 'last' || value === 'all' || value === 'frequency',
  attributesToSearchOn: orNull(isNames),
  rankingScoreThreshold: orNull((value) => typeof value === 'number' && value >= 0 && value <= 1),
  locales: orNull(isNames),
  hybrid: isAnything,
  vector: isAnything,
  retrieveVectors: isFlag,
  media: isAnything,
  personalize: isAnything,
  useNetwork: orNull(isFlag),
  showRankingScore: isFlag,
  showRankingScoreDetails: isFlag,
  showPerformanceDetails: isFlag,
};

/** The query in a parsed body, or null when a node must say what is wrong with it. */
export function readSearchBody(body: unknown): SearchQuery | null {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return null;
  for (const [key, value] of Object.entries(body)) {
    const accepts = Object.hasOwn(FIELDS, key) ? FIELDS[key as keyof SearchQuery] : undefined;
    if (!accepts?.(value)) return null;
  }
  return body as SearchQuery;
}

const COUNTS = new Set(['offset', 'limit', 'page', 'hitsPerPage', 'cropLength']);
const FLAGS = new Set([
  'showMatchesPosition',
  'retrieveVectors',
  'useNetwork',
  'showRankingScore',
  'showRankingScoreDetails',
  'showPerformanceDetails',
]);
const LISTS = new Set([
  'attributesToRetrieve',
  'attributesToCrop',
  'attributesToHighlight',
  'facets',
  'attributesToSearchOn',
  'locales',
]);
/** Parameters of GET that stand for a whole object of POST. */
const GET_ONLY: Record<string, keyof SearchQuery> = { personalizeUserContext: 'personalize' };

/** The query in the parameters of a GET, or null when a node must say what is wrong with them. */
export function readSearchParams(params: Iterable<readonly [string, string]>): SearchQuery | null {
  const body: Record<string, unknown> = {};
  const hybrid: Record<string, unknown> = {};
  for (const [key, value] of params) {
    if (key === 'hybridEmbedder') hybrid.embedder = value;
    else if (key === 'hybridSemanticRatio') hybrid.semanticRatio = readNumber(value);
    if (key === 'hybridEmbedder' || key === 'hybridSemanticRatio') continue;
    const name = GET_ONLY[key] ?? key;
    body[name] = readParam(name, value);
  }
  if (Object.keys(hybrid).length > 0) body.hybrid = hybrid;
  // What is missing is named otherwise than in a body.
  const needsEmbedder = hybrid.semanticRatio !== undefined || body.vector !== undefined;
  if (needsEmbedder && hybrid.embedder === undefined) return null;
  if (Number.isNaN(hybrid.semanticRatio)) return null;
  if (Array.isArray(body.vector) && body.vector.some(Number.isNaN)) return null;
  // Words for an unknown locale differ from those for a body.
  const locales = (body.locales ?? []) as string[];
  if (locales.some((locale) => !LOCALES.includes(locale))) return null;
  return body.media === undefined ? readSearchBody(body) : null;
}

function readParam(name: string, value: string): unknown {
  if (COUNTS.has(name)) return /^\+?\d+$/.test(value) ? Number(value) : value;
  if (FLAGS.has(name)) return value === 'true' ? true : value === 'false' ? false : value;
  if (LISTS.has(name)) return value.split(',').filter((item) => item !== '');
  if (name === 'sort') return splitSort(value);
  if (name === 'vector') return value.split(',').map(readNumber);
  if (name === 'filter') return readFilter(value);
  if (name === 'rankingScoreThreshold') return value.trim() === value && value !== '' ? Number(value) : value;
  return value;
}

function readNumber(value: string): number {
  return /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
}

function readFilter(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Splits at commas, but not inside `_geoPoint(…)`. */
function splitSort(value: string): string[] {
  const out: string[] = [];
  let open = false;
  for (const piece of value.replace(/^"+|"+$/g, '').split(',')) {
    const item = piece.trim();
    if (item.startsWith('_geoPoint(')) {
      out.push(item);
      open = true;
    } else if (open) {
      out[out.length - 1] += `,${item}`;
      if (/\):(asc|desc)$/.test(item)) open = false;
    } else {
      out.push(item);
    }
  }
  return out;
}

/** Which hits a query wants, and how the answer tells about pages. */
export interface Paging {
  readonly mode: 'offset' | 'page';
  readonly skip: number;
  readonly take: number;
  /** From the top, capped by the index's maxTotalHits; of a federation, not capped. */
  readonly required: number;
  /** offset and limit, or page and hitsPerPage, as the answer repeats them. */
  readonly first: number;
  readonly second: number;
}

const DEFAULT_LIMIT = 20;

/** The paging of a query: page and hitsPerPage win over offset and limit. */
export function readPaging(
  query: Pick<SearchQuery, 'offset' | 'limit' | 'page' | 'hitsPerPage'>,
  maxTotalHits: number,
): Paging {
  const { page = null, hitsPerPage = null } = query;
  if (page === null && hitsPerPage === null) {
    const offset = query.offset ?? 0;
    const limit = query.limit ?? DEFAULT_LIMIT;
    const required = Math.min(offset + limit, maxTotalHits);
    return { mode: 'offset', skip: offset, take: limit, required, first: offset, second: limit };
  }
  const number = page ?? 1;
  const size = hitsPerPage ?? DEFAULT_LIMIT;
  const paging = { mode: 'page', first: number, second: size } as const;
  if (number === 0) return { ...paging, skip: 0, take: 0, required: 0 };
  return {
    ...paging,
    skip: (number - 1) * size,
    take: size,
    required: Math.min(number * size, maxTotalHits),
  };
}
