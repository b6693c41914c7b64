// matchingStrategy `frequency` over many nodes: which words one node holding every document would drop, and when.

/** A set of terms to leave out, by position. */
export type Dropped = readonly number[];

export interface Stages {
  /** levels[n] lists the sets of n terms that may be missing; documents of one level rank before those of the next. */
  readonly levels: readonly (readonly Dropped[])[];
  /** All that may be missing: what the rest matches is what counts. */
  readonly last: Dropped;
}

/** A term: how many documents of the whole corpus match it, or null for a phrase, which is never dropped. */
export type Frequency = number | null;

/** More sets than these are not asked for: only the straight order is then. */
const MAX_SETS = 40;

/**
 * The stages of a query. Meilisearch drops the most frequent term first, and before all one that nothing matches; the
 * rarest stays. Where a term goes, those behind it that go earlier must have gone, while those before it may stay.
 */
export function dropStages(frequencies: readonly Frequency[]): Stages {
  const weights = weigh(frequencies);
  const heaviest = Math.max(0, ...weights.map((weight) => weight ?? 0));
  const hasPhrase = frequencies.includes(null);
  const removable = weights.flatMap((weight, term) =>
    weight !== null && (hasPhrase || weight < heaviest) ? [term] : [],
  );
  const levels: Dropped[][] = Array.from({ length: removable.length + 1 }, () => []);
  let count = 0;
  for (let mask = 0; mask < 1 << removable.length; mask++) {
    const dropped = removable.filter((_, bit) => (mask >> bit) & 1);
    if (!isAllowed(dropped, removable, weights)) continue;
    levels[dropped.length]!.push(dropped);
    count++;
  }
  if (count <= MAX_SETS) return { levels, last: removable };
  const order = [...removable].sort((left, right) => weights[left]! - weights[right]!);
  return {
    levels: levels.map((_, length) => [order.slice(0, length).sort((left, right) => left - right)]),
    last: removable,
  };
}

/** Equal frequencies have equal weights; smaller ones go first. */
function weigh(frequencies: readonly Frequency[]): (number | null)[] {
  const order = [...new Set(frequencies.filter((count) => count !== null))].sort(
    (left, right) => rank(right) - rank(left),
  );
  return frequencies.map((count) => (count === null ? null : order.indexOf(count)));
}

function rank(count: number): number {
  return count === 0 ? Number.POSITIVE_INFINITY : count;
}

function isAllowed(
  dropped: Dropped,
  removable: readonly number[],
  weights: readonly (number | null)[],
): boolean {
  return dropped.every((term) =>
    removable.every((other) => other <= term || weights[other]! >= weights[term]! || dropped.includes(other)),
  );
}
