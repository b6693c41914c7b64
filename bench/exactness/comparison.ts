// Compares two answers byte by byte, part by part: hits, totals, facets, and whatever else there is.
import { compareFacets, type FacetDifference } from './facet-difference.js';
import { member, printTree, readTree, type Tree } from './json-tree.js';

export interface Answer {
  status: number;
  text: string;
  /** What Miroir says of an answer that lacks shards. */
  degraded?: string;
}

/** One hit: as it stands, with its keys in order, and who it is. */
export interface Hit {
  text: string;
  ordered: string;
  id: string;
}

/** An answer taken apart. Several answers in one are taken together. */
export interface Parts {
  hits: Hit[];
  totals: string;
  facets: string;
  rest: string;
}

export interface Comparison {
  /** Every byte, but for the order of keys inside of hits unless that counts. */
  identical: boolean;
  hits: boolean;
  totals: boolean;
  facets: boolean;
  rest: boolean;
  /** Where facets differ: in the spelling that is shown, in the order among equal counts, or truly. */
  facetDifference: FacetDifference | null;
  /** Hits say the same, with their keys in another order. */
  keysMoved: boolean;
  /** Only where hits differ. */
  tau: number | null;
  overlap: number | null;
  firstDifferent: { position: number; ours: string | null; theirs: string | null } | null;
}

const VOLATILE = new Set(['"processingTimeMs"', '"requestUid"', '"performanceDetails"']);
const TOTALS = new Set(
  ['limit', 'offset', 'estimatedTotalHits', 'page', 'hitsPerPage', 'totalHits', 'totalPages'].map(
    (name) => `"${name}"`,
  ),
);
const FACETS = new Set(
  ['facetDistribution', 'facetStats', 'facetHits', 'facetsByIndex'].map((name) => `"${name}"`),
);

/** Takes an answer apart. `hiddenRule` is cut out of details: to the reference its last rule is its own. */
export function takeApart(answer: Answer, primaryKey: string, hiddenRule: string | null = null): Parts {
  const parts: Parts = {
    hits: [],
    totals: '',
    facets: '',
    rest: `${answer.status} ${answer.degraded ?? ''} `,
  };
  const tree = answer.text === '' ? null : readTree(answer.text);
  if (tree !== null) visit(tree, parts, primaryKey, hiddenRule);
  return parts;
}

function visit(tree: Tree, parts: Parts, primaryKey: string, hiddenRule: string | null): void {
  if (tree.kind !== 'object') {
    parts.rest += printTree(tree);
    return;
  }
  for (const [key, value] of tree.members) {
    if (VOLATILE.has(key)) continue;
    if (key === '"hits"' && value.kind === 'array') {
      parts.rest += key;
      for (const item of value.items) parts.hits.push(readHit(item, primaryKey, hiddenRule));
    } else if (key === '"results"' && value.kind === 'array') {
      parts.rest += `${key}${value.items.length}`;
      for (const item of value.items) visit(item, parts, primaryKey, hiddenRule);
    } else if (TOTALS.has(key)) parts.totals += `${key}:${printTree(value)},`;
    else if (FACETS.has(key)) parts.facets += `${key}:${printTree(value)},`;
    else parts.rest += `${key}:${printTree(value)},`;
  }
}

function readHit(tree: Tree, primaryKey: string, hiddenRule: string | null): Hit {
  const shown = hiddenRule === null ? tree : withoutRule(tree, hiddenRule);
  const ordered = printTree(shown, true);
  const id = member(shown, primaryKey);
  return { text: printTree(shown), ordered, id: id === undefined ? ordered : printTree(id) };
}

function withoutRule(hit: Tree, rule: string): Tree {
  if (hit.kind !== 'object') return hit;
  const members = hit.members.map(([key, value]): [string, Tree] => {
    if (key !== '"_rankingScoreDetails"' || value.kind !== 'object') return [key, value];
    const last = value.members.at(-1);
    const isHidden = last !== undefined && (last[0] === `"${rule}"` || last[0].startsWith('"<hidden-rule-'));
    return [key, isHidden ? { kind: 'object', members: value.members.slice(0, -1) } : value];
  });
  return { kind: 'object', members };
}

/** Compares Miroir's answer to that of one node. */
export function compareParts(ours: Parts, theirs: Parts, strictKeys = false): Comparison {
  const textually = sameList(ours.hits, theirs.hits, (hit) => hit.text);
  const inOrder = textually || sameList(ours.hits, theirs.hits, (hit) => hit.ordered);
  const hits = strictKeys ? textually : inOrder;
  const totals = ours.totals === theirs.totals;
  const facets = ours.facets === theirs.facets;
  const rest = ours.rest === theirs.rest;
  const position = hits ? -1 : firstDifference(ours.hits, theirs.hits, strictKeys);
  const [ids, reference] = [ours, theirs].map(({ hits: list }) => list.map(({ id }) => id)) as [
    string[],
    string[],
  ];
  return {
    identical: hits && totals && facets && rest,
    hits,
    totals,
    facets,
    rest,
    facetDifference: facets ? null : compareFacets(ours.facets, theirs.facets),
    keysMoved: inOrder && !textually,
    tau: hits ? null : kendallTau(ids, reference),
    overlap: hits ? null : overlapOf(ids, reference),
    firstDifferent: hits
      ? null
      : { position, ours: ours.hits[position]?.text ?? null, theirs: theirs.hits[position]?.text ?? null },
  };
}

function sameList(left: readonly Hit[], right: readonly Hit[], of: (hit: Hit) => string): boolean {
  return left.length === right.length && left.every((hit, at) => of(hit) === of(right[at]!));
}

function firstDifference(left: readonly Hit[], right: readonly Hit[], strictKeys: boolean): number {
  const of = (hit: Hit | undefined) => (strictKeys ? hit?.text : hit?.ordered);
  let at = 0;
  while (at < left.length && at < right.length && of(left[at]) === of(right[at])) at += 1;
  return at;
}

/** Kendall's tau of what both lists hold: 1 the same order, -1 the reverse; null for less than two items. */
export function kendallTau(left: readonly string[], right: readonly string[]): number | null {
  const places = new Map(right.map((id, at) => [id, at]));
  const ranks = [...new Set(left)].flatMap((id) => places.get(id) ?? []);
  if (ranks.length < 2) return null;
  let balance = 0;
  for (let first = 0; first < ranks.length; first += 1)
    for (let second = first + 1; second < ranks.length; second += 1)
      balance += ranks[first]! < ranks[second]! ? 1 : -1;
  return balance / ((ranks.length * (ranks.length - 1)) / 2);
}

/** How much of the longer list both hold; 1 when both are empty. */
export function overlapOf(left: readonly string[], right: readonly string[]): number {
  const [ours, theirs] = [new Set(left), new Set(right)];
  const most = Math.max(ours.size, theirs.size);
  if (most === 0) return 1;
  return [...ours].filter((id) => theirs.has(id)).length / most;
}
