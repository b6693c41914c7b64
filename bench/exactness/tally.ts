// What was counted: by class and fleet, with the first cases that differ.
import type { Comparison } from './comparison.js';
import type { Ask } from './query-class.js';

export interface Case {
  class: string;
  /** The number of the query in its class, for --only. */
  only: number;
  fleet: string;
  ask: Ask;
  /** The first hit that differs, where hits do. */
  position: number | null;
  ours: string | null;
  theirs: string | null;
  /** Which parts differ. */
  parts: string[];
}

export interface Tally {
  class: string;
  fleet: string;
  queries: number;
  identical: number;
  hits: number;
  totals: number;
  facets: number;
  rest: number;
  /** Hits that say the same with their keys in another order. */
  keysMoved: number;
  /** Answered 501: neither identical nor different. */
  notSupported: number;
  /** Facets that differ in the shown spelling of values only, and those that differ in the order of equal counts only. */
  spellings: number;
  facetTies: number;
  /** The engine refuses what Meilisearch would answer: nothing to compare. */
  notInEngine: number;
  /** The reference gave an error where none is expected, or none where one is: the class is at fault. */
  unexpected: number;
  tauSum: number;
  tauCount: number;
  overlapSum: number;
  differing: number;
}

export function emptyTally(name: string, fleet: string): Tally {
  return {
    class: name,
    fleet,
    queries: 0,
    identical: 0,
    hits: 0,
    totals: 0,
    facets: 0,
    rest: 0,
    keysMoved: 0,
    spellings: 0,
    facetTies: 0,
    notSupported: 0,
    notInEngine: 0,
    unexpected: 0,
    tauSum: 0,
    tauCount: 0,
    overlapSum: 0,
    differing: 0,
  };
}

export function countComparison(tally: Tally, found: Comparison): void {
  tally.queries += 1;
  for (const part of ['identical', 'hits', 'totals', 'facets', 'rest'] as const) {
    if (found[part]) tally[part] += 1;
  }
  if (found.keysMoved) tally.keysMoved += 1;
  if (found.facetDifference === 'spelling') tally.spellings += 1;
  if (found.facetDifference === 'equal counts') tally.facetTies += 1;
  if (found.hits) return;
  tally.differing += 1;
  tally.overlapSum += found.overlap ?? 0;
  if (found.tau === null) return;
  tally.tauSum += found.tau;
  tally.tauCount += 1;
}

/** Adds tallies of one class up. */
export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = emptyTally(tallies[0]!.class, 'all');
  for (const tally of tallies) {
    for (const [key, value] of Object.entries(tally)) {
      if (typeof value === 'number') (sum as unknown as Record<string, number>)[key]! += value;
    }
  }
  return sum;
}

export function differingParts(found: Comparison): string[] {
  return (['hits', 'totals', 'facets', 'rest'] as const).filter((part) => !found[part]);
}
