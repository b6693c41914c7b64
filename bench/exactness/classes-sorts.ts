// Classes of queries that sort, count, or keep one document of each value.
import { classOf, type Draw, type QueryClass } from './query-class.js';

const way = (draw: Draw): string => draw.pick([':asc', ':desc']);
const offset = (draw: Draw): number => draw.pick([0, 0, 37, 150, 600]);

export const EQUAL_COUNTS =
  "facet values of equal count stand in an order that depends on the shape of a node's tree, also where they are cut";
const SPELLING =
  'of a facet value that is written in several ways, one node shows the spelling of its first document';
const DISTINCT_FACETS =
  'with pages, one document counts for each value that no hit has: one node takes that which it got first, a fleet the first by its id';

function pagesOfDistinct(draw: Draw): Record<string, unknown> {
  return {
    q: draw.turn(['', draw.common()]),
    distinct: draw.turn(['first', 'size']),
    filter: draw.turn(['kind = verb', 'size < 12', 'relations > 3']),
    facets: draw.turn([['relations'], ['kind', 'origin.place'], ['tags']]),
    page: 1 + draw.dice.below(2),
    hitsPerPage: 9,
  };
}

export const SORT_CLASSES: readonly QueryClass[] = [
  classOf('words', 'placeholder', (draw) => ({ offset: offset(draw), limit: 12 })),
  classOf('words', 'sort by number', (draw) => ({
    sort: [`${draw.turn(['size', 'serial', 'relations'])}${way(draw)}`],
    offset: offset(draw),
  })),
  classOf('words', 'sort by string', (draw) => ({
    sort: [`${draw.turn(['word', 'first'])}${way(draw)}`],
    offset: offset(draw),
  })),
  classOf('words', 'sort by mixed and missing', (draw) => ({
    sort: [`rank${way(draw)}`],
    offset: draw.pick([0, 60, 300, 700, 980]),
    limit: 15,
    ...(draw.at % 3 === 0 ? { filter: 'size < 4' } : {}),
  })),
  classOf('words', 'sort by several', (draw) => ({
    sort: [`kind${way(draw)}`, `size${way(draw)}`, `first${way(draw)}`, `origin.place${way(draw)}`],
    filter: 'relations < 12',
    limit: 15,
    offset: offset(draw),
  })),
  classOf('words', 'words, then sort', (draw) => ({
    q: draw.turn([draw.common(), draw.neighbours(2)]),
    sort: [`${draw.turn(['size', 'word', 'rank'])}${way(draw)}`],
    showRankingScoreDetails: draw.at % 4 === 0,
  })),
  classOf('words', 'facets', (draw) => ({
    q: draw.turn([draw.common(), '']),
    filter: draw.turn(['size < 20', null, 'kind = noun']),
    facets: draw.turn([
      ['kind', 'relations'],
      ['size', 'tags'],
      ['origin.part', 'origin.place'],
    ]),
    limit: 3,
  })),
  classOf('words', 'facets over the cap', (draw) => ({
    q: draw.turn([draw.common(), '']),
    filter: draw.turn(['size < 30', 'serial > 100']),
    facets: draw.turn([['first'], ['first', 'tags'], ['pair']]),
    limit: 2,
  })),
  classOf('words', 'facets of numbers, few', (draw) => ({
    q: draw.common(),
    facets: draw.turn([['serial'], ['rank'], ['serial', 'rank']]),
    limit: 1,
  })),
  classOf('words', 'facets of numbers, many', (draw) => ({
    filter: draw.turn(['serial >= 0', null, 'size >= 0']),
    facets: draw.turn([['serial'], ['rank'], ['serial', 'relations']]),
    limit: 1,
  })),
  classOf(
    'tuned',
    'facets by count',
    (draw) => ({
      q: draw.turn([draw.common(), '']),
      filter: draw.turn(['size < 20', null]),
      facets: draw.turn([['relations', 'kind'], ['first'], ['serial', 'rank']]),
      limit: 1,
    }),
    { otherCause: EQUAL_COUNTS },
  ),
  classOf(
    'words',
    'facets with spellings',
    (draw) => ({
      filter: draw.pick(['size < 3', 'relations = 4', 'rank > 50']),
      facets: draw.turn([['initial'], ['*']]),
      limit: 1,
    }),
    { otherCause: SPELLING },
  ),
  classOf('words', 'distinct', (draw) => ({
    q: draw.turn(['', draw.common()]),
    distinct: draw.turn(['first', 'size', 'kind']),
    sort: [`size${way(draw)}`],
    limit: 15,
  })),
  classOf('words', 'distinct, mixed values', (draw) => ({
    q: draw.turn(['', draw.common()]),
    distinct: draw.turn(['rank', 'origin.place']),
    limit: draw.turn([3, 30, 200]),
    ...(draw.at % 3 === 2 ? { attributesToRetrieve: ['word', 'kind'] } : {}),
  })),
  classOf('words', 'distinct, facets', (draw) => ({
    q: draw.turn(['', draw.common(), draw.neighbours(2)]),
    distinct: draw.turn(['first', 'size', 'pair']),
    facets: draw.turn([['kind', 'relations'], ['tags', 'origin.part'], ['size']]),
    limit: draw.turn([5, 40, 300]),
    ...(draw.at % 4 === 3 ? { attributesToRetrieve: ['word'] } : {}),
  })),
  classOf('words', 'distinct, pages', (draw) => ({
    q: draw.turn(['', draw.common()]),
    distinct: draw.turn(['first', 'size']),
    filter: 'kind = verb',
    page: 1 + draw.dice.below(2),
    hitsPerPage: 9,
  })),
  classOf('words', 'distinct, pages, facets', pagesOfDistinct, { otherCause: DISTINCT_FACETS }),
  classOf('ordered', 'distinct, pages, facets, documents by id', pagesOfDistinct),
  classOf('words', 'distinct, arrays', (draw) => ({
    distinct: draw.turn(['pair', 'tags']),
    sort: [`size${way(draw)}`],
    filter: 'pair EXISTS',
    limit: 10,
  })),
  classOf('ordered', 'distinct, arrays, pages', (draw) => ({
    distinct: draw.turn(['pair', 'tags']),
    filter: draw.turn(['pair EXISTS', 'kind = noun']),
    page: 1 + draw.dice.below(3),
    hitsPerPage: 6,
  })),
  classOf('firsts', 'distinct by setting', (draw) => ({
    q: draw.turn(['', draw.common(), draw.neighbours(2)]),
    offset: draw.pick([0, 0, 30]),
    facets: draw.turn([undefined, ['kind']]),
  })),
  classOf('unfiltered', 'distinct by setting, not filterable', (draw) => ({
    q: draw.turn(['', draw.common()]),
    filter: draw.turn([null, 'kind = noun']),
    page: 1 + draw.dice.below(3),
    hitsPerPage: 7,
  })),
  classOf('pairs', 'distinct by setting, arrays', (draw) => ({
    q: draw.turn(['', draw.common()]),
    filter: draw.turn([null, 'pair EXISTS']),
    limit: 12,
  })),
  classOf('words', 'threshold and sort', (draw) => ({
    q: draw.turn([draw.neighbours(2), `${draw.common()} ${draw.common()}`]),
    sort: [`${draw.turn(['size', 'word', 'rank'])}${way(draw)}`],
    rankingScoreThreshold: draw.turn([0.3, 0.6, 0.85, 0.95]),
    limit: draw.turn([3, 20]),
  })),
  classOf('folded', 'folded ids', (draw) => ({
    q: draw.turn(['same', '']),
    limit: draw.pick([1, 2, 3, 7, 20, 33]),
    offset: draw.pick([0, 11, 100]),
    filter: draw.turn([null, 'even = true']),
    facets: draw.turn([undefined, undefined, ['even']]),
  })),
];
