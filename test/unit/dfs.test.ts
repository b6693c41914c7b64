import { describe, expect, it } from 'vitest';
import { cutAnswer } from '../../shared/core/answer.js';
import { correctRows } from '../../shared/core/dfs-correction.js';
import { correctHit, judgeExactness } from '../../shared/core/dfs-hits.js';
import { multiBody, readMulti } from '../../shared/core/dfs-multi.js';
import { rescored } from '../../shared/core/dfs-score.js';
import { dropStages } from '../../shared/core/dfs-stages.js';
import { ExactnessGuard, sharedTerms } from '../../shared/core/dfs-words.js';
import { floatText } from '../../shared/core/float-text.js';
import { readTerms, readWordSettings, termText, withoutTerms } from '../../shared/core/query-terms.js';
import { nodeBody, planSearch } from '../../shared/core/search-plan.js';
import { sampleIndex } from '../support/sample-topology.js';

const PLAIN = readWordSettings({});

describe('terms of a query', () => {
  const words = (query: string, settings = PLAIN): string[] | null => {
    const read = readTerms(query, settings);
    return read === null ? null : read.terms.map((_, at) => termText(read, at));
  };

  it('are words and phrases, without what is negated', () => {
    expect(words('new york "big apple" -crime -"old town" east-river')).toEqual([
      'new',
      'york',
      '"big apple"',
      'east',
      'river',
    ]);
    expect(words('a - b--c "open phrase')).toEqual(['a', 'b', 'c', '"open phrase']);
  });

  it('leave out stop words, but not the last word that is still being typed', () => {
    const settings = readWordSettings({ stopWords: ['The', 'of'] });
    expect(words('the lord of the', settings)).toEqual(['lord', 'the']);
    expect(words('the lord of the ', settings)).toEqual(['lord']);
  });

  it('are ten at most, and the tenth is then a whole word', () => {
    const read = readTerms('a b c d e f g h i j k l', PLAIN)!;
    expect(read.terms).toHaveLength(10);
    expect(read.text).toBe('a b c d e f g h i j ');
  });

  it('are not guessed where separators do not tell words', () => {
    for (const query of ['東京 大阪', 'newYork city', 'version 3.5 of', 'c++ code', '"one. two" three']) {
      expect(words(query)).toBeNull();
    }
    expect(words('a b', readWordSettings({ dictionary: ['a b'] }))).toBeNull();
  });

  it('leave their place to a negated word', () => {
    const read = readTerms('new york-city hall', PLAIN)!;
    expect(withoutTerms(read, new Set([0]))).toMatch(/^-[a-z]+ york-city hall$/);
    expect(withoutTerms(read, new Set([2]))).toMatch(/^new york- -[a-z]+ hall$/);
    expect(withoutTerms(read, new Set([3]))).toMatch(/^new york-city -[a-z]+$/);
    expect(withoutTerms(read, new Set())).toBe('new york-city hall');
  });
});

describe('stages of strategy frequency', () => {
  it('drop the most frequent word first, and keep the rarest', () => {
    // The last is rarest; the second goes first, the first only together with it.
    expect(dropStages([5, 9, 2])).toEqual({ levels: [[[]], [[1]], [[0, 1]]], last: [0, 1] });
  });

  it('let an earlier word stay that should have gone', () => {
    expect(dropStages([9, 5, 2])).toEqual({ levels: [[[]], [[0], [1]], [[0, 1]]], last: [0, 1] });
  });

  it('drop first what nothing matches', () => {
    expect(dropStages([3, 0]).levels).toEqual([[[]], [[1]]]);
  });

  it('keep all words that are equally rare', () => {
    expect(dropStages([4, 4]).levels).toEqual([[[]]]);
    expect(dropStages([7, 4, 4]).last).toEqual([0]);
  });

  it('never drop a phrase, and all words beside one', () => {
    expect(dropStages([null, 3, 8])).toEqual({ levels: [[[]], [[2]], [[1, 2]]], last: [1, 2] });
  });

  it('stay few for long queries', () => {
    const { levels, last } = dropStages([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(levels.map((level) => level.length)).toEqual(new Array(10).fill(1));
    expect(last).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('exactness', () => {
  it('is right where the node knows what the fleet knows', () => {
    expect(judgeExactness([0, 1], [true, true], [true, true])).toBeNull();
    expect(judgeExactness([0, 1], [true, false], [true, false])).toBeNull();
  });

  it('is wrong where the node lacks a word, or a word is missing between two', () => {
    expect(judgeExactness([0, 1], [true, true], [true, false])).toEqual({ matching: 1, max: 2 });
    expect(judgeExactness([0, 2], [true, true, true], [true, true, true])).toEqual({ matching: 2, max: 2 });
    expect(judgeExactness([0, 2], [true, true, false], [true, true, false])).toBeNull();
  });

  // A hit of a real Meilisearch that lacked the word `distinct`, and what one that has it answers.
  const details = (exactness: string): string =>
    `"_rankingScoreDetails":{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"typo":{"order":1,"typoCount":0,"maxTypoCount":2,"score":1.0},"proximity":{"order":2,"score":0.25},"attributeRank":{"order":3,"score":0.3333333333333333},"wordPosition":{"order":4,"score":0.8571428571428571},"exactness":${exactness}}`;
  const START = `{"id":"x","_rankingScore":0.8449441504997061,${details('{"order":5,"matchType":"matchesStart","score":0.6666666666666666}')}}`;
  const NONE = `{"id":"x","_rankingScore":0.8447236919459141,${details('{"order":5,"matchType":"noExactMatch","matchingWords":1,"maxMatchingWords":2,"score":0.2222222222222222}')}}`;
  const correction = { words: null, exactness: () => ({ matching: 1, max: 2 }) };

  it('is corrected in details and score', () => {
    expect(correctHit(START, correction, 2)).toBe(NONE);
    expect(correctHit(NONE, correction, 2)).toBe(NONE);
    expect(correctHit(START, { words: null, exactness: () => null }, 2)).toBe(START);
  });

  it('stays for hits with a typo', () => {
    const typo = START.replace('"typoCount":0', '"typoCount":1');
    expect(correctHit(typo, correction, 2)).toBe(typo);
  });

  it('moves hits behind others, after enough of these were fetched', async () => {
    const hit = (id: string, text: string): string => text.replace('"id":"x"', `"id":"${id}"`);
    const better = NONE.replace('"matchingWords":1,"max', '"matchingWords":2,"max');
    const all = [hit('a', START), hit('b', better), hit('c', better)];
    const asked: number[] = [];
    const rows = await correctRows(
      `{"hits":[${all.slice(0, 1).join(',')}]}`,
      1,
      { correction, terms: 2, maxTotalHits: 1_000, byDistance: false },
      async (limit) => {
        asked.push(limit);
        return `{"hits":[${all.slice(0, limit).join(',')}]}`;
      },
    );
    expect(asked).toEqual([18]);
    expect(rows!.map((row) => row.text)).toEqual([hit('b', better)]);
  });

  it('asks what a node knows only where a hit does not show it', async () => {
    const index = sampleIndex([], { settings: { searchableAttributes: ['name'] } });
    const plan = planSearch({ q: 'a distinct', limit: 1 }, index);
    const terms = sharedTerms(plan.query, index)!;
    const requests: number[] = [];
    const guard = new ExactnessGuard(plan, terms, 2, async (source, bodies) => {
      requests.push(source);
      return bodies.map(
        (_, term) => `{"hits":[],"estimatedTotalHits":${term === 0 || source === 1 ? 3 : 0}}`,
      );
    });
    const body = nodeBody(plan, [0], false);
    const answer = (hit: string): string => `{"hits":[${hit}],"query":"a distinct"}`;
    const ask = async (): Promise<string> => {
      throw new Error('nothing more to ask');
    };
    const shown = START.replace('"id":"x"', '"name":"A distinct sound"');
    expect(await guard.correct(0, cutAnswer(answer(shown)), body, ask)).toBe(answer(shown));
    expect(requests).toEqual([]);
    const hidden = START.replace('"id":"x"', '"name":"A distinctive sound","note":"distinct "');
    const corrected = await guard.correct(0, cutAnswer(answer(hidden)), body, ask);
    expect(corrected).toContain('"matchType":"noExactMatch","matchingWords":1,"maxMatchingWords":2');
    expect(requests).toEqual([0, 1]);
    expect(await guard.correct(1, cutAnswer(answer(hidden)), body, ask)).toBe(answer(hidden));
  });
});

describe('scores', () => {
  it('are left when they cannot be explained', () => {
    const details = { typo: { order: 0, typoCount: 0, maxTypoCount: 1, score: 1 } };
    expect(rescored(details, 0.123, details, 1)).toBeNull();
  });

  it('are printed as Meilisearch prints them', () => {
    expect([1, 0.5, 2 / 3, 0.000001].map(floatText)).toEqual(['1.0', '0.5', '0.6666666666666666', '1e-6']);
  });
});

it('several searches go in one request and come back apart', () => {
  expect(multiBody('books--1-0', ['{"q":"a"}', '{"q":"b"}'])).toBe(
    '{"queries":[{"indexUid":"books--1-0","q":"a"},{"indexUid":"books--1-0","q":"b"}]}',
  );
  const text = '{"results":[{"indexUid":"books--1-0","hits":[],"query":"a"},{"indexUid":"x","hits":[1]}]}';
  expect(readMulti(text)).toEqual(['{"hits":[],"query":"a"}', '{"hits":[1]}']);
});
