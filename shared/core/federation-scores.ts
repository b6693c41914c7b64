// Compares hits of different queries as one Meilisearch does: neighbouring relevancy rules fused into one number, times
// the query's weight, then sort values, then what comes after.
import { compareParts, type RuleDetail, type SortPart, sortPart } from './merge-keys.js';

export type WeightedValue =
  | { readonly kind: 'score'; readonly score: number; readonly exact: boolean }
  | SortPart
  | { readonly kind: 'geo'; readonly asc: boolean; readonly distance: number | null };

export interface WeightedHit {
  readonly values: readonly WeightedValue[];
  /** The ranking score times the weight. */
  readonly global: number;
  readonly position: number;
  /** Whether a vector found it. */
  readonly isSemantic: boolean;
}

/** What one rule contributes: its share, and in how many steps it is counted where that is known. */
interface Part {
  share: number;
  steps: number | null;
}

/** What a hit is compared by, from its details as byte text and its `_rankingScore`. */
export function weigh(details: string, rankingScore: number, weight: number, position: number): WeightedHit {
  const rules = Object.entries(JSON.parse(details) as Record<string, RuleDetail>);
  rules.sort((left, right) => left[1].order - right[1].order);
  const groups: (Part[] | WeightedValue)[] = [];
  const terms = rules.find(([name]) => name === 'words')?.[1].matchingWords ?? 1;
  for (const [name, detail] of rules) {
    const parts = relevancyParts(name, detail, terms);
    const last = groups.at(-1);
    if (parts === null) groups.push(otherValue(name, detail, weight));
    else if (Array.isArray(last)) last.push(...parts);
    else groups.push(parts);
  }
  const isSemantic = rules.some(([name]) => name === 'vectorSort');
  const fused = groups.filter((group) => Array.isArray(group)).length;
  const values = groups.map((group): WeightedValue => {
    if (!Array.isArray(group)) return group;
    // The only group is the ranking score itself; of several, each must be put together again.
    const exact = fused === 1 && !isSemantic;
    return { kind: 'score', score: (exact ? rankingScore : fuse(group)) * weight, exact };
  });
  return { values, global: rankingScore * weight, position, isSemantic };
}

function otherValue(name: string, detail: RuleDetail, weight: number): WeightedValue {
  if (name === 'vectorSort') return { kind: 'score', score: (detail.similarity ?? 0) * weight, exact: true };
  const asc = !name.endsWith(':desc');
  if (name.startsWith('_geoPoint(') && 'distance' in detail) {
    return { kind: 'geo', asc, distance: detail.distance ?? null };
  }
  return sortPart(detail.value, !asc);
}

function relevancyParts(name: string, detail: RuleDetail, terms: number): Part[] | null {
  const score = detail.score ?? 0;
  switch (name) {
    case 'words':
      return [{ share: score, steps: detail.maxMatchingWords ?? null }];
    case 'typo':
      return [{ share: score, steps: (detail.maxTypoCount ?? 0) + 1 }];
    case 'proximity':
      // Each pair of neighbouring words has 3 steps beyond the nearest.
      return [{ share: score, steps: stepsOf(score, (pairs) => 1 + 3 * pairs, terms - 1) }];
    case 'attributeRank':
      return [{ share: score, steps: null }];
    case 'wordPosition':
      return [{ share: score, steps: positionSteps(score, terms) }];
    case 'attribute':
      return attributeParts(detail, terms);
    case 'exactness':
      return exactnessParts(detail);
    case 'skipped':
      return [{ share: 0, steps: 1 }];
    default:
      return null;
  }
}

const MATCH_SHARES: Record<string, number> = { exactMatch: 1, matchesStart: 2 / 3, noExactMatch: 1 / 3 };

function exactnessParts({ matchType, matchingWords, maxMatchingWords }: RuleDetail): Part[] {
  const type: Part = { share: MATCH_SHARES[matchType ?? ''] ?? 1 / 3, steps: 3 };
  // Only what is no exact match tells how many words are exact; otherwise all are.
  if (matchingWords === undefined || maxMatchingWords === undefined) return [type, { share: 1, steps: null }];
  const steps = maxMatchingWords + 1;
  return [type, { share: (matchingWords + 1) / steps, steps }];
}

function attributeParts(detail: RuleDetail, terms: number): Part[] {
  const { attributeRankingOrderScore: rank = 0, queryWordDistanceScore: distance = 0, score = 0 } = detail;
  const steps = rank > score ? Math.round((1 - distance) / (rank - score)) : null;
  return [
    { share: rank, steps },
    { share: distance, steps: positionSteps(distance, terms) },
  ];
}

/** Positions of a word are counted in at most 10 steps. */
function positionSteps(share: number, terms: number): number | null {
  return stepsOf(share, (words) => 1 + 10 * words, terms);
}

/** The number of steps for so many words, or for as few others as can be if the share does not come from these. */
function stepsOf(share: number, stepsFor: (count: number) => number, count: number): number | null {
  const counts = [Math.max(0, count), ...Array.from({ length: 20 }, (_, other) => other)];
  const found = counts.map(stepsFor).find((steps) => isWhole(share * steps));
  return found ?? null;
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-9;
}

/** The smallest number of steps that a share can come from. */
function fewestSteps(share: number): number {
  for (let steps = 1; steps < 1_000; steps++) {
    if (isWhole(share * steps)) return steps;
  }
  return 1_000;
}

/** Each rule divides one step of the rule before it. */
function fuse(parts: readonly Part[]): number {
  let inner = parts.at(-1)!.share;
  for (let i = parts.length - 2; i >= 0; i--) {
    const { share, steps } = parts[i]!;
    inner = share - (1 - inner) / (steps ?? fewestSteps(share));
  }
  return inner;
}

/** Negative when `left` comes first. */
export function compareWeighted(left: WeightedHit, right: WeightedHit): number {
  const order = compareValues(left.values, right.values) ?? left.global - right.global;
  return order !== 0 ? -order : left.position - right.position;
}

/** Positive when `left` is better; null when values differ in kind and neither has more of them. */
function compareValues(left: readonly WeightedValue[], right: readonly WeightedValue[]): number | null {
  for (let i = 0; ; i++) {
    const one = left[i];
    const other = right[i];
    if (one === undefined || other === undefined)
      return Number(one !== undefined) - Number(other !== undefined);
    const order = compareValue(one, other);
    if (order === null) return left.length - right.length || null;
    if (order !== 0) return order;
  }
}

/** What was put together again differs in its last digits from what a node calculates. */
const tolerance = (exact: boolean): number => (exact ? Number.EPSILON : 1e-11);

function compareValue(left: WeightedValue, right: WeightedValue): number | null {
  if (left.kind === 'score' && right.kind === 'score') {
    const difference = left.score - right.score;
    return Math.abs(difference) <= tolerance(left.exact && right.exact) ? 0 : difference;
  }
  if (left.kind === 'sort' && right.kind === 'sort') {
    return left.descending === right.descending ? -compareParts(left, right) : null;
  }
  if (left.kind === 'geo' && right.kind === 'geo') {
    if (left.asc !== right.asc) return null;
    if (left.distance === null || right.distance === null) {
      return Number(left.distance !== null) - Number(right.distance !== null);
    }
    // Farther is better here, whatever the direction: so it is in Meilisearch.
    const difference = left.distance - right.distance;
    return Math.abs(difference) <= Number.EPSILON ? 0 : difference;
  }
  return null;
}
