// What makes an answer of nodes less than what one node would answer, though it looks whole: it is said in a header.
import { type Answer, cutAnswer } from './answer.js';
import { readMulti } from './dfs-multi.js';
import type { DetailsHead } from './hit-details.js';
import { detailsText } from './hits.js';
import { membersOf } from './json-scan.js';

/** A node's `searchCutoffMs` ended the search; or it has pinned documents, from search rules that Miroir does not know. */
export type Flaw = 'search cutoff' | 'pinned documents';

const SIGNS: readonly (readonly [rule: string, flaw: Flaw])[] = [
  ['skipped', 'search cutoff'],
  ['pin', 'pinned documents'],
];

/** A node's answer as byte text, and cut where it is to one search. */
export interface FlawedAnswer {
  readonly text: string;
  readonly cut?: Answer;
}

/** The flaws of nodes' answers, told by the details of their hits. Cheap where there are none. */
export function flawsOf(answers: readonly FlawedAnswer[]): Flaw[] {
  return SIGNS.flatMap(([rule, flaw]) => (answers.some((answer) => hasRule(answer, rule)) ? [flaw] : []));
}

function hasRule({ text, cut }: FlawedAnswer, rule: string): boolean {
  if (cut !== undefined) return hitHasRule(cut, rule);
  // A document may have a field of this name, so what is found at first must be looked at.
  return text.includes(`${rule}":{`) && answersIn(text).some((answer) => hitHasRule(cutAnswer(answer), rule));
}

function hitHasRule({ text, hits, details }: Answer, rule: string): boolean {
  let lacking: DetailsHead | null = null;
  return details.some((cut, hit) => {
    if (cut?.head) {
      // One head stands for many hits.
      if (cut.head === lacking) return false;
      lacking = cut.head;
      return Object.hasOwn(lacking.rules, rule);
    }
    const other = detailsText(text, hits[2 * hit]!, hits[2 * hit + 1]!);
    return other !== null && membersOf(other, 0).some(([key]) => key === rule);
  });
}

/** The answer itself, or those of a /multi-search. */
function answersIn(text: string): string[] {
  return text.startsWith('{"results":') ? readMulti(text) : [text];
}
