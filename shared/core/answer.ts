// Cuts a node's search answer into its parts without parsing the hits.
import { scanArray, skipSpace, skipString, skipValue } from './json-scan.js';

/** A search answer as byte text, with the places of what is in it. */
export interface Answer {
  readonly text: string;
  /** Start and end of each hit, in pairs. */
  readonly hits: readonly number[];
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
      hits = scanArray(text, start);
      hitsStart = start;
      position = hitsEnd = hits.pop()!;
    } else {
      position = skipValue(text, start);
      rest.set(key, text.slice(start, position));
    }
    position = skipSpace(text, position);
    if (text.charCodeAt(position) !== 44) break;
    position = skipSpace(text, position + 1);
  }
  if (hits === null) throw new SyntaxError('the answer has no hits');
  return { text, hits, rest, hitsStart, hitsEnd };
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
