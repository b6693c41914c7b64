// The embedded engine's filters: the grammar, what each operator matches, and Meilisearch's messages.
import { describe, expect, test } from 'vitest';
import { evaluateFilter } from '../../engine/filter-evaluation.js';
import { parseFilter } from '../../engine/filter-grammar.js';
import { IndexData } from '../../engine/index-data.js';

const CODE = 'invalid_search_filter';

function buildIndex(): IndexData {
  const index = new IndexData('films', '2026-01-01T00:00:00Z');
  index.applySettings({
    filterableAttributes: [
      'genre',
      'price',
      'tags',
      'nested.color',
      '_geo',
      {
        attributePatterns: ['_miroir'],
        features: { facetSearch: false, filter: { equality: true, comparison: false } },
      },
    ],
  });
  const documents = [
    { id: 1, genre: 'Drama', price: 10, tags: ['a', 'b'], nested: { color: 'red' }, _miroir: '!!#' },
    { id: 2, genre: 'comedy', price: 3.5, tags: [], _miroir: '!!%', _geo: { lat: 48.85, lng: 2.35 } },
    { id: 3, genre: "Director's cut", price: null, tags: ['B'], nested: [{ color: 'Blue' }], _miroir: '!!#' },
    { id: 4, genre: '', price: 'cheap', _miroir: '!!&', _geo: { lat: 51.5, lng: -0.12 } },
  ];
  for (const document of documents) index.put(String(document.id), JSON.stringify(document), document);
  return index;
}

const index = buildIndex();

function matching(filter: unknown): number[] {
  const bitmap = evaluateFilter(index, parseFilter(filter, CODE), CODE);
  return [...bitmap].flatMap((bit, document) => (bit ? [Number(index.documents[document]!.id)] : []));
}

describe('filters', () => {
  test.each<[unknown, number[]]>([
    ['genre = drama', [1]],
    ["genre = 'Director\\'s cut'", [3]],
    ['genre != drama', [2, 3, 4]],
    ['price > 3.5', [1, 4]],
    ['price >= 3.5 AND price <= 9', [2]],
    ['price 3 TO 10', [1, 2]],
    ['tags IN [a, b]', [1, 3]],
    ['tags NOT IN [a]', [2, 3, 4]],
    ['NOT tags = b', [2, 4]],
    ['tags EXISTS', [1, 2, 3]],
    ['tags NOT EXISTS', [4]],
    ['price IS NULL', [3]],
    ['price IS NOT NULL', [1, 2, 4]],
    ['tags IS EMPTY OR genre IS EMPTY', [2, 4]],
    ['nested.color = blue', [3]],
    ['genre STARTS WITH dr', [1]],
    ['genre CONTAINS "cut"', [3]],
    ['_miroir IN ["!!#", "!!&"]', [1, 3, 4]],
    ['(genre = drama OR genre = comedy) AND _miroir IN ["!!#"]', [1]],
    [['_miroir = "!!#"', ['genre = drama', 'genre = comedy']], [1]],
    ['_geoRadius(48.8, 2.3, 20000)', [2]],
    ['', [1, 2, 3, 4]],
    [[], [1, 2, 3, 4]],
    ['genre = drama OR genre = comedy AND price > 100', [1]],
  ])('%j', (filter, expected) => {
    expect(matching(filter)).toEqual(expected);
  });

  test.each<[unknown, string]>([
    [
      'title = x',
      'Index `films`: Attribute `title` is not filterable. Available filterable attribute patterns are: `_geo`, `_miroir`, `genre`, `nested.color`, `price`, `tags`.\n1:6 title = x',
    ],
    [
      'genre = a XOR price = 1',
      'Found unexpected characters at the end of the filter: `XOR price = 1`. You probably forgot an `OR` or an `AND` rule.\n11:24 genre = a XOR price = 1',
    ],
    [
      '(genre = a',
      'Expression `(genre = a` is missing the following closing delimiter: `)`.\n1:11 (genre = a',
    ],
    ['price >', 'Was expecting a value but instead got nothing.\n8:8 price >'],
    [5, 'Invalid syntax for the filter parameter: `expected String, Array, found: 5`.'],
  ])('refuses %j', (filter, message) => {
    expect(() => matching(filter)).toThrow(expect.objectContaining({ message, code: CODE }));
  });

  test('refuses comparisons that a rule does not allow', () => {
    expect(() => matching('_miroir > 1')).toThrow(
      /^Index `films`: Filter operator `>` is not allowed for the attribute `_miroir`/,
    );
  });

  test('follows replaced and deleted documents', () => {
    const own = buildIndex();
    own.put('1', '{"id":1,"genre":"comedy"}', { id: 1, genre: 'comedy' });
    own.remove('2');
    const bitmap = evaluateFilter(own, parseFilter('genre = comedy', CODE), CODE);
    const ids = [...bitmap].flatMap((bit, document) => (bit ? [own.documents[document]!.id] : []));
    expect(ids).toEqual(['1']);
    expect(own.fieldDistribution.get('genre')).toBe(3);
  });
});
