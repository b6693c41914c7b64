// Pins of the primary key: what a filter lets through at most, and that nothing that is not understood pins.
import { describe, expect, it } from 'vitest';
import { pinnedIds } from '../../shared/core/filter-pins.js';

const pins = (filter: unknown, key = 'id') => {
  const ids = pinnedIds(filter, key);
  return ids === null ? null : [...ids].sort();
};

describe('a filter on the primary key', () => {
  it.each<[unknown, string[]]>([
    ['id = 42', ['42']],
    ['id=42', ['42']],
    ["id = '42'", ['42']],
    ['"id" = "42"', ['42']],
    ['id IN [1, 2,3]', ['1', '2', '3']],
    ['id IN [1, 2,]', ['1', '2']],
    ['id IN []', []],
    ['(id = 1) AND color = red', ['1']],
    ['color = red AND NOT price > 3 AND id IN [1, 2]', ['1', '2']],
    ['id = 1 OR id = 2', ['1', '2']],
    ['id IN [1,2] AND id IN [2,3]', ['2']],
    ['id = 1 AND (color = red OR price 1 TO 3 OR tags IS NOT EMPTY OR x EXISTS OR y NOT EXISTS)', ['1']],
    [['id = 1', ['color = red', 'color = blue']], ['1']],
    [
      [['id = 1', 'id = 2'], 'color = red'],
      ['1', '2'],
    ],
    ['id = a1', ['A1', 'a1']],
    ['id = 042', ['042', '42']],
    ['id = 1e2', ['100', '1E2', '1e2']],
  ])('pins %j', (filter, ids) => expect(pins(filter)).toEqual(ids));

  it.each<[unknown]>([
    [undefined],
    [null],
    [''],
    [[]],
    ['color = red'],
    ['id > 3'],
    ['id != 3'],
    ['NOT id = 3'],
    ['id NOT IN [3]'],
    ['id = 1 OR color = red'],
    [[['id = 1', 'color = red']]],
    [[['id = 1', ['id = 2']]]],
    ['id = 1 TO 3'],
    ['id 1 TO 3'],
    ['id = 9007199254740993'],
    ['id = abcdefgh'],
    ["id = 'é'"],
    ["id = 'a\\u0031'"],
    ['id = 1 AND _geoRadius(1, 2, 3)'],
    ['id = 1 AND'],
    ['id = 1 )'],
    ['id = AND'],
    ['id CONTAINS 1'],
    ['id = 1 ; x'],
    ['identity = 1'],
    [42],
  ])('pins nothing in %j', (filter) => expect(pins(filter)).toBe(null));

  it('knows nested keys by their path', () => {
    expect(pins('meta.id = 7', 'meta.id')).toEqual(['7']);
    expect(pins('id = 7', 'meta.id')).toBe(null);
  });
});
