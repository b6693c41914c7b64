// How similar two vectors are, with Meilisearch's own arithmetic where that can be known.
import { toKeyText } from './byte-text.js';
import { fieldText } from './hits.js';
import { memberText, scanArray } from './json-scan.js';

/** The raw texts of a document's vectors for an embedder; `start` is where the document begins. */
export function vectorTexts(document: string, start: number, embedder: string): string[] {
  const vectors = fieldText(document, start, '_vectors');
  if (vectors === null || !vectors.startsWith('{')) return [];
  const own = memberText(vectors, 0, toKeyText(embedder));
  const embeddings = own === null ? null : own.startsWith('{') ? memberText(own, 0, 'embeddings') : own;
  if (embeddings === null || !embeddings.startsWith('[')) return [];
  const places = scanArray(embeddings, 0);
  if (places.length < 3) return [];
  if (embeddings[places[0]!] !== '[') return [embeddings];
  return places.flatMap((start, at) =>
    at % 2 === 0 && places[at + 1] ? [embeddings.slice(start, places[at + 1])] : [],
  );
}

/** From this length on Meilisearch adds up in an order that depends on the processor. */
const PARALLEL_SUMS = 16;

/** The similarity of two vectors before any shift, between 0 and 1. */
export function similarityOf(left: readonly number[], right: readonly number[]): number {
  const norms = Math.fround(normOf(left) * normOf(right));
  // Meilisearch takes vectors without a length for the nearest.
  if (norms <= 2 ** -23) return 1;
  const cosine = Math.max(-1, Math.min(1, Math.fround(product(left, right) / norms)));
  return Math.fround(1 - Math.fround(1 - cosine) / 2);
}

function normOf(vector: readonly number[]): number {
  return Math.fround(Math.sqrt(product(vector, vector)));
}

function product(left: readonly number[], right: readonly number[]): number {
  const round = left.length < PARALLEL_SUMS ? Math.fround : (value: number): number => value;
  let sum = 0;
  for (const [at, value] of left.entries()) {
    sum = round(sum + round(Math.fround(value) * Math.fround(right[at]!)));
  }
  return Math.fround(sum);
}

interface Distribution {
  mean: number;
  sigma: number;
}

/** What an embedder's `distribution` makes of a similarity. */
export function shiftOf(embedders: unknown, embedder: string): (similarity: number) => number {
  const known = (embedders ?? {}) as Record<string, { distribution?: Distribution | null } | undefined>;
  const distribution = known[embedder]?.distribution ?? null;
  if (distribution === null) return (similarity) => similarity;
  const factor = Math.fround(Math.fround(0.4) / Math.fround(distribution.sigma));
  const offset = Math.fround(0.5 - Math.fround(factor * Math.fround(distribution.mean)));
  return (similarity) => {
    const shifted = Math.fround(Math.fround(factor * similarity) + offset);
    return shifted <= 0 ? 2 ** -23 : Math.min(1, shifted);
  };
}
