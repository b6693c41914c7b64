// How far facets that differ do differ: some of it depends on the order in which a node got its documents.
import { readTree, type Tree } from './json-tree.js';

export type FacetDifference = 'spelling' | 'equal counts' | 'other';

/** Compares two texts of members, as `takeApart` gives them. */
export function compareFacets(ours: string, theirs: string): FacetDifference {
  const [left, right] = [ours, theirs].map((text) => readTree(`{${text.replace(/,$/, '')}}`)) as [Tree, Tree];
  return compareTrees(left, right) ?? 'spelling';
}

function compareTrees(left: Tree, right: Tree): FacetDifference | null {
  if (left.kind !== 'object' || right.kind !== 'object') {
    return JSON.stringify(left) === JSON.stringify(right) ? null : 'other';
  }
  if (left.members.length !== right.members.length) return 'other';
  if (isCounts(left) && isCounts(right)) return compareCounts(left.members, right.members);
  let found: FacetDifference | null = null;
  for (const [at, [key, value]] of left.members.entries()) {
    const [otherKey, other] = right.members[at]!;
    const inside = key === otherKey ? compareTrees(value, other) : 'other';
    if (inside === 'other') return inside;
    found = inside ?? found;
  }
  return found;
}

/** Values with how many documents have them: whole numbers all of them, unlike the `min` and `max` of statistics. */
function isCounts(tree: Tree & { kind: 'object' }): boolean {
  return tree.members.every(([, value]) => value.kind === 'scalar' && /^\d+$/.test(value.text));
}

function compareCounts(
  left: readonly [string, Tree][],
  right: readonly [string, Tree][],
): FacetDifference | null {
  const counts = (list: readonly [string, Tree][]) => JSON.stringify(list.map(([, value]) => value));
  if (counts(left) !== counts(right)) return 'other';
  const keys = (list: readonly [string, Tree][]) => JSON.stringify(list.map(([key]) => key));
  if (keys(left) === keys(right)) return null;
  const normalized = (list: readonly [string, Tree][]) =>
    JSON.stringify(list.map(([key]) => normalizeKey(key)));
  return normalized(left) === normalized(right) ? 'spelling' : 'equal counts';
}

/** As Meilisearch does it: what is equal then is one value. */
function normalizeKey(key: string): string {
  return (JSON.parse(key) as string).trim().normalize('NFKD').toLowerCase();
}
