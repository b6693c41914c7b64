// Cuts a node's search answer into its parts without parsing the hits.
import { DetailsCutter, type HitDetails } from './hit-details.js';
import { skipSpace, skipString, skipValue } from './json-scan.js';

/** A search answer as byte text, with the places of what is in it. */
export interface Answer {
  readonly text: string;
  /** Start and end of each hit, in pairs. */
  readonly hits: readonly number[];
  /** The ranking score details of each hit; null where they are not its last member. */
  readonly details: readonly (HitDetails | null)[];
  /** Raw values of all other members, in their order. */
  readonly rest: ReadonlyMap<string, string>;
  /** Where the array of hits begins and ends. */
  readonly hitsStart: number;
  readonly hitsEnd: number;
}

/** Cuts an answer in one pass. Throws SyntaxError when it is no JSON object with hits. */
export function cutAnswer(text: string): Answer {
  const rest = new Map<string, string>();
  let hits: number[] | null = null;
  let details: (HitDetails | null)[] = [];
  let hitsStart = 0;
  let hitsEnd = 0;
  let position = skipSpace(text, 0);
  if (text.charCodeAt(position) !== 123) throw new SyntaxError('the answer is no JSON object');
  position = skipSpace(text, position + 1);
  while (text.charCodeAt(position) === 34) {
    const keyEnd = skipString(text, position);
    const key = text.slice(position + 1, keyEnd - 1);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    if (key === 'hits') {
      hits = [];
      details = [];
      hitsStart = start;
      position = hitsEnd = cutHits(text, start, hits, details);
    } else {
      position = skipValue(text, start);
      rest.set(key, text.slice(start, position));
    }
    position = skipSpace(text, position);
    if (text.charCodeAt(position) !== 44) break;
    position = skipSpace(text, position + 1);
  }
  if (hits === null) throw new SyntaxError('the answer has no hits');
  return { text, hits, details, rest, hitsStart, hitsEnd };
}

/** Cuts the array of hits that opens at `at`; answers the position after it. */
function cutHits(text: string, at: number, hits: number[], details: (HitDetails | null)[]): number {
  const cutter = new DetailsCutter();
  let position = skipSpace(text, at + 1);
  if (text.charCodeAt(position) === 93) return position + 1;
  for (;;) {
    const end = text.charCodeAt(position) === 123 ? cutHit(text, position, cutter, details) : -1;
    hits.push(position, end < 0 ? skipValue(text, position) : end);
    if (end < 0) details.push(null);
    const next = skipSpace(text, hits.at(-1)!);
    const code = text.charCodeAt(next);
    if (code === 93) return next + 1;
    if (code !== 44) throw new SyntaxError('expected a comma in JSON');
    position = skipSpace(text, next + 1);
  }
}

/** Adds the details of the hit that opens at `at`; answers the position after it. */
function cutHit(text: string, at: number, cutter: DetailsCutter, details: (HitDetails | null)[]): number {
  let found: (HitDetails & { readonly end: number }) | null = null;
  let position = skipSpace(text, at + 1);
  while (text.charCodeAt(position) === 34) {
    const keyEnd = skipString(text, position);
    const colon = skipSpace(text, keyEnd);
    if (text.charCodeAt(colon) !== 58) throw new SyntaxError('expected a colon in JSON');
    const start = skipSpace(text, colon + 1);
    // The other members that Meilisearch and Miroir add begin with an underscore as well.
    const isDetails =
      text.charCodeAt(position + 1) === 95 &&
      text.charCodeAt(start) === 123 &&
      text.slice(position, keyEnd) === '"_rankingScoreDetails"';
    if (isDetails) found = cutter.cut(text, start);
    const end = isDetails ? found!.end : skipValue(text, start);
    position = skipSpace(text, end);
    if (text.charCodeAt(position) !== 44) break;
    position = skipSpace(text, position + 1);
  }
  if (text.charCodeAt(position) !== 125) throw new SyntaxError('expected the end of a hit in JSON');
  details.push(found !== null && found.end === position ? found : null);
  return position + 1;
}

/** Where the array of hits opens, without looking at what is behind it. */
export function findHits(text: string): number {
  let position = skipSpace(text, 0);
  if (text.charCodeAt(position) !== 123) throw new SyntaxError('the answer is no JSON object');
  position = skipSpace(text, position + 1);
  while (text.charCodeAt(position) === 34) {
    const keyEnd = skipString(text, position);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    if (text.slice(position, keyEnd) === '"hits"') return start;
    position = skipSpace(text, skipValue(text, start));
    if (text.charCodeAt(position) !== 44) break;
    position = skipSpace(text, position + 1);
  }
  throw new SyntaxError('the answer has no hits');
}

/** How many documents matched, by either way of paging. */
export function totalOf(answer: Answer): number {
  const total = answer.rest.get('estimatedTotalHits') ?? answer.rest.get('totalHits');
  return total === undefined ? 0 : Number(total);
}
