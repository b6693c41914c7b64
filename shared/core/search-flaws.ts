// What makes an answer of nodes less than what one node would answer, though it looks whole: it is said in a header.
import { cutAnswer } from './answer.js';
import { readMulti } from './dfs-multi.js';
import { detailsText } from './hits.js';
import { membersOf } from './json-scan.js';

/** A node's `searchCutoffMs` ended the search; or it has pinned documents, from search rules that Miroir does not know. */
export type Flaw = 'search cutoff' | 'pinned documents';

const SIGNS: readonly (readonly [rule: string, flaw: Flaw])[] = [
  ['skipped', 'search cutoff'],
  ['pin', 'pinned documents'],
];

/** The flaws of nodes' answers as byte text, told by the details of their hits. Cheap where there are none. */
export function flawsOf(texts: readonly string[]): Flaw[] {
  return SIGNS.flatMap(([rule, flaw]) => (texts.some((text) => hasRule(text, rule)) ? [flaw] : []));
}

function hasRule(text: string, rule: string): boolean {
  // A document may have a field of this name, so what is found at first must be looked at.
  return text.includes(`"${rule}":{`) && answersIn(text).some((answer) => hitHasRule(answer, rule));
}

function hitHasRule(text: string, rule: string): boolean {
  const { hits } = cutAnswer(text);
  for (let i = 0; i + 1 < hits.length; i += 2) {
    const details = detailsText(text, hits[i]!, hits[i + 1]!);
    if (details !== null && membersOf(details, 0).some(([key]) => key === rule)) return true;
  }
  return false;
}

/** The answer itself, or those of a /multi-search. */
function answersIn(text: string): string[] {
  return text.startsWith('{"results":') ? readMulti(text) : [text];
}
