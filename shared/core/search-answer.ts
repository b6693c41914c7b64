// Makes the client's answer from the answers of nodes, all as byte text, with Meilisearch's members in its order.
import { type Answer, cutAnswer, findHits, totalOf } from './answer.js';
import { DistinctValues } from './distinct.js';
import { type DistinctCount, type Kept, NO_ID } from './distinct-count.js';
import { countValues, cutDistribution, type FacetRules, mergeDistributions, mergeStats } from './facets.js';
import { fieldText, showHit, showHits } from './hits.js';
import { mergeHits, type PlacedHit } from './merge.js';
import type { MergeKey } from './merge-keys.js';
import { canLeaveDistinctToMerge, type SearchPlan } from './search-plan.js';
import type { Paging } from './search-request.js';
import { TypoMaxima } from './typo-maxima.js';

/** The answer of a node that held every shard asked for: the same but for what is hidden. */
export function relayAnswer(text: string, plan: SearchPlan): string {
  if ((plan.query.facets ?? []).length === 0) {
    return showHits(text, findHits(text), plan.alone.view, 0, text.length);
  }
  const answer = cutAnswer(text);
  const members = [
    `"hits":${showHits(text, answer.hitsStart, plan.alone.view, answer.hitsStart, answer.hitsEnd)}`,
  ];
  for (const [key, value] of answer.rest) {
    if (key === 'facetDistribution') {
      members.push(
        `"facetDistribution":${cutDistribution(value, statsOf(answer), facetRules(plan, totalOf(answer), null))}`,
      );
    } else if (key === 'facetStats') {
      members.push(`"facetStats":${mergeStats([value], null)}`);
    } else {
      members.push(`"${key}":${value}`);
    }
  }
  return `{${members.join(',')}}`;
}

export interface NodeAnswer {
  readonly text: string;
  /** How many hits it was asked for. */
  readonly asked: number;
  /** The text as it was cut before; of another text it is of no use. */
  readonly cut?: Answer;
  /** An answer to the same query without a threshold, which counts where this one does not. */
  readonly counts?: string;
  /** How many of what that answer counts do not count: they were below the threshold and came before the last hit. */
  readonly rejected?: number;
}

export type MergeResult =
  | { readonly done: true; readonly text: string }
  /** Positions of answers that end inside a group of equal hits: ask these for more. */
  | { readonly done: false; readonly reason: 'cut-tie'; readonly sources: readonly number[] }
  /** Positions of answers whose totals count hits only, where one node would count all that matches. */
  | {
      readonly done: false;
      readonly reason: 'uncounted';
      readonly sources: readonly number[];
      /** What the last hit compares by, where hits that do not count may come before it. */
      readonly last: MergeKey | null;
    }
  /** The distinct field has several values in one document: nodes must not decide, see withoutDistinct. */
  | { readonly done: false; readonly reason: 'several-values' }
  /** What was kept is known: nodes can now be asked what else counts, see countDistinct. */
  | { readonly done: false; readonly reason: 'uncounted-distinct'; readonly kept: Kept };

/**
 * Merges answers of nodes that hold disjoint shards. `final` takes them as they are; `counted` is what countDistinct
 * gave.
 */
export function mergeAnswers(
  parts: readonly NodeAnswer[],
  plan: SearchPlan,
  processingTimeMs: number,
  final: boolean,
  counted: DistinctCount | 'uncountable' | null = null,
): MergeResult {
  const answers = parts.map(cutPart);
  const distinct = plan.distinct === null ? null : new DistinctValues(plan.distinct);
  const merged = mergeHits(answers, {
    required: plan.paging.required,
    primaryKey: plan.primaryKey,
    byDistance: plan.byDistance,
    asked: parts.map((part) => part.asked),
    admit:
      distinct === null
        ? undefined
        : (hit, text) => distinct.admit((field) => fieldText(text, hit.start, field)),
  });
  if (distinct?.severalValues && plan.nodesDecideDistinct && canLeaveDistinctToMerge(plan)) {
    return { done: false, reason: 'several-values' };
  }
  if (!final && merged.short.length > 0) return { done: false, reason: 'cut-tie', sources: merged.short };
  if (distinct !== null && counted === null && needsCount(plan)) {
    return { done: false, reason: 'uncounted-distinct', kept: keptOf(answers, plan, merged.hits, distinct) };
  }
  const isCounted = counted !== null && counted !== 'uncountable';
  const uncounted = final || isCounted ? [] : uncountedParts(parts, answers, plan, merged.hits.length);
  if (uncounted.length > 0) {
    const last = plan.rejectsBeforeHits ? merged.last : null;
    return { done: false, reason: 'uncounted', sources: uncounted, last };
  }
  const { view } = plan.spread();
  const maxima = plan.query.showRankingScore || view.showDetails ? new TypoMaxima(answers) : null;
  const shown = merged.hits
    .slice(plan.paging.skip, plan.paging.skip + plan.paging.take)
    .map(({ source, start, end, detailsEnd }: PlacedHit) => {
      const { text } = answers[source]!;
      return maxima === null
        ? showHit(text, start, view, detailsEnd)
        : showHit(maxima.correct(text.slice(start, end)), 0, view);
    });
  const refused = parts.reduce((sum, { rejected }) => sum + (rejected ?? 0), merged.refused);
  const total = isCounted ? counted.total : mergedTotal(answers, plan, refused);
  const facets = isCounted
    ? facetTexts(counted.distributions, counted.stats, plan, total)
    : facetTexts(distributionsOf(answers), answers.flatMap(statsOf), plan, total);
  const first = answers[0]!.rest;
  const members = [
    `"hits":[${shown.join(',')}]`,
    `"query":${first.get('query') ?? '""'}`,
    ...(first.has('queryVector') ? [`"queryVector":${first.get('queryVector')}`] : []),
    `"processingTimeMs":${processingTimeMs}`,
    pagingText(plan.paging, total),
    ...facets,
  ];
  for (const key of ['requestUid', 'metadata', 'performanceDetails']) {
    const value = first.get(key);
    if (value !== undefined) members.push(`"${key}":${value}`);
  }
  // Here every hit is one by its vector: a hybrid search is made of two others.
  if (first.has('semanticHitCount')) members.push(`"semanticHitCount":${shown.length}`);
  return { done: true, text: `{${members.join(',')}}` };
}

function cutPart(part: NodeAnswer): Answer {
  const answer = part.cut?.text === part.text ? part.cut : cutAnswer(part.text);
  return part.counts === undefined ? answer : { ...answer, rest: cutAnswer(part.counts).rest };
}

/**
 * With a threshold and without pages, Meilisearch counts all that matches once it has found as many hits as asked
 * for, and only the hits when it has not. Nodes that found too few must then be counted without the threshold.
 */
function uncountedParts(
  parts: readonly NodeAnswer[],
  answers: readonly Answer[],
  plan: SearchPlan,
  found: number,
): number[] {
  const threshold = plan.query.rankingScoreThreshold ?? null;
  if (threshold === null || plan.paging.mode === 'page' || found < plan.paging.required) return [];
  return parts.flatMap((part, source) => {
    const isShort = answers[source]!.hits.length / 2 < part.asked;
    return part.counts === undefined && (isShort || plan.rejectsBeforeHits) ? [source] : [];
  });
}

/** What pagingText writes. */
export const PAGING_MEMBERS: ReadonlySet<string> = new Set([
  'limit',
  'offset',
  'estimatedTotalHits',
  'page',
  'hitsPerPage',
  'totalPages',
  'totalHits',
]);

/** The members that tell about pages. */
export function pagingText({ mode, first, second }: Paging, total: number): string {
  if (mode === 'offset') return `"limit":${second},"offset":${first},"estimatedTotalHits":${total}`;
  const pages = second === 0 ? 0 : Math.ceil(total / second);
  return `"hitsPerPage":${second},"page":${first},"totalPages":${pages},"totalHits":${total}`;
}

function mergedTotal(answers: readonly Answer[], plan: SearchPlan, refused: number): number {
  const sum = answers.reduce((total, answer) => total + totalOf(answer), 0);
  if (plan.distinct === null) return sum - refused;
  if (plan.paging.mode === 'offset' || !plan.nodesDecideDistinct) return Math.max(0, sum - refused);
  // Exhaustive: each node counted every value that it holds once.
  const counted = countValues(distributionsOf(answers), plan.distinctKey!);
  return sum - counted.sum + counted.union;
}

/**
 * With pages, the sum of what nodes count is right where a document has one value and no facets are wanted; without, it
 * never is once there are hits.
 */
function needsCount({ query, paging, nodesDecideDistinct, distinctIsFaceted }: SearchPlan): boolean {
  if (paging.required === 0) return false;
  const isPlain = nodesDecideDistinct && distinctIsFaceted && (query.facets ?? []).length === 0;
  return paging.mode === 'offset' || !isPlain;
}

function keptOf(
  answers: readonly Answer[],
  plan: SearchPlan,
  hits: readonly PlacedHit[],
  distinct: DistinctValues,
): Kept {
  const ids: string[][] = answers.map(() => []);
  const valueless: string[][] = answers.map(() => []);
  for (const { source, start } of hits) {
    const { text } = answers[source]!;
    const hasValue = distinct.hasValue((field) => fieldText(text, start, field));
    const id = plan.primaryKey === null ? null : fieldText(text, start, plan.primaryKey);
    (hasValue ? ids : valueless)[source]!.push(id ?? NO_ID);
  }
  return { ids, valueless, values: distinct.raws(), isFull: hits.length >= plan.paging.required };
}

function facetTexts(
  distributions: readonly string[],
  stats: readonly string[],
  plan: SearchPlan,
  total: number,
): string[] {
  const asked = (plan.query.facets ?? []).length > 0;
  if (!asked || distributions.length === 0) return [];
  return [
    `"facetDistribution":${mergeDistributions(distributions, stats, facetRules(plan, total, plan.spread().hiddenFacet))}`,
    `"facetStats":${mergeStats(stats, plan.spread().hiddenFacet)}`,
  ];
}

function facetRules(plan: SearchPlan, candidates: number, hidden: string | null): FacetRules {
  return {
    maxValues: plan.settings.maxValuesPerFacet,
    sortBy: plan.settings.sortFacetValuesBy,
    candidates,
    hidden,
  };
}

function distributionsOf(answers: readonly Answer[]): string[] {
  return answers.flatMap((answer) => answer.rest.get('facetDistribution') ?? []);
}

function statsOf(answer: Answer): string[] {
  const stats = answer.rest.get('facetStats');
  return stats === undefined ? [] : [stats];
}
