// A threshold on hits that were merged without one: what does not reach it is cut off, and the total is that of one node.
import { cutAnswer, totalOf } from './answer.js';
import { BARE_VIEW, fieldText, showHit } from './hits.js';
import { PAGING_MEMBERS, pagingText } from './search-answer.js';
import type { SearchPlan } from './search-plan.js';

/** The client's answer; `merged` has all hits from the top with their scores, the best first, without pages. */
export function cutBelow(merged: string, { query, paging }: SearchPlan, threshold: number): string {
  const answer = cutAnswer(merged);
  const starts = answer.hits.filter((_, at) => at % 2 === 0 && at + 1 < answer.hits.length);
  const good = starts.filter((start) => Number(fieldText(merged, start, '_rankingScore')) >= threshold);
  // Once there are as many as asked for, one node looks no further, and counts all that matches.
  const total = good.length >= paging.required ? totalOf(answer) : good.length;
  const view = query.showRankingScore ? BARE_VIEW : { ...BARE_VIEW, drop: new Set(['_rankingScore']) };
  const page = good.slice(paging.skip, paging.skip + paging.take);
  const members = [`"hits":[${page.map((start) => showHit(merged, start, view)).join(',')}]`];
  for (const [key, value] of answer.rest) {
    if (PAGING_MEMBERS.has(key)) continue;
    members.push(`"${key}":${value}`);
    if (key === 'processingTimeMs') members.push(pagingText(paging, total));
  }
  return `{${members.join(',')}}`;
}
