// Answers that look whole and are not.
import { describe, expect, it } from 'vitest';
import { flawsOf } from '../../shared/core/search-flaws.js';

const answer = (details: string, more = ''): string =>
  `{"hits":[{"id":1,${more}"_rankingScoreDetails":{${details}}}],"estimatedTotalHits":1}`;
const WORDS = '"words":{"order":0,"matchingWords":1,"maxMatchingWords":1,"score":1.0}';
const SKIPPED = `${WORDS},"skipped":{"order":1}`;

describe('flaws of answers', () => {
  it('are told by the details of hits, of any node and of any search in one request', () => {
    expect(flawsOf([answer(WORDS), answer(SKIPPED)])).toEqual(['search cutoff']);
    expect(flawsOf([answer('"pin":{"position":0}'), answer(SKIPPED)])).toEqual([
      'search cutoff',
      'pinned documents',
    ]);
    const several = `{"results":[{"indexUid":"a",${answer(WORDS).slice(1)},{"indexUid":"a",${answer(SKIPPED).slice(1)}]}`;
    expect(flawsOf([several])).toEqual(['search cutoff']);
  });

  it('are none where a document has fields of these names', () => {
    expect(flawsOf([answer(WORDS, '"skipped":{"order":1},"pin":{"position":0},')])).toEqual([]);
    expect(flawsOf([answer(WORDS)])).toEqual([]);
  });
});
