// Sets right what a node could not know about a hit: how many words of the whole query it matches, and whether it
// begins with the query in words that another node has.
import { rescored } from './dfs-score.js';
import { floatText } from './float-text.js';
import { detailsText } from './hits.js';
import { memberText, scanObject } from './json-scan.js';
import type { RuleDetail } from './merge-keys.js';

/** What the details of hits of one answer must say. */
export interface Correction {
  /** Words matched and at most to be matched, where the node counted by itself; null leaves them. */
  readonly words: { readonly matching: number; readonly max: number } | null;
  /** The terms that a hit with so many dropped words was judged by, see judgeExactness. */
  readonly exactness: (droppedWords: number) => ExactnessVerdict;
}

/** Null: as the node says. Otherwise no hit is exact, and those that the node calls so have this many exact words. */
export type ExactnessVerdict = { readonly matching: number; readonly max: number } | null;

/**
 * Compares what one node holding every document knows with what this one knows. Terms are given by their positions in
 * the query; a term counts as exact where its very word is known, and exact terms must follow each other from the first.
 */
export function judgeExactness(
  kept: readonly number[],
  fleetKnows: readonly boolean[],
  nodeKnows: readonly boolean[],
): ExactnessVerdict {
  const fleet = kept.filter((term) => fleetKnows[term]);
  const node = kept.filter((term) => nodeKnows[term]);
  if (node.length === 0) return null;
  const isRun = fleet.every((term, position) => term === position);
  const same = fleet.length === node.length && fleet.every((term, position) => term === node[position]);
  return isRun && same ? null : { matching: node.length, max: kept.length };
}

type Detail = Record<string, unknown> & RuleDetail;
type Details = Record<string, Detail>;

/** The hit with corrected details and score; the same text where nothing is wrong. */
export function correctHit(hit: string, correction: Correction, terms: number): string {
  const text = detailsText(hit, 0, hit.length);
  if (text === null) return hit;
  const before = JSON.parse(text) as Details;
  const after = { ...before };
  const edits = new Map<string, string>();
  if (correction.words !== null && before.words !== undefined) {
    const { matching, max } = correction.words;
    const words = {
      ...before.words,
      matchingWords: matching,
      maxMatchingWords: max,
      score: matching / max,
    };
    after.words = words;
    edits.set('words', printDetail(words));
  }
  const exactness = wrongExactness(before, correction);
  if (exactness !== null) {
    after.exactness = exactness;
    edits.set('exactness', printDetail(exactness));
  }
  if (edits.size === 0) return hit;
  const start = hit.length - 1 - text.length;
  const shown = replaceMembers(hit.slice(0, start), before, after, terms);
  return `${shown}${replaceIn(text, edits)}}`;
}

/** The corrected exactness, or null when the node's is right. */
function wrongExactness(details: Details, correction: Correction): Detail | null {
  const judged = judgedBy(details);
  if (judged === null) return null;
  const verdict = correction.exactness(judged.dropped);
  if (verdict === null) return null;
  const { matching, max } = verdict;
  return {
    order: details.exactness!.order,
    matchType: 'noExactMatch',
    matchingWords: matching,
    maxMatchingWords: max,
    score: (matching + 1) / (3 * (max + 1)),
  };
}

/** How many words were dropped before a hit with these details was called exact; null where words did not decide. */
export function judgedBy({
  words,
  typo,
  exactness,
}: Readonly<Record<string, RuleDetail>>): { readonly dropped: number } | null {
  if (exactness === undefined || exactness.matchType === 'noExactMatch') return null;
  // Among documents with a typo, the mistyped word counts as exact for no node.
  if (typo !== undefined && typo.order < exactness.order && Number(typo.typoCount) > 0) return null;
  if (words === undefined || words.order > exactness.order) return { dropped: 0 };
  return { dropped: Number(words.maxMatchingWords) - Number(words.matchingWords) };
}

function replaceMembers(head: string, before: Details, after: Details, terms: number): string {
  const mark = '"_rankingScore":';
  const at = head.lastIndexOf(mark);
  if (at < 0) return head;
  const from = at + mark.length;
  const to = head.indexOf(',', from);
  const score = rescored(before, Number(head.slice(from, to)), after, terms);
  return score === null ? head : head.slice(0, from) + floatText(score) + head.slice(to);
}

function replaceIn(details: string, edits: ReadonlyMap<string, string>): string {
  const members = scanObject(details, 0);
  const out: string[] = [];
  for (let i = 0; i + 3 < members.length; i += 4) {
    const key = details.slice(members[i]! + 1, members[i + 1]! - 1);
    const edit = edits.get(key);
    out.push(edit === undefined ? details.slice(members[i]!, members[i + 3]!) : `"${key}":${edit}`);
  }
  return `{${out.join(',')}}`;
}

function printDetail(detail: Detail): string {
  const members = Object.entries(detail).map(([key, value]) => {
    const text = key === 'score' ? floatText(value as number) : JSON.stringify(value);
    return `"${key}":${text}`;
  });
  return `{${members.join(',')}}`;
}

/** The estimated or exact total of an answer. */
export function matchesOf(answer: string): number {
  const total = memberText(answer, 0, 'estimatedTotalHits') ?? memberText(answer, 0, 'totalHits');
  return total === null ? 0 : Number(total);
}
