// Similar documents: reads the request, asks nodes by the document's vector, and merges by similarity what one node
// would have found by the document itself.

import { cutAnswer, totalOf } from './answer.js';
import { toKeyText } from './byte-text.js';
import { compareRawIds, detailsText, fieldText, type HitView, showHit } from './hits.js';
import { memberText, scanArray } from './json-scan.js';
import { compareParts, type SortPart } from './merge-keys.js';
import { nodeBody, planSearch, type SearchPlan, withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import { SHARD_FIELD, type TopologyIndex } from './topology.js';

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

/** The raw text of a document's vector for an embedder, or null when it has none; of several, the first. */
export function vectorText(document: string, embedder: string): string | null {
  const vectors = fieldText(document, 0, '_vectors');
  if (vectors === null) return null;
  const own = memberText(vectors, 0, toKeyText(embedder));
  const embeddings = own === null ? null : own.startsWith('{') ? memberText(own, 0, 'embeddings') : own;
  if (embeddings === null || !embeddings.startsWith('[')) return null;
  const places = scanArray(embeddings, 0);
  if (places.length < 3) return null;
  const first = embeddings.slice(places[0]!, places[1]!);
  return first.startsWith('[') ? first : embeddings;
}

export interface SimilarPlan {
  readonly query: SimilarQuery;
  readonly search: SearchPlan;
  readonly paging: { readonly offset: number; readonly limit: number };
  readonly maxTotalHits: number;
  /** How many hits every node is asked for. */
  readonly asked: number;
  /** The vector's members of a node's body; null when the document has none, so that nodes only count. */
  readonly vector: string | null;
  readonly primaryKey: string;
  readonly view: HitView;
}

const DEFAULT_LIMIT = 20;

/** Plans the search of every node. Throws the ApiError of what the user's settings forbid. */
export function planSimilar(query: SimilarQuery, index: TopologyIndex, vector: string | null): SimilarPlan {
  const paging = { offset: query.offset ?? 0, limit: query.limit ?? DEFAULT_LIMIT };
  const { id, embedder, rankingScoreThreshold, filter, ...shown } = query;
  const asSearch: SearchQuery = { ...shown, showRankingScore: true, showRankingScoreDetails: true };
  const search = planSearch(asSearch, index);
  const { maxTotalHits } = search.settings;
  // The document itself is among the hits of its node, and one more tells nothing is missing.
  const wanted = Math.min(paging.offset + paging.limit, maxTotalHits) + 2;
  const hidden = query.showRankingScore ? [] : ['_rankingScore'];
  return {
    query,
    search: { ...search, query: { ...search.query, filter } },
    paging,
    maxTotalHits,
    asked: vector === null ? 0 : ranksBeforeVectors(index) ? Math.max(wanted, maxTotalHits) : wanted,
    vector:
      vector === null
        ? null
        : `"vector":${vector},"hybrid":{"embedder":"${toKeyText(embedder)}","semanticRatio":1}`,
    primaryKey: toKeyText(index.primaryKey ?? ''),
    view: {
      ...search.spread().view,
      showDetails: false,
      drop: new Set([...search.spread().view.drop, ...hidden]),
    },
  };
}

/** Whether nodes have the hidden field as a plain name, which makes its sub-fields filterable as well. */
function hidesByName(index: TopologyIndex): boolean {
  const rules = (index.settings.filterableAttributes ?? []) as unknown[];
  return rules.every((rule) => typeof rule === 'string');
}

/** Whether custom ranking rules come before the vectors' place: then a node's first hits are not the most similar. */
function ranksBeforeVectors(index: TopologyIndex): boolean {
  const rules = index.settings.rankingRules;
  return Array.isArray(rules) && /:(?:asc|desc)$/.test(String(rules[0] ?? ''));
}

/** The body for a node that answers for some shards. */
export function similarBody(plan: SimilarPlan, index: TopologyIndex, shards: readonly number[]): string {
  const body = nodeBody(plan.search, shards, false, plan.asked);
  const more = plan.vector === null ? [] : [plan.vector];
  // A field that no document has switches the distinct attribute off, which similar documents do not know.
  if (index.settings.distinctAttribute && hidesByName(index)) more.push(`"distinct":"${SHARD_FIELD}.none"`);
  return more.length === 0 ? body : `{${more.join(',')},${body.slice(1)}`;
}

interface SimilarHit {
  text: string;
  start: number;
  similarity: string;
  id: string;
  /** The hidden last rule's value, which orders as every node does. */
  idPart: SortPart;
}

export interface SimilarPart {
  readonly text: string;
  /** True for the node that holds the document. */
  readonly hasDocument: boolean;
}

export type SimilarResult =
  | { readonly done: true; readonly text: string }
  /** Whether the document itself passes the filter cannot be told from the hits. */
  | { readonly done: false };

/** Merges answers to similarBody. `documentMatches` says whether the filter lets the document through, if known. */
export function mergeSimilar(
  plan: SimilarPlan,
  parts: readonly SimilarPart[],
  processingTimeMs: number,
  documentMatches: boolean | null,
): SimilarResult {
  const hits: SimilarHit[] = [];
  let total = 0;
  let matches = plan.query.filter === undefined || plan.query.filter === null ? true : documentMatches;
  for (const part of parts) {
    const answer = cutAnswer(part.text);
    total += totalOf(answer);
    for (let i = 0; i + 1 < answer.hits.length; i += 2) {
      const hit = readHit(part.text, answer.hits[i]!, answer.hits[i + 1]!, plan);
      if (hit === null) continue;
      if (hit.id === plan.query.id) matches = true;
      else hits.push(hit);
    }
    const given = answer.hits.length / 2;
    const all = given < Math.min(plan.asked, plan.maxTotalHits);
    if (part.hasDocument && matches === null && all) matches = false;
  }
  if (matches === null) return { done: false };
  if (matches) total--;
  hits.sort(compareHits);
  return { done: true, text: writeAnswer(plan, hits, total, parts[0]!.text, processingTimeMs) };
}

function readHit(text: string, start: number, end: number, plan: SimilarPlan): SimilarHit | null {
  const details = detailsText(text, start, end);
  const vectorSort = details === null ? null : memberText(details, 0, 'vectorSort');
  const similarity = vectorSort === null ? null : memberText(vectorSort, 0, 'similarity');
  if (details === null || similarity === null || similarity === 'null') return null;
  const raw = fieldText(text, start, plan.primaryKey) ?? '';
  const id = raw.startsWith('"') ? raw.slice(1, -1) : raw;
  const rule = memberText(details, 0, `${plan.primaryKey}:asc`);
  const value = rule === null ? undefined : (JSON.parse(rule) as { value?: unknown }).value;
  const idPart: SortPart =
    typeof value === 'number'
      ? { kind: 'sort', class: 0, value, descending: false }
      : { kind: 'sort', class: 1, value: String(value ?? id), descending: false };
  return { text, start, similarity, id, idPart };
}

function compareHits(left: SimilarHit, right: SimilarHit): number {
  return (
    Number(right.similarity) - Number(left.similarity) ||
    compareParts(left.idPart, right.idPart) ||
    compareRawIds(left.id, right.id)
  );
}

function writeAnswer(
  plan: SimilarPlan,
  hits: readonly SimilarHit[],
  counted: number,
  first: string,
  processingTimeMs: number,
): string {
  const { offset, limit } = plan.paging;
  const threshold = plan.query.rankingScoreThreshold ?? null;
  const shown: string[] = [];
  let total = counted;
  for (const hit of hits.slice(offset, Math.min(offset + limit, plan.maxTotalHits))) {
    if (threshold !== null && Number(fieldText(hit.text, hit.start, '_rankingScore')) < threshold) {
      // What comes after it is no candidate any more; what was skipped before is.
      total = offset + shown.length;
      break;
    }
    shown.push(showSimilar(hit, plan));
  }
  const members = [
    `"hits":[${shown.join(',')}]`,
    `"id":"${plan.query.id}"`,
    `"processingTimeMs":${processingTimeMs}`,
    `"limit":${limit},"offset":${offset},"estimatedTotalHits":${Math.min(total, plan.maxTotalHits)}`,
  ];
  const performance = cutAnswer(first).rest.get('performanceDetails');
  if (performance !== undefined) members.push(`"performanceDetails":${performance}`);
  return `{${members.join(',')}}`;
}

function showSimilar(hit: SimilarHit, plan: SimilarPlan): string {
  const shown = showHit(hit.text, hit.start, plan.view);
  if (!plan.query.showRankingScoreDetails) return shown;
  const details = `"_rankingScoreDetails":{"vectorSort":{"order":0,"similarity":${hit.similarity}}}`;
  return shown === '{}' ? `{${details}}` : `${shown.slice(0, -1)},${details}}`;
}

/** The body for a node that holds every shard: it finds the document's neighbours itself. */
export function aloneSimilarBody(plan: SimilarPlan, shards: readonly number[]): string {
  const { filter, showPerformanceDetails = false, rankingScoreThreshold = null } = plan.query;
  const { attributesToRetrieve, retrieveVectors } = JSON.parse(
    nodeBody(plan.search, shards, true),
  ) as SearchQuery;
  const body = JSON.stringify({
    id: plan.query.id,
    embedder: plan.query.embedder,
    ...plan.paging,
    attributesToRetrieve,
    retrieveVectors,
    showRankingScore: plan.query.showRankingScore,
    showRankingScoreDetails: plan.query.showRankingScoreDetails,
    showPerformanceDetails,
    rankingScoreThreshold,
  });
  return `${body.slice(0, -1)},"filter":${withShards(filter, shards)}}`;
}

/** The answer of a node that was asked alone, without what is hidden. */
export function relaySimilar(text: string, plan: SimilarPlan): string {
  const answer = cutAnswer(text);
  const hits: string[] = [];
  for (let i = 0; i + 1 < answer.hits.length; i += 2) {
    hits.push(showHit(text, answer.hits[i]!, plan.search.alone.view));
  }
  const rest = [...answer.rest].map(([key, value]) => `,"${key}":${value}`);
  return `{"hits":[${hits.join(',')}]${rest.join('')}}`;
}
