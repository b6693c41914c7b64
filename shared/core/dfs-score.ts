// Works out a ranking score from details, as Meilisearch fuses the ranks of its rules, after some of them were set
// right. Details show most ranks as quotients only: what they are quotients of is found by trying.

import { type KeyPart, mergeKey } from './merge-keys.js';
import { RELEVANCY_RULES } from './setting-table.js';

interface Rank {
  rank: number;
  max: number;
}

type Detail = Record<string, unknown> & { order: number; score?: number };
type Details = Record<string, Detail>;

/** Ranks must fit: Meilisearch counts with 32 bits, and wraps around beyond. */
const LARGEST = 2 ** 32;
const MOST_ATTRIBUTES = 40;
/** What two neighbouring terms cost at most by their distance. */
const FARTHEST = 3;

/**
 * The score that Meilisearch would give with the new details, or null when it cannot be told. `before` and its score are
 * what the node answered to so many terms; only `words` and `exactness` may differ in `after`.
 */
export function rescored(before: Details, score: number, after: Details, terms: number): number | null {
  for (const unknown of possibilities(terms)) {
    const old = ranksOf(before, unknown);
    if (old === null || fuse(old) !== score) continue;
    const fresh = ranksOf(after, unknown);
    return fresh === null ? null : fuse(fresh);
  }
  return null;
}

/** The same for details as byte text in which only the rule `typo` is another. */
export function rescoredForTypos(before: string, score: number, after: string): number | null {
  const [old, fresh] = [JSON.parse(before) as Details, JSON.parse(after) as Details];
  for (let terms = 1; terms <= MOST_TERMS; terms++) {
    const found = rescored(old, score, fresh, terms);
    if (found !== null) return found;
  }
  return null;
}

/** What scores compare by: ranks in a row fused to one number, sort values and distances between them as they are. */
export type ScoreGroup = number | KeyPart;

/** Queries have no more terms. */
const MOST_TERMS = 10;

/** The groups of a hit's details, as byte text, whose fused score is known. */
export function scoreGroups(text: string, score: number): ScoreGroup[] {
  const details = JSON.parse(text) as Details;
  const rules = Object.entries(details).sort((left, right) => left[1].order - right[1].order);
  const groups: (ScoreGroup | Details)[] = [];
  for (const [name, detail] of rules) {
    const last = groups.at(-1);
    if (name === 'vectorSort') groups.push(Number(detail.similarity ?? 0));
    else if (!RANKED.has(name)) groups.push(mergeKey(JSON.stringify({ [name]: detail }), () => null)[0]!);
    else if (last !== undefined && isDetails(last)) last[name] = detail;
    else groups.push({ [name]: detail });
  }
  const fused = groups.filter(isDetails);
  if (fused.length === 1) return groups.map((group) => (isDetails(group) ? score : group));
  const unknown = fused.length === 0 ? null : explain(details, score);
  return groups.map((group) => {
    if (!isDetails(group)) return group;
    const ranks = unknown === null ? null : ranksOf(group, unknown);
    return (ranks === null ? null : fuse(ranks)) ?? score;
  });
}

const RANKED = new Set([...RELEVANCY_RULES, 'skipped']);

function isDetails(group: ScoreGroup | Details): group is Details {
  return typeof group === 'object' && !('kind' in group);
}

function explain(details: Details, score: number): Unknown | null {
  for (let terms = 1; terms <= MOST_TERMS; terms++) {
    for (const unknown of possibilities(terms)) {
      const ranks = ranksOf(details, unknown);
      if (ranks !== null && fuse(ranks) === score) return unknown;
    }
  }
  return null;
}

function* possibilities(terms: number): Generator<Unknown> {
  for (let pairs = terms - 1; pairs >= 0; pairs--) {
    for (let attributes = 1; attributes <= MOST_ATTRIBUTES; attributes++) {
      for (let exact = terms; exact >= 0; exact--) yield { terms, pairs, attributes, exact };
    }
  }
}

function fuse(ranks: readonly Rank[]): number | null {
  let rank = 1;
  let max = 1;
  for (const inner of ranks) {
    rank = Math.max(0, rank - 1) * inner.max + inner.rank;
    max *= inner.max;
    if (max >= LARGEST) return null;
  }
  return rank / max;
}

interface Unknown {
  terms: number;
  /** Neighbouring terms: where one was dropped between two, their distance does not count. */
  pairs: number;
  attributes: number;
  /** Terms that are exact in a hit that begins with the query. */
  exact: number;
}

function ranksOf(details: Details, unknown: Unknown): Rank[] | null {
  const out: Rank[] = [];
  const rules = Object.entries(details).sort((left, right) => left[1].order - right[1].order);
  for (const [name, detail] of rules) {
    if (name === 'words') {
      out.push({ rank: Number(detail.matchingWords), max: Number(detail.maxMatchingWords) });
    } else if (name === 'typo') {
      const max = Number(detail.maxTypoCount) + 1;
      out.push({ rank: max - Number(detail.typoCount), max });
    } else if (name === 'exactness') {
      out.push(...exactnessRanks(detail, unknown));
    } else {
      const found = quotients(name, detail, unknown);
      if (found === null) return null;
      out.push(...found);
    }
  }
  return out;
}

function exactnessRanks(detail: Detail, { terms, exact }: Unknown): Rank[] {
  const type = { exactMatch: 3, matchesStart: 2 }[String(detail.matchType)] ?? 1;
  const words =
    type === 1
      ? { rank: Number(detail.matchingWords) + 1, max: Number(detail.maxMatchingWords) + 1 }
      : { rank: exact + 1, max: terms + 1 };
  return [{ rank: type, max: 3 }, words];
}

function quotients(name: string, detail: Detail, { terms, pairs, attributes }: Unknown): Rank[] | null {
  const rankMax = (attributes - 1) * terms + 1;
  const positionMax = 10 * terms + 1;
  switch (name) {
    case 'proximity':
      return asRanks([Number(detail.score), FARTHEST * pairs + 1]);
    case 'attributeRank':
      return asRanks([Number(detail.score), rankMax]);
    case 'wordPosition':
      return asRanks([Number(detail.score), positionMax]);
    case 'attribute':
      return asRanks(
        [Number(detail.attributeRankingOrderScore), rankMax],
        [Number(detail.queryWordDistanceScore), positionMax],
      );
    default:
      // Sorts and distances do not count.
      return [];
  }
}

function asRanks(...pairs: [score: number, max: number][]): Rank[] | null {
  const out: Rank[] = [];
  for (const [score, max] of pairs) {
    const rank = Math.round(score * max);
    if (rank / max !== score) return null;
    out.push({ rank, max });
  }
  return out;
}
