// Answers that look whole and are not.
import { describe, expect, it } from 'vitest';
import { cutAnswer } from '../../shared/core/answer.js';
import { flawsOf } from '../../shared/core/search-flaws.js';

const answer = (details: string, more = ''): string =>
  `{"hits":[{"id":1,${more}"_rankingScoreDetails":{${details}}}],"estimatedTotalHits":1}`;
const WORDS = '"words":{"order":0,"matchingWords":1,"maxMatchingWords":1,"score":1.0}';
const SKIPPED = `${WORDS},"skipped":{"order":1}`;

/** The same however they are given. */
function flawsIn(texts: readonly string[]): string[] {
  const flaws = flawsOf(texts.map((text) => ({ text })));
  const single = texts.filter((text) => text.startsWith('{"hits"'));
  if (single.length === texts.length) {
    expect(flawsOf(texts.map((text) => ({ text, cut: cutAnswer(text) })))).toEqual(flaws);
  }
  return flaws;
}

describe('flaws of answers', () => {
  it('are told by the details of hits, of any node and of any search in one request', () => {
    expect(flawsIn([answer(WORDS), answer(SKIPPED)])).toEqual(['search cutoff']);
    expect(flawsIn([answer(`${WORDS},"pin":{"position":0},"id:asc":{"order":2,"value":1}`)])).toEqual([
      'pinned documents',
    ]);
    expect(flawsIn([answer('"pin":{"position":0}'), answer(SKIPPED)])).toEqual([
      'search cutoff',
      'pinned documents',
    ]);
    const several = `{"results":[{"indexUid":"a",${answer(WORDS).slice(1)},{"indexUid":"a",${answer(SKIPPED).slice(1)}]}`;
    expect(flawsIn([several])).toEqual(['search cutoff']);
  });

  it('are none where a document has fields of these names', () => {
    expect(flawsIn([answer(WORDS, '"skipped":{"order":1},"pin":{"position":0},')])).toEqual([]);
    expect(flawsIn([answer(WORDS)])).toEqual([]);
  });
});
