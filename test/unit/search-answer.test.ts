import { describe, expect, it } from 'vitest';
import { cutAnswer } from '../../shared/core/answer.js';
import { fromByteText, toByteText } from '../../shared/core/byte-text.js';
import { DistinctValues } from '../../shared/core/distinct.js';
import { cutDistribution, mergeDistributions, mergeStats } from '../../shared/core/facets.js';
import { haversineMetres } from '../../shared/core/geo.js';
import { DetailsCutter } from '../../shared/core/hit-details.js';
import { plainView, showDetails, showHit } from '../../shared/core/hits.js';
import { mergeHits } from '../../shared/core/merge.js';
import { compareKeys, mergeKey } from '../../shared/core/merge-keys.js';
import { cleanMessage } from '../../shared/core/search-errors.js';

const view = plainView('id');

describe('hits', () => {
  it('keep their bytes but for the hidden field', () => {
    const hit =
      '{"big":9007199254740993,"_miroir":"!!!#","f":1.0,"s":"a\\"_miroir\\":\\u0001","nested":{"_miroir":"!!!!"}}';
    expect(showHit(hit, 0, view)).toBe(hit.replace('"_miroir":"!!!#",', ''));
  });

  it('lose an empty _formatted, the hidden rule, and values that are not displayed', () => {
    const hit =
      '{"_miroir":"!!!!","_formatted":{"_miroir":"!!!!"},"_matchesPosition":{"a":[],"a.b":[],"ab":[]},"_rankingScoreDetails":{"words":{"order":0},"size:desc":{"order":1,"value":3},"id:asc":{"order":2,"value":"x"}}}';
    expect(showHit(hit, 0, { ...view, displayed: ['a'] })).toBe(
      '{"_matchesPosition":{"a":[],"a.b":[]},"_rankingScoreDetails":{"words":{"order":0},"<hidden-rule-1>":{"order":1,"value":"<hidden>"}}}',
    );
    expect(showHit(hit, 0, { ...view, showDetails: false })).not.toContain('Details');
    expect(showDetails('{"id:asc":{"order":0,"value":1}}', { ...view, hiddenRule: null })).toContain(
      'id:asc',
    );
  });
});

describe('merge keys', () => {
  const key = (details: object) => mergeKey(toByteText(JSON.stringify(details)), () => null);

  it('never use the score of typos, and compare sort values by class, bytes and direction', () => {
    const few = key({ words: { order: 0, matchingWords: 2 }, typo: { order: 1, typoCount: 1, score: 0.1 } });
    const many = key({ typo: { order: 1, typoCount: 2, score: 0.9 }, words: { order: 0, matchingWords: 2 } });
    expect(compareKeys(few, many)).toBeLessThan(0);
    const sorted = (direction: string): unknown[] =>
      [null, 'z', 10, '\u{1f600}', 2, '\uffee', 'a']
        .map((value) => ({ value, key: key({ [`f:${direction}`]: { order: 0, value } }) }))
        .sort((left, right) => compareKeys(left.key, right.key))
        .map(({ value }) => value);
    expect(sorted('asc')).toEqual([2, 10, 'a', 'z', '\uffee', '\u{1f600}', null]);
    expect(sorted('desc')).toEqual([10, 2, '\u{1f600}', '\uffee', 'z', 'a', null]);
  });

  it('are the same when the rules before the last one are parsed once for many hits', () => {
    const words = (matchingWords: number) => ({ order: 0, matchingWords, maxMatchingWords: 3, score: 1 });
    const last = (value: unknown, order = 1) => ({ 'id:asc': { order, value } });
    const all = [
      { words: words(3), ...last('a') },
      { words: words(3), ...last('b') },
      { words: words(2), ...last(7) },
      { words: words(2), ...last(null) },
      { words: words(2), ...last('x"},"y:asc":{"order":9,"value":"z') },
      { words: words(2), ...last('},') },
      { words: words(2), ...last('\u{1f600}\n') },
      { words: words(2), 'f:desc': { order: 1, value: 3 }, ...last('a', 2) },
      // Orders that are not those of the text.
      { ...last('a', 1), words: words(3) },
      { words: { ...words(3), order: 1 }, ...last('a', 0) },
      last('alone', 0),
      { words: words(3) },
    ].map((details) => toByteText(JSON.stringify(details)));
    const cutter = new DetailsCutter();
    for (const details of [...all, ...all].flatMap((one) => [one, one])) {
      const cut = cutter.cut(details, 0);
      expect(cut.end).toBe(details.length);
      if (cut.head !== null) expect(cut.head.keyOf(details, cut)).toEqual(mergeKey(details, () => null));
    }
    // Of these two the last rule sorts by nothing.
    const whole = all.filter((details) => cutter.cut(details, 0).head === null);
    expect(whole).toEqual([all[8], all[11]]);
  });

  it('rank exactness by type, then by words', () => {
    const exact = (matchType: string, matchingWords?: number) =>
      key({ exactness: { order: 0, matchType, ...(matchingWords === undefined ? {} : { matchingWords }) } });
    const order = [
      exact('exactMatch'),
      exact('matchesStart'),
      exact('noExactMatch', 3),
      exact('noExactMatch', 1),
    ];
    for (let i = 1; i < order.length; i++) expect(compareKeys(order[i - 1]!, order[i]!)).toBeLessThan(0);
  });
});

describe('merging', () => {
  const answer = (...hits: string[]) => cutAnswer(`{"hits":[${hits.join(',')}]}`);
  const tied = (id: string) =>
    `{"id":"${id}","_rankingScoreDetails":{"id:asc":{"order":0,"value":"${id.toLowerCase()}"}}}`;

  it('asks for more when a group of equal hits is cut', () => {
    const options = { required: 1, primaryKey: 'id', byDistance: false };
    const cut = mergeHits([answer(tied('b'), tied('B')), answer(tied('c'), tied('d'))], {
      ...options,
      asked: [2, 2],
    });
    expect(cut.short).toEqual([0]);
    const whole = [answer(tied('b'), tied('B'), tied('c')), answer(tied('d'))];
    const merged = mergeHits(whole, { ...options, asked: [3, 3] });
    expect(merged.short).toEqual([]);
    expect(merged.hits).toMatchObject([{ source: 0, start: whole[0]!.hits[2] }]);
  });

  it('treats distances within a metre of the first as equal', () => {
    const at = (id: number, lat: number) =>
      `{"_geo":{"lat":${lat},"lng":0},"_rankingScoreDetails":{"_geoPoint(0, 0):asc":{"order":0,"value":null,"distance":null},"id:asc":{"order":1,"value":${id}}}}`;
    const answers = [answer(at(3, 0.000009), at(1, 0.0001)), answer(at(2, 0.000012))];
    const { hits } = mergeHits(answers, { required: 3, primaryKey: 'id', byDistance: true, asked: [9, 9] });
    expect(
      hits.map((hit) => /"value":(\d)/.exec(answers[hit.source]!.text.slice(hit.start, hit.end))![1]),
    ).toEqual(['2', '3', '1']);
    expect(haversineMetres([48.8566, 2.3522], [52.52, 13.405])).toBeCloseTo(877_463, -1);
  });

  it('keeps one hit for each distinct value, by normalised value', () => {
    const values = new DistinctValues('f');
    const admits = ['"Ab"', '" aB "', '1', '"1"', 'null', '["x","y"]', '"y"', 'true', '{"a":1}'].map((raw) =>
      values.admit(() => raw),
    );
    expect(admits).toEqual([true, false, true, true, true, true, false, true, true]);
  });
});

describe('facets', () => {
  const rules = { maxValues: 3, sortBy: {}, candidates: 10, hidden: null };

  it('sum, in the order of one node, cut to the user number', () => {
    const parts = ['{"_miroir":{"!!!!":3},"f":{"10":1,"2":2,"b":1}}', '{"f":{"2":1,"A":4,"b":2}}'];
    const stats = ['{"f":{"min":2.0,"max":10.0}}', '{"f":{"min":2.0,"max":2.0}}'];
    expect(mergeDistributions(parts, stats, rules)).toBe('{"f":{"10":1,"2":3,"A":4}}');
    expect(mergeDistributions(parts, stats, { ...rules, candidates: 4000 })).toBe(
      '{"f":{"2":3,"10":1,"A":4}}',
    );
    expect(mergeDistributions(parts, [], { ...rules, sortBy: { '*': 'count' } })).toBe(
      '{"f":{"A":4,"b":3,"2":3}}',
    );
    expect(mergeStats(stats, null)).toBe('{"f":{"min":2.0,"max":10.0}}');
  });

  it('of one node keep its order', () => {
    expect(cutDistribution('{"_miroir":{"!":1},"f":{"z":5,"y":5,"a":5,"b":1}}', [], rules)).toBe(
      '{"f":{"z":5,"y":5,"a":5}}',
    );
  });
});

describe('byte text', () => {
  it('is undone', () => {
    for (const text of ['plain', 'é', '\u{1f600} ü']) expect(fromByteText(toByteText(text))).toBe(text);
  });
});

describe('messages of nodes', () => {
  const hidden = {
    names: new Map([['books--7-1', 'books']]),
    primaryKey: 'id',
    sortable: [] as string[],
    displayed: null as string[] | null,
  };

  it('show nothing of Miroir', () => {
    const clean = (message: string, more = {}) => cleanMessage(message, { ...hidden, ...more });
    expect(
      clean('Index `books--7-1`: Attribute `x` is not sortable. Available sortable attributes are: `a, id`.'),
    ).toBe('Index `books`: Attribute `x` is not sortable. Available sortable attributes are: `a`.');
    expect(clean('Attribute `x` is not sortable. Available sortable attributes are: `id`.')).toBe(
      'Attribute `x` is not sortable. This index does not have configured sortable attributes.',
    );
    expect(
      clean(
        'Attribute `x` is not filterable. Available filterable attribute patterns are: `_miroir`, `a`.\n1:2 x = 1',
      ),
    ).toBe('Attribute `x` is not filterable. Available filterable attribute patterns are: `a`.\n1:2 x = 1');
    expect(
      clean(
        'Attribute `x` is not filterable. Available filterable attribute patterns are: `_miroir`.\n1:2 x',
      ),
    ).toBe(
      'Attribute `x` is not filterable. This index does not have configured filterable attributes.\n1:2 x',
    );
    expect(
      clean('Attribute `x` is not searchable. Available searchable attributes are: `a, b, _miroir`.', {
        displayed: ['b'],
      }),
    ).toBe(
      'Attribute `x` is not searchable. Available searchable attributes are: `b, <..hidden-attributes>`.',
    );
  });
});
