// The embedded engine's ranking: order, details, and that a document's details do not depend on the other documents.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IndexData } from '../../engine/index-data.js';
import { search } from '../../engine/search.js';
import { readSearchBody } from '../../engine/search-parameters.js';
import { compareUtf8, compareValues } from '../../engine/sort-values.js';

interface Hit {
  id: number;
  _rankingScore: number;
  _rankingScoreDetails: Record<string, Record<string, unknown>>;
}

function buildIndex(documents: object[], settings: Record<string, unknown> = {}): IndexData {
  const index = new IndexData('texts', '2026-01-01T00:00:00Z');
  index.applySettings(settings);
  for (const document of documents) {
    index.put(String((document as { id: unknown }).id), JSON.stringify(document), document);
  }
  return index;
}

function run(index: IndexData, body: object): { hits: Hit[]; estimatedTotalHits: number } {
  return JSON.parse(search(index, readSearchBody(body)));
}

const ids = (index: IndexData, body: object) => run(index, body).hits.map((hit) => hit.id);

const TEXTS = [
  { id: 1, title: 'Sunny flower garden' },
  { id: 2, title: 'The garden of flowers, sunny days' },
  { id: 3, title: 'Gardn of eden' },
  { id: 4, title: 'garden' },
  { id: 5, title: 'sunflower fields forever' },
];

describe('ranking', () => {
  test('orders by words, typos, proximity and exactness', () => {
    const index = buildIndex(TEXTS);
    expect(ids(index, { q: 'garden' })).toEqual([4, 2, 1, 3]);
    expect(ids(index, { q: 'sunny garden' })).toEqual([1, 2]);
    expect(ids(index, { q: 'garden sunny' })).toEqual([1, 2, 4, 3]);
    expect(ids(index, { q: 'garden sunny', matchingStrategy: 'all' })).toEqual([1, 2]);
    expect(ids(index, { q: '"garden of"' })).toEqual([2]);
    expect(ids(index, { q: 'garden -sunny' })).toEqual([4, 3]);
    expect(ids(index, { q: 'sunf' })).toEqual([5]);
  });

  test('shows details in the form of Meilisearch', () => {
    const rankingRules = [
      'words',
      'typo',
      'proximity',
      'attributeRank',
      'sort',
      'wordPosition',
      'exactness',
      'id:asc',
    ];
    const [hit] = run(buildIndex(TEXTS, { rankingRules }), {
      q: 'sunny garden',
      showRankingScore: true,
      showRankingScoreDetails: true,
    }).hits;
    // Recorded from Meilisearch 1.50 on the same documents.
    expect(hit).toMatchObject({
      id: 1,
      _rankingScore: 0.955026455026455,
      _rankingScoreDetails: {
        words: { order: 0, matchingWords: 2, maxMatchingWords: 2, score: 1 },
        typo: { order: 1, typoCount: 0, maxTypoCount: 2, score: 1 },
        proximity: { order: 2, score: 0.75 },
        attributeRank: { order: 3, score: 1 },
        wordPosition: { order: 4, score: 0.9523809523809523 },
        exactness: { order: 5, matchType: 'noExactMatch', matchingWords: 2, maxMatchingWords: 2 },
        'id:asc': { order: 6, value: 1 },
      },
    });
  });

  test('sorts numbers before strings before nothing, whatever the direction', () => {
    const documents = [
      { id: 1, price: 3 },
      { id: 2, price: 'b' },
      { id: 3 },
      { id: 4, price: [1, 9] },
      { id: 5, price: 'A' },
    ];
    const index = buildIndex(documents, { sortableAttributes: ['price'] });
    expect(ids(index, { sort: ['price:asc'] })).toEqual([4, 1, 5, 2, 3]);
    expect(ids(index, { sort: ['price:desc'] })).toEqual([4, 1, 2, 5, 3]);
  });

  test('compares strings as UTF-8 bytes', () => {
    expect(compareUtf8('\uffee', '\u{1f600}')).toBeLessThan(0);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (left, right) => {
        const bytes = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(compareUtf8(left, right))).toBe(bytes);
        expect(Math.sign(compareValues(left, right, false))).toBe(bytes === 0 ? 0 : -bytes);
      }),
    );
  });

  test('distinct keeps the best of each value; facets count, stats range', () => {
    const documents = [
      { id: 1, group: 'a', n: 2 },
      { id: 2, group: 'A', n: 5 },
      { id: 3, group: 'b', n: 1 },
      { id: 4, n: 7 },
    ];
    const index = buildIndex(documents, { filterableAttributes: ['group', 'n'], sortableAttributes: ['n'] });
    expect(ids(index, { distinct: 'group', sort: ['n:desc'] })).toEqual([4, 2, 3]);
    const answer = JSON.parse(search(index, readSearchBody({ facets: ['group', 'n'], limit: 0 })));
    expect(answer.facetDistribution).toEqual({
      group: { a: 2, b: 1 },
      n: { '1': 1, '2': 1, '5': 1, '7': 1 },
    });
    expect(answer.facetStats).toEqual({ n: { min: 1, max: 7 } });
  });

  test('hits keep the text of documents', () => {
    const text = '{"id":1,"big":9007199254740993,"one":1.0,"z":"\\u00e9","a":{"k":[1,2.50]}}';
    const index = new IndexData('raw', '2026-01-01T00:00:00Z');
    index.put('1', text, JSON.parse(text));
    expect(search(index, readSearchBody({}))).toContain(`"hits":[${text}]`);
  });

  test('highlights prefixes and typos, and crops around the match', () => {
    const index = buildIndex(TEXTS);
    const body = { q: 'gard', attributesToHighlight: ['title'], attributesToRetrieve: ['title'] };
    const formatted = run(index, body).hits.map(
      (hit) => (hit as unknown as { _formatted: { title: string } })._formatted.title,
    );
    expect(formatted).toContain('Sunny flower <em>gard</em>en');
    const cropped = run(index, { q: 'forever', attributesToCrop: ['title'], cropLength: 2 }).hits[0];
    expect(cropped).toMatchObject({ _formatted: { title: '…fields forever' } });
  });

  test('a document has the same details in any company', () => {
    const word = fc.constantFrom(
      'garden',
      'gardens',
      'gardn',
      'sun',
      'sunny',
      'flower',
      'flowers',
      'dog',
      'of',
    );
    const title = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(title, { minLength: 2, maxLength: 12 }), title, (titles, q) => {
        const documents = titles.map((text, id) => ({ id, title: text }));
        const body = { q, showRankingScore: true, showRankingScoreDetails: true, limit: 100 };
        const whole = run(buildIndex(documents), body).hits;
        const parts = [0, 1].flatMap(
          (part) => run(buildIndex(documents.filter(({ id }) => id % 2 === part)), body).hits,
        );
        const byId = (left: Hit, right: Hit) => left.id - right.id;
        expect(parts.sort(byId)).toEqual([...whole].sort(byId));
      }),
      { numRuns: 200 },
    );
  });
});
