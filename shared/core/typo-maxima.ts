// How many typos a query allows at most depends on which of its words, written together, some document of the node has.
// Of several nodes the largest counts, as on one node that holds all their documents.
import type { Answer } from './answer.js';
import { rescoredForTypos } from './dfs-score.js';
import { floatText } from './float-text.js';
import { detailsText } from './hits.js';

const LIMIT = /"typo":\{"order":\d+,"typoCount":(\d+),"maxTypoCount":(\d+),"score":[^}]+\}/;

export class TypoMaxima {
  /** By what the rules before say. */
  private readonly largest = new Map<string, number>();
  private disagree = false;

  constructor(answers: readonly Answer[]) {
    if (answers.every(({ text }) => !text.includes('"maxTypoCount"'))) return;
    for (const { text, hits } of answers) {
      for (let i = 0; i + 1 < hits.length; i += 2) this.add(detailsText(text, hits[i]!, hits[i + 1]!));
    }
  }

  private add(details: string | null): void {
    const found = details === null ? null : LIMIT.exec(details);
    if (found === null) return;
    const before = details!.slice(0, found.index);
    const known = this.largest.get(before);
    const own = Number(found[2]);
    if (known !== undefined && known !== own) this.disagree = true;
    if (known === undefined || own > known) this.largest.set(before, own);
  }

  /** A hit as it would be with the largest number; the same text where it has it, or where it cannot be told. */
  correct(hit: string): string {
    if (!this.disagree) return hit;
    const details = detailsText(hit, 0, hit.length);
    const found = details === null ? null : LIMIT.exec(details);
    if (found === null) return hit;
    const [whole, typos, own] = found as unknown as [string, string, string];
    const largest = this.largest.get(details!.slice(0, found.index)) ?? Number(own);
    if (largest <= Number(own)) return hit;
    const share = (largest + 1 - Number(typos)) / (largest + 1);
    const fixed = whole
      .replace(/"maxTypoCount":\d+/, `"maxTypoCount":${largest}`)
      .replace(/"score":[^}]+/, `"score":${floatText(share)}`);
    const start = hit.length - 1 - details!.length;
    const shown = details!.slice(0, found.index) + fixed + details!.slice(found.index + whole.length);
    return `${withScore(hit.slice(0, start), details!, shown)}${shown}}`;
  }
}

/** What stands before the details, with the score that belongs to the new ones. */
function withScore(head: string, before: string, after: string): string {
  const mark = '"_rankingScore":';
  const at = head.lastIndexOf(mark);
  if (at < 0) return head;
  const from = at + mark.length;
  const to = head.indexOf(',', from);
  const score = rescoredForTypos(before, Number(head.slice(from, to)), after);
  return score === null ? head : head.slice(0, from) + floatText(score) + head.slice(to);
}
