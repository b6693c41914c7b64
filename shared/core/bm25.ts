// Okapi BM25 over whole documents: the formula, the statistics that it needs of the whole corpus, and how often terms
// stand in a hit. One field of words a document: all searchable attributes together.
import { fromByteText } from './byte-text.js';
import { fieldText } from './hits.js';
import { scanObject } from './json-scan.js';

/** How soon further occurrences of a term count for less. */
export const K1 = 1.2;
/** How much longer documents are held back. */
export const B = 0.75;
/** So many first hits are rescored by default. */
export const RESCORED_HITS = 100;

/** What must be known of a corpus, or of a part of it. Parts add up. */
export interface CorpusStatistics {
  readonly documents: number;
  /** Documents with each term of the query. */
  readonly documentFrequencies: readonly number[];
  /** Words of a document, on average. */
  readonly averageLength: number;
}

/** The statistics of several parts together. */
export function addStatistics(parts: readonly CorpusStatistics[]): CorpusStatistics {
  const documents = sum(parts.map((part) => part.documents));
  // Words are whole: rounding makes parts add up to what one node would have counted.
  const words = sum(parts.map((part) => Math.round(part.documents * part.averageLength)));
  const terms = parts[0]?.documentFrequencies.length ?? 0;
  return {
    documents,
    documentFrequencies: Array.from({ length: terms }, (_, term) =>
      sum(parts.map((part) => part.documentFrequencies[term]!)),
    ),
    averageLength: documents === 0 ? 0 : words / documents,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** How often each term stands in a document, and how many words it has. */
export interface TermCounts {
  readonly occurrences: readonly number[];
  readonly length: number;
}

/** sum over terms of ln(1 + (N - df + 0.5) / (df + 0.5)) * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / average)). */
export function bm25({ occurrences, length }: TermCounts, corpus: CorpusStatistics): number {
  const { documents, documentFrequencies, averageLength } = corpus;
  const longer = averageLength === 0 ? 1 : 1 - B + (B * length) / averageLength;
  let score = 0;
  for (const [term, count] of occurrences.entries()) {
    if (count === 0) continue;
    // A part may count fewer documents than it has meanwhile.
    const frequency = Math.min(documentFrequencies[term] ?? 0, documents);
    const rarity = Math.log(1 + (documents - frequency + 0.5) / (frequency + 0.5));
    score += (rarity * count * (K1 + 1)) / (count + K1 * longer);
  }
  return score;
}

/** Positions in descending order of their scores; equal ones stay as they were. */
export function rankByScore(scores: readonly number[]): number[] {
  return scores
    .map((_, position) => position)
    .sort((left, right) => scores[right]! - scores[left]! || left - right);
}

const WORD = /[\p{L}\p{N}\p{M}]+/gu;

/** How many words a text has. */
export function countWords(text: string): number {
  return text.match(WORD)?.length ?? 0;
}

/** A text as terms are compared. */
export function foldWord(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Counts the words of a document's searchable attributes (null: all), in a document or a hit as byte text. */
export function documentLength(text: string, start: number, searchable: readonly string[] | null): number {
  if (searchable !== null) {
    return sum(searchable.map((field) => valueLength(pathText(text, start, field) ?? 'null')));
  }
  const members = scanObject(text, start);
  let length = 0;
  for (let i = 0; i + 3 < members.length; i += 4) {
    // What begins with an underscore is Meilisearch's or Miroir's own.
    if (text.charCodeAt(members[i]! + 1) === 95) continue;
    length += valueLength(text.slice(members[i + 2]!, members[i + 3]!));
  }
  return length;
}

/** The value of a field by its name, or by its path into objects. */
function pathText(text: string, start: number, path: string): string | null {
  const direct = fieldText(text, start, path);
  if (direct !== null) return direct;
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const parent = fieldText(text, start, path.slice(0, dot));
    const inner = parent?.startsWith('{') ? pathText(parent, 0, path.slice(dot + 1)) : null;
    if (inner !== null) return inner;
  }
  return null;
}

function valueLength(json: string): number {
  const value = JSON.parse(fromByteText(json)) as unknown;
  const texts: string[] = [];
  collectTexts(value, texts);
  return sum(texts.map(countWords));
}

function collectTexts(value: unknown, texts: string[]): void {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object') texts.push(String(value));
  else for (const item of Object.values(value)) collectTexts(item, texts);
}

interface Match {
  start: number;
  length: number;
  indices?: number[];
}

/** How often each term stands in a hit, from its `_matchesPosition`, whose positions are in bytes. */
export function countMatches(
  text: string,
  start: number,
  terms: readonly string[],
  searchable: readonly string[] | null,
): number[] {
  const counts = terms.map(() => 0);
  const json = fieldText(text, start, '_matchesPosition');
  if (json === null) return counts;
  const folded = terms.map(foldWord);
  for (const [field, matches] of Object.entries(JSON.parse(json) as Record<string, Match[]>)) {
    if (searchable !== null && !searchable.some((name) => field === name || field.startsWith(`${name}.`))) {
      continue;
    }
    for (const { start: from, length, indices } of matches) {
      const bytes = textBytes(pathText(text, start, field), indices);
      const matched = foldWord(decoder.decode(bytes.subarray(from, from + length)));
      counts[termOf(matched, folded)]!++;
    }
  }
  return counts;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function textBytes(json: string | null, indices: readonly number[] | undefined): Uint8Array {
  let value = json === null ? '' : (JSON.parse(fromByteText(json)) as unknown);
  for (const index of indices ?? []) value = Array.isArray(value) ? value[index] : value;
  return encoder.encode(typeof value === 'string' ? value : String(value));
}

/** The term that a matched text stands for: itself, what it begins with, or the nearest by letters. */
function termOf(matched: string, terms: readonly string[]): number {
  const same = terms.indexOf(matched);
  if (same >= 0) return same;
  const start = terms.findIndex((term) => matched.startsWith(term) || term.startsWith(matched));
  if (start >= 0) return start;
  const distances = terms.map((term) => editDistance(matched, term));
  return distances.indexOf(Math.min(...distances));
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
