// The corpus of the benchmark: all of WordNet, an index of its words, and queries drawn from it by a seed.
import { foldWord } from '../../shared/core/bm25.js';
import { loadSynsets } from '../../up/tour/corpus.js';
import { Dice } from '../record-worlds.js';

export interface BenchDocument {
  id: number;
  word: string;
  text: string;
}

export interface BenchCorpus {
  readonly documents: readonly BenchDocument[];
  /** Words of each document, folded. */
  readonly words: readonly (readonly string[])[];
  /** Documents of each word, ascending. */
  readonly postings: ReadonlyMap<string, readonly number[]>;
}

const WORD = /[\p{L}\p{N}]+/gu;

/** Up to `most` synsets. */
export async function loadCorpus(most: number): Promise<BenchCorpus> {
  const synsets = await loadSynsets(most);
  const documents = synsets.map(({ word, synonyms, gloss, examples }, id) => ({
    id,
    word: [word, ...synonyms].join(', '),
    text: [gloss, ...examples].join('; '),
  }));
  const words = documents.map(({ word, text }) => (`${word} ${text}`.match(WORD) ?? []).map(foldWord));
  const postings = new Map<string, number[]>();
  for (const [id, own] of words.entries()) {
    for (const word of new Set(own)) {
      const list = postings.get(word);
      if (list) list.push(id);
      else postings.set(word, [id]);
    }
  }
  return { documents, words, postings };
}

/** Queries of one to four words of a document each, rare and common ones as they come. */
export function drawQueries({ words }: BenchCorpus, count: number, seed: number): string[][] {
  const dice = new Dice(seed);
  const out: string[][] = [];
  while (out.length < count) {
    const own = dice.pick(words).filter((word) => /^[a-z]{2,}$/.test(word));
    const length = 1 + dice.below(4);
    if (own.length < length) continue;
    const drawn = new Set(Array.from({ length }, () => dice.pick(own)));
    out.push([...drawn]);
  }
  return out;
}
