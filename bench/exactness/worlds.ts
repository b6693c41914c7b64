// The indexes that are compared: real documents in a repeatable order, the settings that users would give, and the words
// that queries are made of.
import { type City, loadCities, loadSynsets, type Synset } from '../../up/tour/corpus.js';
import { Dice } from '../record-worlds.js';
import {
  cityDocument,
  type Document,
  EMBEDDERS,
  foldedDocuments,
  toText,
  vectorDocument,
  wordDocument,
} from './documents.js';

/** What queries are drawn from. */
export interface Vocabulary {
  /** Every text, cut into lower-case words. */
  readonly lines: readonly string[][];
  /** Every word as often as it occurs. */
  readonly all: readonly string[];
  readonly common: readonly string[];
  readonly rare: readonly string[];
}

export interface World {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly documents: readonly Document[];
  /** The documents as they are sent. */
  readonly texts: readonly string[];
  readonly vocabulary: Vocabulary;
  /** Nodes without these features cannot hold it. */
  readonly needsVectors: boolean;
}

export const PRIMARY_KEY = 'id';
const FILTERABLE = [
  PRIMARY_KEY,
  'kind',
  'relations',
  'size',
  'rank',
  'first',
  'initial',
  'serial',
  'tags',
  'pair',
  'origin.part',
  'origin.place',
];
const SORTABLE = ['size', 'word', 'rank', 'kind', 'first', 'serial', 'relations', 'origin.place'];

interface WorldSettings {
  name: string;
  settings: Record<string, unknown>;
  documents: Document[];
  field: string;
  inOrder?: boolean;
  needsVectors?: boolean;
}

export interface Corpora {
  readonly synsets: readonly Synset[];
  readonly cities: readonly City[];
}

/** Reads the real data: so many synsets and so many cities. */
export async function loadCorpora(documentCount: number): Promise<Corpora> {
  return { synsets: await loadSynsets(documentCount), cities: await loadCities(documentCount) };
}

/** All worlds, or those that are named; the seed decides the order of their documents. */
export function buildWorlds(
  { synsets, cities }: Corpora,
  seed: number,
  names: readonly string[] | null = null,
): Map<string, World> {
  const few = synsets.filter((_, at) => at % 4 === 0);
  const words = synsets.map(wordDocument);
  const fewWords = few.map(wordDocument);
  const all: WorldSettings[] = [
    {
      name: 'words',
      field: 'gloss',
      documents: words,
      settings: { filterableAttributes: FILTERABLE, sortableAttributes: SORTABLE },
    },
    { name: 'tuned', field: 'gloss', documents: words, settings: tunedSettings() },
    {
      name: 'typos',
      field: 'gloss',
      documents: fewWords,
      settings: {
        typoTolerance: {
          minWordSizeForTypos: { oneTypo: 4, twoTypos: 7 },
          disableOnWords: ['person', 'animal'],
          disableOnNumbers: true,
        },
      },
    },
    {
      name: 'exactly',
      field: 'gloss',
      documents: fewWords,
      settings: {
        searchableAttributes: ['word', 'synonyms', 'gloss'],
        filterableAttributes: ['kind'],
        typoTolerance: { disableOnAttributes: ['word'] },
      },
    },
    {
      name: 'before',
      field: 'gloss',
      documents: fewWords,
      settings: {
        searchableAttributes: ['word', 'synonyms', 'gloss'],
        filterableAttributes: FILTERABLE,
        sortableAttributes: SORTABLE,
        rankingRules: [
          'kind:desc',
          'words',
          'sort',
          'proximity',
          'typo',
          'rank:asc',
          'exactness',
          'attribute',
        ],
      },
    },
    {
      name: 'cities',
      field: 'name',
      documents: cities.map(cityDocument),
      settings: {
        searchableAttributes: ['name', 'region'],
        filterableAttributes: ['country', 'region', 'height', 'people', 'letter', '_geo'],
        sortableAttributes: ['name', 'country', 'height', 'people', '_geo'],
        faceting: { sortFacetValuesBy: { '*': 'count' } },
      },
    },
    {
      name: 'vectors',
      field: 'gloss',
      documents: few.map(vectorDocument),
      needsVectors: true,
      settings: {
        searchableAttributes: ['word', 'gloss'],
        filterableAttributes: ['kind', 'size', 'embeddings'],
        sortableAttributes: ['size'],
        embedders: EMBEDDERS,
      },
    },
    {
      name: 'firsts',
      field: 'gloss',
      documents: fewWords,
      settings: {
        filterableAttributes: FILTERABLE,
        sortableAttributes: SORTABLE,
        distinctAttribute: 'first',
      },
    },
    {
      name: 'ordered',
      field: 'gloss',
      // By id, so that the document that one node got first is the one with the first id.
      documents: [...fewWords].sort((left, right) => (String(left.id) < String(right.id) ? -1 : 1)),
      inOrder: true,
      settings: { filterableAttributes: FILTERABLE, sortableAttributes: SORTABLE },
    },
    {
      name: 'unfiltered',
      field: 'gloss',
      documents: fewWords,
      settings: { filterableAttributes: ['kind'], distinctAttribute: 'first' },
    },
    {
      name: 'pairs',
      field: 'gloss',
      documents: fewWords,
      settings: { filterableAttributes: FILTERABLE, sortableAttributes: SORTABLE, distinctAttribute: 'pair' },
    },
    {
      name: 'folded',
      field: 'title',
      documents: foldedDocuments(300),
      // One node shows ties of folded ids in the order of insertion, Miroir in that of the raw ids: here both agree.
      inOrder: true,
      settings: { filterableAttributes: ['even'] },
    },
  ];
  const wanted = all.filter(({ name }) => names === null || names.includes(name));
  return new Map(wanted.map((world) => [world.name, finish(world, seed)]));
}

/** Much that a user can tune, at once. */
function tunedSettings(): Record<string, unknown> {
  return {
    searchableAttributes: ['word', 'synonyms', 'gloss', 'kind'],
    displayedAttributes: ['word', 'gloss', 'kind', 'size', 'rank', 'serial', 'raw'],
    filterableAttributes: FILTERABLE,
    sortableAttributes: SORTABLE,
    rankingRules: ['sort', 'words', 'exactness', 'typo', 'attribute', 'proximity', 'size:desc'],
    stopWords: ['the', 'a', 'of', 'an', 'or', 'to', 'in', 'by'],
    synonyms: {
      person: ['human', 'someone'],
      large: ['big', 'great'],
      water: ['liquid substance'],
      small: ['little', 'tiny'],
    },
    typoTolerance: { minWordSizeForTypos: { oneTypo: 6, twoTypos: 10 } },
    localizedAttributes: [{ attributePatterns: ['gloss', 'word'], locales: ['eng'] }],
    faceting: { maxValuesPerFacet: 12, sortFacetValuesBy: { '*': 'count', relations: 'alpha' } },
    pagination: { maxTotalHits: 120 },
  };
}

function finish(world: WorldSettings, seed: number): World {
  const documents = world.inOrder ? world.documents : shuffle(world.documents, new Dice(seed));
  return {
    name: world.name,
    settings: world.settings,
    documents,
    texts: documents.map(toText),
    vocabulary: readVocabulary(world.documents, world.field),
    needsVectors: world.needsVectors ?? false,
  };
}

function shuffle<T>(list: readonly T[], dice: Dice): T[] {
  const shuffled = [...list];
  for (let at = shuffled.length - 1; at > 0; at -= 1) {
    const other = dice.below(at + 1);
    [shuffled[at], shuffled[other]] = [shuffled[other]!, shuffled[at]!];
  }
  return shuffled;
}

/** The words of a field. Common ones stand in one of eighty documents, rare ones in three at most. */
export function readVocabulary(documents: readonly Document[], field: string): Vocabulary {
  const lines = documents.map(
    (document) =>
      String(document[field] ?? '')
        .toLowerCase()
        .match(/[a-z]{2,}/g) ?? [],
  );
  const all = lines.flat().filter((word) => word.length >= 5);
  const counts = new Map<string, number>();
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
  const often = Math.max(4, documents.length / 80);
  const common = [...counts].filter(([, count]) => count >= often).map(([word]) => word);
  const rare = [...counts].filter(([, count]) => count <= 3).map(([word]) => word);
  return {
    lines: lines.filter((line) => line.length > 0),
    all,
    common: common.length > 0 ? common : all,
    rare: rare.length > 0 ? rare : all,
  };
}
