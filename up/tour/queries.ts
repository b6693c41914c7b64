// The tour's searches: the classes that both Meilisearch and the embedded engine have, over the tour's two indexes.
import type { City, Synset } from './corpus.js';
import type { Random } from './random.js';

export type SearchBody = Record<string, unknown>;

export const CITY_SETTINGS = {
  searchableAttributes: ['name', 'region', 'country'],
  filterableAttributes: ['country', 'region'],
  sortableAttributes: ['name', 'country'],
};

export const WORD_SETTINGS = {
  searchableAttributes: ['word', 'synonyms', 'gloss', 'examples', 'note'],
  filterableAttributes: ['id', 'partOfSpeech', 'relations', 'revision'],
  sortableAttributes: ['word', 'relations'],
};

/** A search over the cities, which nobody writes to: its answer never changes. */
export function cityQuery(cities: readonly City[], random: Random): SearchBody {
  const city = random.pick(cities);
  const kinds: (() => SearchBody)[] = [
    () => ({ q: city.name, limit: 10 }),
    () => ({ q: city.name.slice(0, 4), limit: 20, facets: ['country'] }),
    () => ({ q: misspell(city.name, random), limit: 20 }),
    () => ({ q: city.name, filter: `country = "${city.country}"`, showRankingScore: true }),
    () => ({
      filter: [`country = "${city.country}"`],
      sort: ['name:asc'],
      page: 1 + random.below(3),
      hitsPerPage: 15,
    }),
    () => ({ q: '', sort: ['country:desc', 'name:asc'], offset: random.below(500), limit: 20 }),
    () => ({ q: city.country, facets: ['country', 'region'], limit: 5 }),
  ];
  return random.pick(kinds)();
}

/** A search over the words, for the comparison once all writes are done. */
export function wordQuery(synsets: readonly Synset[], random: Random): SearchBody {
  const synset = random.pick(synsets);
  const gloss = synset.gloss.split(' ').filter((word) => /^[a-z]{4,}$/.test(word));
  const kinds: (() => SearchBody)[] = [
    () => ({ q: synset.word, limit: 20 }),
    () => ({ q: gloss.slice(0, 2).join(' ') || synset.word, limit: 20, matchingStrategy: 'last' }),
    () => ({ q: gloss.slice(0, 3).join(' ') || synset.word, limit: 20, matchingStrategy: 'all' }),
    () => ({ q: misspell(synset.word, random), limit: 20 }),
    () => ({ q: synset.word, filter: `partOfSpeech = ${synset.partOfSpeech}`, facets: ['partOfSpeech'] }),
    () => ({ q: 'revised', limit: 20, facets: ['partOfSpeech', 'relations'] }),
    () => ({
      filter: 'revision >= 0',
      sort: ['relations:desc', 'word:asc'],
      limit: 30,
      offset: random.below(100),
    }),
    () => ({ q: gloss[0] ?? synset.word, page: 1 + random.below(2), hitsPerPage: 10 }),
  ];
  return random.pick(kinds)();
}

/** Two neighbouring letters change places where the word is long enough for Meilisearch to forgive it. */
function misspell(text: string, random: Random): string {
  const words = text.split(' ');
  const at = words.findIndex((word) => word.length >= 6);
  if (at === -1) return text;
  const letters = [...words[at]!];
  const place = 2 + random.below(letters.length - 3);
  [letters[place], letters[place + 1]] = [letters[place + 1] ?? '', letters[place]!];
  words[at] = letters.join('');
  return words.join(' ');
}
