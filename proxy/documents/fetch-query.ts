// What GET /documents and POST /documents/fetch ask for. What the proxy cannot read, a node is asked to refuse.
import {
  booleanParameter,
  checkParameters,
  integerParameter,
  type Query,
  textParameter,
} from '../parameters.js';
import { notSupported } from '../unsupported.js';

export interface FetchQuery {
  offset: number;
  limit: number;
  /** Null for all. */
  fields: string[] | null;
  retrieveVectors: boolean;
  filter: unknown;
  /** As JSON values; numbers and strings mean the same id. */
  ids: unknown[] | null;
  sort: string[] | null;
}

const PARAMETERS = ['offset', 'limit', 'fields', 'retrieveVectors', 'ids', 'filter', 'sort', 'useNetwork'];
const DEFAULT_LIMIT = 20;

/** Reads the parameters of GET /documents; throws ApiError. */
export function readFetchParameters(query: Query): FetchQuery {
  checkParameters(query, PARAMETERS);
  const filter = textParameter(query, 'filter');
  const ids = textParameter(query, 'ids');
  const sort = textParameter(query, 'sort');
  if (textParameter(query, 'useNetwork') === 'true') throw notSupported('The parameter `useNetwork`');
  return {
    offset: integerParameter(query, 'offset', 'invalid_document_offset') ?? 0,
    limit: integerParameter(query, 'limit', 'invalid_document_limit') ?? DEFAULT_LIMIT,
    fields: readFields(query),
    retrieveVectors: booleanParameter(query, 'retrieveVectors', 'invalid_document_retrieve_vectors') ?? false,
    filter: filter === undefined ? undefined : parsedOr(filter),
    ids: ids === undefined ? null : ids.split(',').filter((id) => id !== ''),
    sort: sort === undefined ? null : splitSort(sort),
  };
}

/** A comma-separated list of fields; null for all. */
export function readFields(query: Query): string[] | null {
  const text = textParameter(query, 'fields');
  if (text === undefined) return null;
  const fields = text.split(',');
  return fields.includes('*') ? null : fields;
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Commas within `_geoPoint(…)` do not separate. */
function splitSort(text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((item) => item.trim());
}

/** Reads the body of POST /documents/fetch; null when a node must say what is wrong with it. */
export function readFetchBody(body: unknown): FetchQuery | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  const given = body as Record<string, unknown>;
  if (Object.keys(given).some((key) => !PARAMETERS.includes(key))) return null;
  const {
    offset = 0,
    limit = DEFAULT_LIMIT,
    fields,
    retrieveVectors = false,
    filter,
    ids,
    sort,
    useNetwork,
  } = given;
  if (!isCount(offset) || !isCount(limit) || typeof retrieveVectors !== 'boolean') return null;
  if (!isTexts(fields) || !isTexts(sort) || !(ids === undefined || ids === null || Array.isArray(ids)))
    return null;
  if (filter !== undefined && filter !== null && typeof filter !== 'string' && !Array.isArray(filter))
    return null;
  if (useNetwork === true) throw notSupported('The parameter `useNetwork`');
  return {
    offset,
    limit,
    fields: fields ?? null,
    retrieveVectors,
    filter: filter ?? undefined,
    ids: (ids as unknown[] | null | undefined) ?? null,
    sort: sort ?? null,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isTexts(value: unknown): value is string[] | null | undefined {
  return (
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.every((item) => typeof item === 'string'))
  );
}
