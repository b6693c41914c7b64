// Similar documents: asks nodes by the document's vectors, and merges by similarity what one node would have found by
// the document itself.

import { cutAnswer, totalOf } from './answer.js';
import { toKeyText } from './byte-text.js';
import { floatText } from './float-text.js';
import { compareRawIds, detailsText, fieldText, type HitView, showHit } from './hits.js';
import { memberText } from './json-scan.js';
import { compareParts, type SortPart } from './merge-keys.js';
import { nodeBody, planSearch, type SearchPlan, withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import type { SimilarQuery } from './similar-request.js';
import { shiftOf, similarityOf, vectorTexts } from './similar-vectors.js';
import { SHARD_FIELD, type TopologyIndex } from './topology.js';

export interface SimilarPlan {
  readonly query: SimilarQuery;
  readonly search: SearchPlan;
  readonly paging: { readonly offset: number; readonly limit: number };
  readonly maxTotalHits: number;
  /** How many hits every node is asked for at first. */
  readonly asked: number;
  /** The document's vectors; nodes are asked by each. Without any, they only count. */
  readonly vectors: readonly string[];
  /** True when other documents may have several vectors: their hits must then bring these along. */
  readonly several: boolean;
  /** What becomes of a similarity before it is shown. */
  readonly shift: (similarity: number) => number;
  readonly primaryKey: string;
  readonly view: HitView;
}

const DEFAULT_LIMIT = 20;

/** Plans the search of every node. Throws the ApiError of what the user's settings forbid. */
export function planSimilar(
  query: SimilarQuery,
  index: TopologyIndex,
  vectors: readonly string[],
  several = vectors.length > 1,
): SimilarPlan {
  const paging = { offset: query.offset ?? 0, limit: query.limit ?? DEFAULT_LIMIT };
  const { id, embedder, rankingScoreThreshold, filter, showRankingScore, ...shown } = query;
  const asSearch: SearchQuery = { ...shown, showRankingScoreDetails: true };
  if (several) asSearch.retrieveVectors = true;
  const search = planSearch(asSearch, index);
  const { maxTotalHits } = search.settings;
  // The document itself is among the hits of its node, and one more tells nothing is missing.
  const wanted = Math.min(paging.offset + paging.limit, maxTotalHits) + 2;
  const hidden = several && !query.retrieveVectors ? ['_vectors'] : [];
  const view = search.spread().view;
  return {
    query,
    search: { ...search, query: { ...search.query, filter } },
    paging,
    maxTotalHits,
    asked: vectors.length === 0 ? 0 : ranksBeforeVectors(index) ? Math.max(wanted, maxTotalHits) : wanted,
    vectors,
    several,
    shift: shiftOf(index.settings.embedders, embedder),
    primaryKey: toKeyText(index.primaryKey ?? ''),
    view: { ...view, showDetails: false, drop: new Set([...view.drop, ...hidden]) },
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

/** The body that asks a node for the neighbours of one of the vectors among some shards. */
export function similarBody(
  plan: SimilarPlan,
  index: TopologyIndex,
  shards: readonly number[],
  asked = plan.asked,
  at = 0,
): string {
  const body = nodeBody(plan.search, shards, false, asked);
  const more: string[] = [];
  const vector = plan.vectors[at];
  if (vector !== undefined) {
    const embedder = toKeyText(plan.query.embedder);
    more.push(`"vector":${vector},"hybrid":{"embedder":"${embedder}","semanticRatio":1}`);
  }
  // A field that no document has switches the distinct attribute off, which similar documents do not know.
  if (index.settings.distinctAttribute && hidesByName(index)) more.push(`"distinct":"${SHARD_FIELD}.none"`);
  return more.length === 0 ? body : `{${more.join(',')},${body.slice(1)}`;
}

interface SimilarHit {
  text: string;
  start: number;
  /** As a number in JSON. */
  similarity: string;
  id: string;
  /** The hidden last rule's value, which orders as every node does. */
  idPart: SortPart;
}

export interface SimilarPart {
  readonly text: string;
  /** True for the node that holds the document. */
  readonly hasDocument: boolean;
  /** Which of the vectors it was asked by. */
  readonly at: number;
  readonly asked: number;
}

export type SimilarResult =
  | { readonly done: true; readonly text: string }
  /** Whether the document itself passes the filter cannot be told from the hits; or nodes must give more hits. */
  | { readonly done: false; readonly reason: 'filter' | 'more' };

/** Merges answers to similarBody. `documentMatches` says whether the filter lets the document through, if known. */
export function mergeSimilar(
  plan: SimilarPlan,
  parts: readonly SimilarPart[],
  processingTimeMs: number,
  documentMatches: boolean | null,
): SimilarResult {
  const found = new Map<string, SimilarHit>();
  const measure = plan.several ? measureOf(plan) : null;
  let total = 0;
  // No document that is still unseen is more similar.
  let bound = -1;
  let matches = plan.query.filter === undefined || plan.query.filter === null ? true : documentMatches;
  for (const part of parts) {
    const answer = cutAnswer(part.text);
    if (part.at === 0) total += totalOf(answer);
    let last = -1;
    for (let i = 0; i + 1 < answer.hits.length; i += 2) {
      const hit = readHit(part.text, answer.hits[i]!, answer.hits[i + 1]!, plan);
      if (hit === null) continue;
      last = Number(hit.similarity);
      if (hit.id === plan.query.id) matches = true;
      else if (measure === null) found.set(hit.id, hit);
      else keepBest(found, measure(hit, part.at));
    }
    const given = answer.hits.length / 2;
    const all = given < Math.min(part.asked, plan.maxTotalHits);
    if (!all && given < plan.maxTotalHits) bound = Math.max(bound, last);
    if (part.hasDocument && matches === null && all) matches = false;
  }
  if (matches === null) return { done: false, reason: 'filter' };
  if (matches) total--;
  const hits = [...found.values()].sort(compareHits);
  const wanted = hits[plan.paging.offset + plan.paging.limit - 1];
  if (plan.several && bound >= 0 && (wanted === undefined || Number(wanted.similarity) < bound)) {
    return { done: false, reason: 'more' };
  }
  return { done: true, text: writeAnswer(plan, hits, total, parts[0]!.text, processingTimeMs) };
}

/** Of the answers by several vectors, the one that came nearest. */
function keepBest(found: Map<string, SimilarHit>, hit: SimilarHit): void {
  const known = found.get(hit.id);
  if (known === undefined || Number(known.similarity) < Number(hit.similarity)) found.set(hit.id, hit);
}

/**
 * A search by vector looks at all vectors of every document, similar documents compare the first with the first and
 * so on. What a node says is taken where it means the right pair; otherwise the pair's similarity is worked out.
 */
function measureOf(plan: SimilarPlan): (hit: SimilarHit, at: number) => SimilarHit {
  const own = plan.vectors.map((text) => JSON.parse(text) as number[]);
  return (hit, at) => {
    const others = vectorTexts(hit.text, hit.start, plan.query.embedder).map(
      (text) => JSON.parse(text) as number[],
    );
    if (others.length === 0) return hit;
    const asked = others.map((other) => similarityOf(own[at]!, other));
    const nearest = asked.indexOf(Math.max(...asked));
    const pairs = own.slice(0, others.length).map((vector, pair) => similarityOf(vector, others[pair]!));
    const best = pairs.indexOf(Math.max(...pairs));
    if (best === at && nearest === at) return hit;
    return { ...hit, similarity: floatText(plan.shift(pairs[best]!)) };
  };
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
    if (threshold !== null && Number(hit.similarity) < threshold) {
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

/** The score of a hit is its similarity. */
function showSimilar(hit: SimilarHit, plan: SimilarPlan): string {
  const shown = showHit(hit.text, hit.start, plan.view);
  const members = shown === '{}' ? [] : [shown.slice(1, -1)];
  if (plan.query.showRankingScore) members.push(`"_rankingScore":${hit.similarity}`);
  if (plan.query.showRankingScoreDetails) {
    members.push(`"_rankingScoreDetails":{"vectorSort":{"order":0,"similarity":${hit.similarity}}}`);
  }
  return `{${members.join(',')}}`;
}

/** The body for a node that holds every shard: it finds the document's neighbours itself. */
export function aloneSimilarBody(plan: SimilarPlan, shards: readonly number[]): string {
  const { filter, showPerformanceDetails = false, rankingScoreThreshold = null } = plan.query;
  const { attributesToRetrieve } = JSON.parse(nodeBody(plan.search, shards, true)) as SearchQuery;
  const body = JSON.stringify({
    id: plan.query.id,
    embedder: plan.query.embedder,
    ...plan.paging,
    attributesToRetrieve,
    retrieveVectors: plan.query.retrieveVectors,
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
