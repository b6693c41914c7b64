// Reads a request for similar documents as Meilisearch 1.50 would. What only Meilisearch can judge is left to a node.
import { memberText } from './json-scan.js';

/** The parameters of /indexes/:uid/similar. */
export interface SimilarQuery {
  /** A number in the request is its digits here. */
  id: string;
  embedder: string;
  offset?: number;
  limit?: number;
  filter?: unknown;
  attributesToRetrieve?: string[] | null;
  retrieveVectors?: boolean;
  showRankingScore?: boolean;
  showRankingScoreDetails?: boolean;
  showPerformanceDetails?: boolean;
  rankingScoreThreshold?: number | null;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isAnything = (): boolean => true;

const FIELDS: Record<keyof SimilarQuery, (value: unknown) => boolean> = {
  id: isText,
  embedder: isText,
  offset: isCount,
  limit: isCount,
  filter: isAnything,
  attributesToRetrieve: (value) => value === null || (Array.isArray(value) && value.every(isText)),
  retrieveVectors: isFlag,
  showRankingScore: isFlag,
  showRankingScoreDetails: isFlag,
  showPerformanceDetails: isFlag,
  rankingScoreThreshold: (value) => value === null || (typeof value === 'number' && value >= 0 && value <= 1),
};

/** The query in a parsed body, or null when a node must say what is wrong with it. `text` is the body itself. */
export function readSimilarBody(body: unknown, text: string): SimilarQuery | null {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return null;
  const { id, ...rest } = body as Record<string, unknown>;
  // A JSON parser rounds ids beyond 2^53.
  const digits = typeof id === 'number' ? memberText(text, text.indexOf('{'), 'id') : id;
  if (typeof digits !== 'string' || (typeof id === 'number' && !/^-?\d+$/.test(digits))) return null;
  return readFields({ ...rest, id: digits });
}

function readFields(fields: Record<string, unknown>): SimilarQuery | null {
  if (fields.id === undefined || fields.embedder === undefined) return null;
  for (const [key, value] of Object.entries(fields)) {
    const accepts = Object.hasOwn(FIELDS, key) ? FIELDS[key as keyof SimilarQuery] : undefined;
    if (!accepts?.(value)) return null;
  }
  return fields as unknown as SimilarQuery;
}

/** The query in the parameters of a GET, or null when a node must say what is wrong with them. */
export function readSimilarParams(params: Iterable<readonly [string, string]>): SimilarQuery | null {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of params) fields[name] = readParam(name, value);
  return readFields(fields);
}

function readParam(name: string, value: string): unknown {
  if (name === 'offset' || name === 'limit') return /^\+?\d+$/.test(value) ? Number(value) : value;
  if (FIELDS[name as keyof SimilarQuery] === isFlag) {
    return value === 'true' ? true : value === 'false' ? false : value;
  }
  if (name === 'attributesToRetrieve') return value.split(',').filter((item) => item !== '');
  if (name === 'rankingScoreThreshold') return value.trim() === value && value !== '' ? Number(value) : value;
  if (name !== 'filter') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
