// Reading documents: by ids, filter, sort and page, their text untouched.
import { ApiError } from '../shared/core/errors.js';
import { documentId, invalidId } from './document-writes.js';
import { evaluateFilter } from './filter-evaluation.js';
import { parseFilter } from './filter-grammar.js';
import { showDocument } from './formatting.js';
import type { IndexData } from './index-data.js';
import { compactJson, splitArray, splitFields } from './raw-json.js';
import { checkSort } from './search.js';
import { describeValue } from './settings.js';
import { compareValues, sortValue } from './sort-values.js';

export interface FetchRequest {
  offset: number;
  limit: number;
  fields: string[] | null;
  ids: string[] | null;
  filter: unknown;
  sort: string[];
  retrieveVectors: boolean;
}

const NAMES = ['offset', 'limit', 'fields', 'retrieveVectors', 'ids', 'filter', 'sort'];

function checkIds(ids: string[]): string[] {
  for (const [at, id] of ids.entries()) {
    if (documentId(id) === null)
      throw invalidId(JSON.stringify(id), `In \`.ids[${at}]\`: `, 'invalid_document_ids');
  }
  return ids;
}

/** Reads the body of POST /documents/fetch; ids keep the digits of numbers. */
export function readFetchBody(text: string): FetchRequest {
  const body = JSON.parse(text) as Record<string, unknown>;
  for (const name of Object.keys(body)) {
    if (NAMES.includes(name)) continue;
    const known = NAMES.map((key) => `\`${key}\``).join(', ');
    throw new ApiError('bad_request', `Unknown field \`${name}\`: expected one of ${known}`);
  }
  for (const name of ['offset', 'limit']) {
    const value = body[name] ?? 0;
    if (Number.isInteger(value) && (value as number) >= 0) continue;
    throw new ApiError(
      `invalid_document_${name}`,
      `Invalid value type at \`.${name}\`: expected a positive integer, but found ${describeValue(value)}`,
    );
  }
  const rawIds = body.ids ? splitArray(splitFields(compactJson(text)).get('ids')!) : null;
  const sort = body.sort ?? [];
  return {
    offset: (body.offset as number | null) ?? 0,
    limit: (body.limit as number | null) ?? 20,
    fields: (body.fields as string[] | null) ?? null,
    ids: rawIds && checkIds(rawIds.map((raw) => (raw.startsWith('"') ? (JSON.parse(raw) as string) : raw))),
    filter: body.filter,
    sort: Array.isArray(sort) ? (sort as string[]) : String(sort).split(','),
    retrieveVectors: body.retrieveVectors === true,
  };
}

/** Reads the parameters of GET /documents. */
export function readFetchQuery(query: Record<string, string>): FetchRequest {
  const integer = (name: string, initial: number): number => {
    const text = query[name];
    if (text === undefined) return initial;
    if (/^\d+$/.test(text)) return Number(text);
    throw new ApiError(
      `invalid_document_${name}`,
      `Invalid value in parameter \`${name}\`: could not parse \`${text}\` as a positive integer`,
    );
  };
  return {
    offset: integer('offset', 0),
    limit: integer('limit', 20),
    fields: query.fields?.split(',') ?? null,
    ids: query.ids === undefined ? null : checkIds(query.ids.split(',')),
    filter: query.filter,
    sort: query.sort?.split(/,(?![^(]*\))/) ?? [],
    retrieveVectors: query.retrieveVectors === 'true',
  };
}

/**
 * The answer's JSON text. `withSortValues` adds to each document what it was sorted by, as Meilisearch does for a
 * request with the header `Meili-Proxy-Search: true`.
 */
export function fetchDocuments(index: IndexData, request: FetchRequest, withSortValues = false): string {
  const code = 'invalid_document_filter';
  checkSort(index, request.sort, 'invalid_document_sort');
  const matched = evaluateFilter(index, parseFilter(request.filter, code), code, '');
  const candidates = request.ids
    ? [...new Set(request.ids.map((id) => index.byId.get(id)))].filter((document) => document !== undefined)
    : [...index.byId.values()];
  const documents = candidates.filter((document) => matched[document]).sort((left, right) => left - right);
  if (request.sort.length > 0) {
    const rules = request.sort.map((rule) => ({
      attribute: rule.slice(0, rule.lastIndexOf(':')),
      ascending: rule.endsWith(':asc'),
    }));
    const keyed = documents.map((document) => ({
      document,
      keys: rules.map(({ attribute, ascending }) => sortValue(index, document, attribute, ascending)),
    }));
    keyed.sort((left, right) => {
      for (const [at, { ascending }] of rules.entries()) {
        const order = compareValues(left.keys[at]!, right.keys[at]!, ascending);
        if (order !== 0) return order;
      }
      return left.document - right.document;
    });
    documents.splice(0, documents.length, ...keyed.map(({ document }) => document));
  }
  const { offset, limit, fields, retrieveVectors } = request;
  const texts = documents.slice(offset, offset + limit).map((document) => {
    const shown = showDocument(index.documents[document]!.text, fields, retrieveVectors);
    return withSortValues ? addSortValues(shown, index, document, request.sort) : shown;
  });
  return `{"results":[${texts.join(',')}],"offset":${offset},"limit":${limit},"total":${documents.length}}`;
}

function addSortValues(shown: string, index: IndexData, document: number, sort: readonly string[]): string {
  const values = sort.map((rule) => {
    const asc = rule.endsWith(':asc');
    return { sort: { asc, value: sortValue(index, document, rule.slice(0, rule.lastIndexOf(':')), asc) } };
  });
  const body = shown.slice(0, shown.lastIndexOf('}'));
  const comma = body.trimEnd().endsWith('{') ? '' : ',';
  return `${body}${comma}"_federation":${JSON.stringify({ weightedScoreValues: values })}}`;
}
