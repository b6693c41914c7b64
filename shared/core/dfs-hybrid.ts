// Hybrid search over many nodes: keyword hits and vector hits are gathered and merged apart, then fused as one node
// holding every document fuses them.
import { cutAnswer, totalOf } from './answer.js';
import { type ScoreGroup, scoreGroups } from './dfs-score.js';
import { DistinctValues } from './distinct.js';
import { BARE_VIEW, compareRawIds, detailsText, fieldText, type HitView, showHit } from './hits.js';
import { memberText } from './json-scan.js';
import { compareParts } from './merge-keys.js';
import { PAGING_MEMBERS, pagingText } from './search-answer.js';
import { planSearch, type SearchPlan } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import type { TopologyIndex } from './topology.js';

/** The two searches that a hybrid one is made of; both give everything from the top. */
export interface HybridSearch {
  readonly plan: SearchPlan;
  readonly keyword: SearchPlan;
  readonly semantic: SearchPlan;
  readonly ratio: number;
}

interface HybridQuery {
  embedder: string;
  semanticRatio?: number;
}

/** The `hybrid` of a query when it is one that nodes would accept. */
export function readHybrid(query: SearchQuery): HybridQuery | null {
  const { hybrid } = query;
  if (hybrid === null || typeof hybrid !== 'object' || Array.isArray(hybrid)) return null;
  const { embedder, semanticRatio = 0.5, ...unknown } = hybrid as Record<string, unknown>;
  if (typeof embedder !== 'string' || Object.keys(unknown).length > 0) return null;
  if (typeof semanticRatio !== 'number' || !(semanticRatio >= 0 && semanticRatio <= 1)) return null;
  return { embedder, semanticRatio };
}

/** What a query looks for: by words, by a vector, or by both. */
export function searchKind(query: SearchQuery): 'keyword' | 'semantic' | 'hybrid' {
  const hybrid = readHybrid(query);
  const hasWords = (query.q ?? '').trim() !== '';
  const hasVector = Array.isArray(query.vector);
  if (hybrid === null || hybrid.semanticRatio === 0 || (!hasWords && !hasVector)) return 'keyword';
  return hybrid.semanticRatio === 1 || !hasWords ? 'semantic' : 'hybrid';
}

/**
 * With so much weight on vectors all of them come first, but hits are formatted by the query's words, and a text without
 * a vector is no error.
 */
const NEARLY_SEMANTIC = 0.9999999;

/** The two searches of a hybrid query, or null for any other. */
export function planHybrid(plan: SearchPlan, index: TopologyIndex): HybridSearch | null {
  if (plan.query.hybrid === undefined || searchKind(plan.query) !== 'hybrid') return null;
  const { hybrid, vector, offset, limit, page, hitsPerPage, retrieveVectors, ...rest } = plan.query;
  const { required, mode } = plan.paging;
  const whole: SearchQuery = {
    ...rest,
    ...(retrieveVectors === undefined ? {} : { retrieveVectors }),
    ...(mode === 'page' ? { page: 1, hitsPerPage: required } : { limit: required }),
    showRankingScore: true,
  };
  const { matchingStrategy, ...byVector } = whole;
  const { embedder, semanticRatio = 0.5 } = readHybrid(plan.query)!;
  const byWords =
    !Array.isArray(vector) ||
    rest.attributesToHighlight != null ||
    rest.attributesToCrop != null ||
    rest.showMatchesPosition === true;
  return {
    plan,
    keyword: rawPlan(whole, index),
    semantic: rawPlan(
      { ...byVector, vector, hybrid: { embedder, semanticRatio: byWords ? NEARLY_SEMANTIC : 1 } },
      index,
    ),
    ratio: Math.fround(semanticRatio),
  };
}

/** A plan whose merged hits are still as nodes sent them. */
function rawPlan(query: SearchQuery, index: TopologyIndex): SearchPlan {
  const plan = planSearch(query, index);
  return { ...plan, spread: () => ({ ...plan.spread(), view: BARE_VIEW }) };
}

interface HybridHit {
  readonly text: string;
  readonly id: string;
  readonly score: number;
  readonly groups: readonly ScoreGroup[];
  readonly isSemantic: boolean;
}

/** All keyword hits weigh so much: then vectors are not looked at. */
const GOOD_ENOUGH = 0.45;

/** The client's answer from the merged answers of both searches, as byte text. */
export function fuseHybrid(
  { plan, ratio }: HybridSearch,
  keyword: string,
  semantic: string,
  processingTimeMs: number,
): string {
  const words = readHits(keyword, plan).filter((hit) => !hit.isSemantic);
  const { required, skip, take } = plan.paging;
  const weight = Math.fround(1 - ratio);
  const isGood = words.length >= required && words.every(({ score }) => score * weight >= GOOD_ENOUGH);
  const near = isGood ? [] : readHits(semantic, plan).filter((hit) => hit.isSemantic);
  const fused = isGood ? words.slice(0, required) : fuse(near, words, ratio, weight, plan);
  const page = fused.slice(skip, skip + take);
  const base = cutAnswer(isGood ? keyword : semantic);
  const total = isGood
    ? totalOf(base)
    : totalOfBoth(plan, near, words, totalOf(base), totalOf(cutAnswer(keyword)));
  const view = viewOf(plan);
  const members = [`"hits":[${page.map((hit) => showHit(hit.text, 0, view)).join(',')}]`];
  for (const [key, value] of base.rest) {
    if (PAGING_MEMBERS.has(key)) continue;
    if (key === 'processingTimeMs')
      members.push(`"${key}":${processingTimeMs}`, pagingText(plan.paging, total));
    else if (key !== 'semanticHitCount') members.push(`"${key}":${value}`);
  }
  members.push(`"semanticHitCount":${page.filter((hit) => hit.isSemantic).length}`);
  return `{${members.join(',')}}`;
}

/**
 * What either search counts. By vector everything matches; only a threshold makes it less, and where neither search
 * found as many hits as asked for, all that they count is at hand.
 */
function totalOfBoth(
  { query, paging, distinct }: SearchPlan,
  near: readonly HybridHit[],
  words: readonly HybridHit[],
  byVector: number,
  byWords: number,
): number {
  const isBounded = (query.rankingScoreThreshold ?? null) !== null && distinct === null;
  const isWhole = near.length < paging.required && words.length < paging.required;
  if (!isBounded || !isWhole || paging.mode === 'page') return Math.max(byVector, byWords);
  return new Set([...near, ...words].map(({ id }) => id)).size;
}

function viewOf(plan: SearchPlan): HitView {
  const { view } = plan.spread();
  if (plan.query.showRankingScore) return view;
  return { ...view, drop: new Set([...view.drop, '_rankingScore']) };
}

function readHits(answer: string, plan: SearchPlan): HybridHit[] {
  const { text, hits } = cutAnswer(answer);
  const out: HybridHit[] = [];
  for (let i = 0; i + 1 < hits.length; i += 2) {
    const hit = text.slice(hits[i]!, hits[i + 1]!);
    const details = detailsText(hit, 0, hit.length) ?? '{}';
    const score = Number(memberText(hit, 0, '_rankingScore') ?? 0);
    out.push({
      text: hit,
      id: (plan.primaryKey === null ? null : fieldText(hit, 0, plan.primaryKey)) ?? hit,
      score,
      groups: scoreGroups(details, score),
      isSemantic: details.includes('"vectorSort":'),
    });
  }
  return out;
}

/** Both lists are walked at once; a vector hit wins a tie, and each document counts once. */
function fuse(
  semantic: readonly HybridHit[],
  words: readonly HybridHit[],
  ratio: number,
  weight: number,
  plan: SearchPlan,
): HybridHit[] {
  const distinct = plan.distinct === null ? null : new DistinctValues(plan.distinct);
  const out: HybridHit[] = [];
  const seen = new Set<string>();
  let left = 0;
  let right = 0;
  while (out.length < plan.paging.required && (left < semantic.length || right < words.length)) {
    const vectorFirst =
      right >= words.length ||
      (left < semantic.length && compareScores(semantic[left]!, ratio, words[right]!, weight) >= 0);
    const hit = vectorFirst ? semantic[left++]! : words[right++]!;
    if (seen.has(hit.id)) continue;
    seen.add(hit.id);
    if (distinct !== null && !distinct.admit((field) => fieldText(hit.text, 0, field))) continue;
    out.push(hit);
  }
  return out;
}

/** Positive when the left hit is better, as Meilisearch compares scores of different kinds. */
function compareScores(left: HybridHit, leftWeight: number, right: HybridHit, rightWeight: number): number {
  const length = Math.max(left.groups.length, right.groups.length);
  for (let at = 0; at < length; at++) {
    const ours = left.groups[at];
    const theirs = right.groups[at];
    if (ours === undefined) return -1;
    if (theirs === undefined) return 1;
    if (typeof ours === 'number' && typeof theirs === 'number') {
      const difference = ours * leftWeight - theirs * rightWeight;
      if (Math.abs(difference) > Number.EPSILON) return difference;
    } else if (typeof ours === 'number') {
      return ours === 0 ? -1 : 1;
    } else if (typeof theirs === 'number') {
      return theirs === 0 ? 1 : -1;
    } else {
      const order = compareParts(theirs, ours);
      if (order !== 0) return order;
    }
  }
  return compareRawIds(right.id, left.id);
}
