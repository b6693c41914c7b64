// Cuts a node's search answer into its parts without parsing the hits.
import { scanArray, scanObject } from './json-scan.js';

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

/** Cuts an answer. Throws SyntaxError when it is no JSON object with hits. */
export function cutAnswer(text: string): Answer {
  const members = scanObject(text, text.indexOf('{'));
  const rest = new Map<string, string>();
  let hits: number[] | null = null;
  let hitsStart = 0;
  let hitsEnd = 0;
  for (let i = 0; i + 3 < members.length; i += 4) {
    const key = text.slice(members[i]! + 1, members[i + 1]! - 1);
    if (key === 'hits') {
      hitsStart = members[i + 2]!;
      hitsEnd = members[i + 3]!;
      hits = scanArray(text, hitsStart);
      hits.pop();
    } else {
      rest.set(key, text.slice(members[i + 2]!, members[i + 3]!));
    }
  }
  if (hits === null) throw new SyntaxError('the answer has no hits');
  return { text, hits, rest, hitsStart, hitsEnd };
}

/** How many documents matched, by either way of paging. */
export function totalOf(answer: Answer): number {
  const total = answer.rest.get('estimatedTotalHits') ?? answer.rest.get('totalHits');
  return total === undefined ? 0 : Number(total);
}
