// The measures behind the textual ranking rules, each a function of one document and the query.
import { POSITIONS } from './index-data.js';
import type { Matching, Occurrence } from './matching.js';
import { typoBudget } from './query.js';

const MAX_DISTANCE = 4;

/** Typos of the best occurrences, and how many there could be. */
export function typoCounts(matching: Matching, document: number): { count: number; max: number } {
  const found = matching.occurrences(document);
  let count = 0;
  let max = 0;
  for (const term of matching.stage(document).terms) {
    count += Math.min(2, ...found[term]!.map(({ typoCount }) => typoCount));
    const { phrase, words } = matching.query.terms[term]!;
    if (!phrase) max += Math.max(1, typoBudget(matching.index, words[0]!.text)); // as Meilisearch, which may split words
  }
  return { count: Math.min(count, max), max };
}

/** Words from the end of the left term, `width` words long, to the right one; one more when they are reversed. */
function pairDistance(left: Occurrence[], right: Occurrence[], width: number): number {
  let best = MAX_DISTANCE;
  for (const a of left) {
    const end = a.position + width - 1;
    for (const b of right) {
      if (a.field !== b.field || b.position === end) continue;
      best = Math.min(best, b.position > end ? b.position - end : end - b.position + 1);
    }
  }
  return best;
}

/** How far the query's neighbours are apart: 0 for each pair side by side, up to 3. */
export function proximityCost(matching: Matching, document: number): number {
  const found = matching.occurrences(document);
  const { terms } = matching.stage(document);
  let cost = 0;
  for (let at = 1; at < terms.length; at++) {
    const left = matching.query.terms[terms[at - 1]!]!;
    const width = left.words[left.words.length - 1]!.offset + 1;
    // Words that the query itself keeps apart need not be close.
    if (matching.query.terms[terms[at]!]!.position !== left.position + width) continue;
    cost += pairDistance(found[terms[at - 1]!]!, found[terms[at]!]!, width) - 1;
  }
  return cost;
}

function bucketDistance(distance: number): number {
  const limits = [0, 1, 4, 7, 11, 16, 24, 64, 256, 1024];
  const bucket = limits.findIndex((limit) => distance <= limit);
  return bucket < 0 ? 10 : bucket;
}

/** How far the words stand from their places in the query: 0 to 10 each. */
export function wordPositionCost(matching: Matching, document: number): number {
  const found = matching.occurrences(document);
  return matching.stage(document).terms.reduce((sum, term) => {
    const { position } = matching.query.terms[term]!;
    const distances = found[term]!.map((occurrence) => Math.abs(occurrence.position - position));
    return sum + bucketDistance(Math.min(...distances, POSITIONS));
  }, 0);
}

export interface Exactness {
  type: 'exactMatch' | 'matchesStart' | 'noExactMatch';
  words: number;
}

/** Whether some attribute is, or begins with, the query; otherwise how many of its words occur as they are. */
export function exactnessOf(matching: Matching, document: number): Exactness {
  const found = matching.occurrences(document);
  const { terms } = matching.query;
  const words = matching
    .stage(document)
    .terms.filter((term) => found[term]!.some(({ exact }) => exact)).length;
  const lengths = new Map<number, number>();
  const tokens = matching.index.tokens[document]!;
  for (let at = 0; at < tokens.length; at += 2) {
    const field = Math.floor(tokens[at + 1]! / POSITIONS);
    lengths.set(field, (lengths.get(field) ?? 0) + 1);
  }
  let type: Exactness['type'] = 'noExactMatch';
  const total = terms.reduce((sum, term) => sum + term.words.length, 0);
  for (const [field, length] of lengths) {
    const starts = terms.every((term, at) =>
      found[at]!.some(
        ({ exact, position, field: own }) => exact && own === field && position === term.position,
      ),
    );
    if (!starts) continue;
    if (length === total) return { type: 'exactMatch', words };
    type = 'matchesStart';
  }
  return { type, words };
}
