// The pure parts of the comparison of `npm run exactness`: a wrong measure would prove anything.
import { beforeAll, describe, expect, test } from 'vitest';
import { CLASSES, chooseClasses } from '../../bench/exactness/classes.js';
import {
  type Answer,
  compareParts,
  kendallTau,
  overlapOf,
  takeApart,
} from '../../bench/exactness/comparison.js';
import { toText } from '../../bench/exactness/documents.js';
import { compareFacets } from '../../bench/exactness/facet-difference.js';
import { skewedAssignment } from '../../bench/exactness/fleet.js';
import { printTree, readTree } from '../../bench/exactness/json-tree.js';
import { readOptions } from '../../bench/exactness/options.js';
import { drawQuery } from '../../bench/exactness/query-class.js';
import { percent } from '../../bench/exactness/report.js';
import { buildWorlds, type Corpora, loadCorpora } from '../../bench/exactness/worlds.js';

function compare(ours: string, theirs: string, strictKeys = false) {
  const parts = (text: string) => takeApart({ status: 200, text } satisfies Answer, 'id', 'id:asc');
  return compareParts(parts(ours), parts(theirs), strictKeys);
}

describe('Kendall tau', () => {
  test('is 1 for the same order, -1 for the reverse', () => {
    expect(kendallTau(['a', 'b', 'c'], ['a', 'b', 'c'])).toBe(1);
    expect(kendallTau(['c', 'b', 'a'], ['a', 'b', 'c'])).toBe(-1);
  });

  test('counts pairs of what both hold', () => {
    expect(kendallTau(['b', 'a', 'c', 'd'], ['a', 'b', 'c', 'd'])).toBeCloseTo(4 / 6);
    expect(kendallTau(['x', 'b', 'a'], ['a', 'b', 'y'])).toBe(-1);
    expect(kendallTau(['a', 'x'], ['a', 'y'])).toBeNull();
  });

  test('overlap is of the longer list', () => {
    expect(overlapOf(['a', 'b', 'c', 'd'], ['a', 'b'])).toBe(0.5);
    expect(overlapOf([], [])).toBe(1);
    expect(overlapOf([], ['a'])).toBe(0);
  });
});

describe('JSON trees', () => {
  test('keep scalars and strings as they are written', () => {
    const text = '{"b":[9007199254740993,1.0,-0.0,2e3],"a":{"x,]":"q\\"}{:","é":null},"c":[],"d":{}}';
    expect(printTree(readTree(text))).toBe(text);
    expect(printTree(readTree('{"b":1,"a":{"d":1.0,"c":[{"f":1,"e":2}]}}'), true)).toBe(
      '{"a":{"c":[{"e":2,"f":1}],"d":1.0},"b":1}',
    );
  });

  test.each(['{"a":1', '[1,]', '{"a" 1}', '[] []', ''])('refuse %j', (text) => {
    expect(() => readTree(text)).toThrow();
  });
});

describe('comparing answers', () => {
  const hits = (...list: string[]) =>
    `{"hits":[${list.join(',')}],"query":"q","processingTimeMs":3,"limit":2}`;

  test('ignores times and request ids, nothing else', () => {
    const other = '{"hits":[{"id":1}],"query":"q","processingTimeMs":99,"limit":2,"requestUid":"x"}';
    expect(compare(hits('{"id":1}'), other).identical).toBe(true);
    expect(compare(hits('{"id":1}'), other.replace('"q"', '"p"'))).toMatchObject({
      identical: false,
      hits: true,
      rest: false,
    });
    expect(compare(hits('{"id":1}'), other.replace('"limit":2', '"limit":3'))).toMatchObject({
      identical: false,
      totals: false,
    });
  });

  test('tells moved keys from other text, and counts them where that is asked', () => {
    const [ours, theirs] = [hits('{"id":1,"a":1.0}'), hits('{"a":1.0,"id":1}')];
    expect(compare(ours, theirs)).toMatchObject({ identical: true, keysMoved: true });
    expect(compare(ours, theirs, true)).toMatchObject({ identical: false, hits: false });
    expect(compare(ours, hits('{"a":1,"id":1}'))).toMatchObject({ hits: false, keysMoved: false });
  });

  test('shows the first different hit with order and overlap', () => {
    const found = compare(hits('{"id":1}', '{"id":3}', '{"id":2}'), hits('{"id":1}', '{"id":2}', '{"id":3}'));
    expect(found).toMatchObject({ hits: false, totals: true, overlap: 1 });
    expect(found.tau).toBeCloseTo(1 / 3);
    expect(found.firstDifferent).toEqual({ position: 1, ours: '{"id":3}', theirs: '{"id":2}' });
    expect(compare(hits('{"id":1}'), hits()).firstDifferent).toEqual({
      position: 0,
      ours: '{"id":1}',
      theirs: null,
    });
  });

  test('cuts the last rule out of details on both sides, and no other', () => {
    const detail = (more: string) => hits(`{"id":1,"_rankingScoreDetails":{"words":{"order":0}${more}}}`);
    expect(compare(detail(''), detail(',"id:asc":{"order":1,"value":1}')).identical).toBe(true);
    expect(compare(detail(''), detail(',"size:asc":{"order":1,"value":1}')).hits).toBe(false);
  });

  test('takes several answers in one together', () => {
    const both = (second: string) => `{"results":[${hits('{"id":1}')},${second}]}`;
    expect(compare(both(hits('{"id":2}')), both(hits('{"id":2}'))).identical).toBe(true);
    expect(compare(both(hits('{"id":2}')), both(hits('{"id":4}'))).hits).toBe(false);
  });

  test('holds the order of facet values and names how they differ', () => {
    const facets = (text: string) => `"facetDistribution":{"f":${text}},"facetStats":{},`;
    expect(compareFacets(facets('{"A":2,"b":1}'), facets('{"a":2,"b":1}'))).toBe('spelling');
    expect(compareFacets(facets('{"c":2,"b":2}'), facets('{"b":2,"c":2}'))).toBe('equal counts');
    expect(compareFacets(facets('{"c":2,"b":1}'), facets('{"b":1,"c":2}'))).toBe('other');
    const answer = (text: string) => `{"hits":[],${facets(text)}"query":""}`;
    expect(compare(answer('{"a":1,"b":1}'), answer('{"b":1,"a":1}'))).toMatchObject({
      hits: true,
      facets: false,
      facetDifference: 'equal counts',
    });
  });
});

describe('queries and worlds', () => {
  let corpora: Corpora;
  beforeAll(async () => {
    corpora = await loadCorpora(300);
  });

  test('a class, a seed and a number always give the same query', () => {
    const [once, again] = [buildWorlds(corpora, 5), buildWorlds(corpora, 5)];
    expect([...once.values()].map(({ texts }) => texts)).toEqual(
      [...again.values()].map(({ texts }) => texts),
    );
    const other = buildWorlds(corpora, 6, ['words']);
    expect(other.get('words')!.texts).not.toEqual(once.get('words')!.texts);
    let changed = 0;
    for (const kind of CLASSES) {
      for (const at of [0, 1, 2, 7]) {
        const world = once.get(kind.world)!;
        const ask = drawQuery(kind, world, 9, at);
        expect(ask.path).toMatch(/^\/(indexes\/\w+\/(search|similar|facet-search)|multi-search)/);
        expect(drawQuery(kind, again.get(kind.world)!, 9, at)).toEqual(ask);
        if (JSON.stringify(drawQuery(kind, world, 10, at)) !== JSON.stringify(ask)) changed += 1;
      }
    }
    expect(changed).toBeGreaterThan(CLASSES.length);
  });

  test('class names are unique, and unknown ones refused', () => {
    expect(new Set(CLASSES.map(({ name }) => name)).size).toBe(CLASSES.length);
    expect(chooseClasses(['typo', 'threshold, pages']).map(({ name }) => name)).toEqual([
      'typo',
      'threshold, pages',
    ]);
    expect(() => chooseClasses(['nothing'])).toThrow('there is no class nothing');
  });

  test('documents keep numbers that a parser would spoil', () => {
    const worlds = buildWorlds(corpora, 1, ['words']);
    const all = worlds.get('words')!.texts.join('\n');
    expect(all).toContain('"raw":9007199254740993');
    expect(all).toContain('"raw":1.0');
    expect(toText({ a: '§1.50§', b: '§' })).toBe('{"a":1.50,"b":"§"}');
  });
});

describe('fleets and options', () => {
  test('badly skewed shards: half on the first node, every node has one', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const assignment = skewedAssignment(64, nodes, 2);
    expect(assignment).toHaveLength(64);
    const firsts = nodes.map((node) => assignment.filter(([first]) => first === node).length);
    expect(firsts[0]).toBeGreaterThanOrEqual(28);
    expect(Math.min(...firsts)).toBeGreaterThanOrEqual(1);
    expect(assignment.every(([first, second]) => first !== second)).toBe(true);
  });

  test('sizes, factors and skews are combined, without what cannot be', () => {
    const { shapes } = readOptions(['--fleets', '1,3', '--rf', '1,2', '--skew', 'even,bad']);
    expect(
      shapes.map(({ nodes, replicationFactor, skew }) => `${nodes} ${replicationFactor} ${skew}`),
    ).toEqual(['1 1 even', '3 1 even', '3 1 bad', '3 2 even', '3 2 bad']);
    expect(() => readOptions(['--skew', 'odd'])).toThrow('even or bad');
    expect(() => readOptions(['--queries', '0'])).toThrow('--queries');
    expect(() => readOptions(['--fleets', '1', '--rf', '2'])).toThrow('no such fleet');
  });

  test('a share is never rounded up to all', () => {
    expect(percent(2_999, 3_000)).toBe('99.9');
    expect(percent(3_000, 3_000)).toBe('100');
    expect(percent(0, 0)).toBe('-');
  });
});
