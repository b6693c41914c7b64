// The documents of every world: WordNet's synsets and GeoNames' cities, with fields derived from them so that numbers,
// strings, mixed, missing, null, nested and repeated values all occur.
import type { City, Synset } from '../../up/tour/corpus.js';
import { Dice } from '../record-worlds.js';

export type Document = Record<string, unknown>;

/** Numbers whose text only survives when nobody parses it. */
const RAW_NUMBERS = ['9007199254740993', '1.0', '-0.0', '12345678901234567890', '1.50', '2e3'];
const MARKS = [
  '"quoted" \\ slash/',
  'tab\there',
  'line\nbreak',
  'é ñ 日本 😀',
  '\u0001\u007f',
  '<em>&amp;</em>',
];

/** A number that JSON.stringify would spoil: `toText` writes it as it is. */
function raw(text: string): string {
  return `§${text}§`;
}

/** A document as the JSON text that is sent. */
export function toText(document: Document): string {
  return JSON.stringify(document).replace(/"§([^"§]+)§"/g, '$1');
}

/** A synset with fields to sort, filter, count and tell apart by. */
export function wordDocument(synset: Synset, position: number): Document {
  const { id, word, synonyms, gloss, examples, partOfSpeech, relations } = synset;
  const number = Number(id.slice(1));
  const start = word.slice(0, 3).toLowerCase();
  return {
    id,
    word,
    ...(synonyms.length > 0 ? { synonyms } : {}),
    gloss: gloss.slice(0, 200),
    kind: partOfSpeech,
    relations,
    size: gloss.length % 40,
    first: start,
    initial: word.slice(0, 1),
    serial: position,
    ...(number % 3 === 0 ? {} : { rank: mixedValue(number) }),
    ...(number % 5 === 0 ? { pair: [start, `p${number % 97}`] } : {}),
    ...(number % 4 === 0 ? { tags: [start.slice(0, 1), `t${number % 9}`, number % 4] } : {}),
    ...(number % 7 === 0 ? { note: null } : number % 7 === 1 ? { note: examples[0] ?? '' } : {}),
    origin: { part: partOfSpeech, place: number % 13 },
    raw: raw(RAW_NUMBERS[number % RAW_NUMBERS.length]!),
    mark: MARKS[number % MARKS.length],
  };
}

/** Numbers, strings and null in one field. */
function mixedValue(number: number): unknown {
  if (number % 11 === 0) return null;
  return number % 7 === 0 ? `r${number % 50}` : (number % 1_000) / 8;
}

/** A city; one of eleven is nowhere. */
export function cityDocument(city: City): Document {
  const { id, name, country, region, _geo } = city;
  return {
    id,
    name,
    country,
    region,
    ...(id % 11 === 0 ? {} : { _geo }),
    height: (id * 7_919) % 3_000,
    // Not what lives there, which this data set does not tell.
    people: (id * 48_271) % 9_999_991,
    letter: name.slice(0, 1),
  };
}

const DIMENSIONS = 8;

/** The settings of the embedder that the vectors are for. */
export const EMBEDDERS = { default: { source: 'userProvided', dimensions: DIMENSIONS } };

/** A vector that depends on the text alone. */
export function vectorOf(text: string): number[] {
  let state = 7;
  for (const letter of text) state = (Math.imul(state, 31) + letter.codePointAt(0)!) | 0;
  const dice = new Dice(state);
  return Array.from({ length: DIMENSIONS }, () => Math.round(dice.next() * 2_000 - 1_000) / 1_000);
}

/** A synset with vectors of its own: mostly one, sometimes two, sometimes none. */
export function vectorDocument(synset: Synset, position: number): Document {
  const { id, word, gloss, partOfSpeech } = synset;
  const document = { id, word, gloss: gloss.slice(0, 120), kind: partOfSpeech, size: gloss.length % 40 };
  if (position % 15 === 0) return { ...document, embeddings: 0, _vectors: { default: null } };
  const isDouble = position % 10 === 0;
  const embeddings = isDouble ? [vectorOf(word), vectorOf(gloss)] : vectorOf(word);
  return { ...document, embeddings: isDouble ? 2 : 1, _vectors: { default: embeddings } };
}

/** Pairs of ids that Meilisearch folds into one when it sorts. */
export function foldedDocuments(count: number): Document[] {
  const documents: Document[] = [];
  for (let at = 0; at < count; at += 1)
    for (const id of [`A${at}`, `a${at}`])
      documents.push({ id, title: 'same words here', even: at % 2 === 0 });
  return documents;
}
