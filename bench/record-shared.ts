// Queries whose answer depends on what all nodes know together: words dropped by frequency, and words that only some
// nodes have. Recorded with every question that is asked a part beforehand.
import type { SearchQuery } from '../shared/core/search-request.js';
import { Dice, type Document, type RecordedQuery, readSynsets, type World } from './record-worlds.js';

/** Every so many documents of a WordNet file are taken. */
const STEP = 11;
const FIELDS = ['id', 'word', 'gloss', 'kind', 'size'];

/** The world of shared knowledge, with so many queries of each class. */
export function sharedWorld(each = 6, seed = 77): World {
  const documents = [...readSynsets('data.verb', STEP), ...readSynsets('data.noun', 4 * STEP)].map(
    (document) => Object.fromEntries(FIELDS.map((field) => [field, document[field]])),
  );
  return {
    name: 'shared',
    primaryKey: 'id',
    settings: {
      searchableAttributes: ['word', 'gloss'],
      filterableAttributes: ['kind', 'size'],
      sortableAttributes: ['size'],
    },
    documents,
    queries: sharedQueries(documents, new Dice(seed), each),
  };
}

function sharedQueries(documents: readonly Document[], dice: Dice, each: number): RecordedQuery[] {
  const lines = documents
    .map(
      (document) =>
        String(document.gloss)
          .toLowerCase()
          .match(/[a-z]+/g) ?? [],
    )
    .filter((words) => words.length > 3);
  const all = lines.flat();
  const counts = new Map<string, number>();
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
  const common = [...counts].filter(([word, count]) => count > 40 && word.length > 2).map(([word]) => word);
  const rare = new Set([...counts].filter(([, count]) => count <= 3).map(([word]) => word));
  const out: RecordedQuery[] = [];
  const add = (name: string, make: () => SearchQuery): void => {
    for (let i = 0; i < each; i++) out.push({ class: name, query: make() });
  };
  const term = (): string => dice.pick(common);
  const word = (): string => dice.pick(all.filter((known) => known.length > 4));
  const near = (length: number): string => {
    for (;;) {
      const line = dice.pick(lines);
      if (line.length < length) continue;
      const at = dice.below(line.length - length + 1);
      if (line[at + length - 1]!.length > 4) return line.slice(at, at + length).join(' ');
    }
  };
  /** What a document begins with and a rare word that begins another word of it. */
  const beginning = (): string => {
    for (let attempt = 0; attempt < 5_000; attempt++) {
      const line = dice.pick(lines);
      const count = 1 + dice.below(2);
      for (const longer of line.slice(count)) {
        for (let length = 5; length < longer.length; length++) {
          if (rare.has(longer.slice(0, length))) {
            return [...line.slice(0, count), longer.slice(0, length)].join(' ');
          }
        }
      }
    }
    return term();
  };
  const by = (q: string, more: SearchQuery = {}): SearchQuery => ({
    q,
    matchingStrategy: 'frequency',
    limit: 10,
    ...more,
  });
  add('frequency, three words', () => by(`${term()} ${word()} ${term()}`));
  add('frequency, neighbours', () => by(near(2 + dice.below(3))));
  add('frequency, long', () => by(near(5 + dice.below(3))));
  add('frequency, phrase', () => by(`${term()} "${near(2)}" ${word()}`));
  add('frequency, negative', () => by(`${term()} -${term()} ${word()}`));
  add('frequency, scores', () =>
    by(near(3), { showRankingScore: true, showRankingScoreDetails: true, limit: 8 }),
  );
  add('frequency, facets', () => by(`${word()} ${term()}`, { facets: ['kind', 'size'], limit: 3 }));
  add('frequency, pages', () => by(near(3), { page: 1 + dice.below(3), hitsPerPage: 6, limit: undefined }));
  add('frequency, deep', () => by(`${term()} ${term()} ${term()}`, { offset: 30 + dice.below(60) }));
  add('frequency, sorted', () =>
    by(`${term()} ${word()} ${term()}`, { sort: ['size:desc'], filter: 'kind = verb' }),
  );
  add('last word on some parts', () => ({ q: beginning(), limit: 10 }));
  add('last word on some parts, scores', () => ({
    q: beginning(),
    limit: 8,
    showRankingScore: true,
    showRankingScoreDetails: true,
  }));
  add('last word on some parts, all', () => ({ q: beginning(), matchingStrategy: 'all', limit: 10 }));
  return out;
}

/** The world of hybrid search, with vectors that tests can make anew. */
export function hybridWorld(): World {
  const dice = new Dice(99);
  const vector = (seed: number): number[] =>
    [1.3, 2.3, 3.3].map((at) => Math.round(1_000 * Math.sin((seed + 1) * at)) / 1_000);
  const documents = readSynsets('data.verb', 29).map(({ id, word, gloss, kind, size }, at) => ({
    id,
    word,
    gloss,
    kind,
    size,
    _vectors: { own: at % 19 === 18 ? null : vector(at) },
  }));
  const words = documents.flatMap(({ gloss }) => String(gloss).match(/[a-z]{5,}/g) ?? []);
  const queries: RecordedQuery[] = [];
  const add = (name: string, more: SearchQuery): void => {
    for (const semanticRatio of [0.1, 0.3, 0.5, 0.7, 0.9, 1]) {
      const q = dice.next() < 0.5 ? dice.pick(words) : `${dice.pick(words)} ${dice.pick(words)}`;
      const query = { q, vector: vector(dice.below(9_999)), hybrid: { embedder: 'own', semanticRatio } };
      queries.push({ class: name, query: { ...query, limit: 8, ...more } });
    }
  };
  add('hybrid', {});
  add('hybrid, scores', { showRankingScore: true, showRankingScoreDetails: true });
  add('hybrid, pages', { page: 2, hitsPerPage: 5, limit: undefined });
  add('hybrid, filtered, facets', { filter: 'size < 20', facets: ['size'] });
  add('hybrid, formatted', { attributesToHighlight: ['gloss'], attributesToRetrieve: ['word'] });
  add('hybrid, frequency', { matchingStrategy: 'frequency' });
  return {
    name: 'hybrid',
    primaryKey: 'id',
    settings: {
      searchableAttributes: ['word', 'gloss'],
      filterableAttributes: ['kind', 'size'],
      embedders: { own: { source: 'userProvided', dimensions: 3 } },
    },
    documents,
    queries,
  };
}
