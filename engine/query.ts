// A query's terms: words, phrases in quotes, negated words, and whether the last word is a prefix.
import type { IndexData } from './index-data.js';
import { foldWord, tokenize } from './tokenizer.js';

export interface Term {
  /** One word, or a phrase's words with their distance from its first. */
  words: { text: string; offset: number }[];
  phrase: boolean;
  prefix: boolean;
  /** Position in the query, in words. */
  position: number;
}

export interface Query {
  terms: Term[];
  negated: Term[];
}

const WORD_LIMIT = 10;
const TERM_LIMIT = 30;
const SEGMENT = /(-?)"([^"]*)"?|([^"\s]+)/g;

/** Splits a query as Meilisearch does; words beyond the tenth are dropped. */
export function parseQuery(index: IndexData, text: string): Query {
  const stopWords = new Set(index.settings.stopWords.map(foldWord));
  const query: Query = { terms: [], negated: [] };
  // The whole text's tokens give the positions, so that a comma counts here as it does in documents.
  const places = new Map(tokenize(text).map((token) => [token.start, token.position]));
  let words = 0;
  const endsInWord = /[\p{L}\p{N}\p{M}]$/u.test(text);
  for (const match of text.matchAll(SEGMENT)) {
    const phrase = match[2] !== undefined;
    const source = phrase ? match[2]! : match[3]!;
    const negated = phrase ? match[1] === '-' : source.startsWith('-') && source.length > 1;
    const tokens = tokenize(source);
    const sourceStart = match.index + match[0].indexOf(source);
    const placeOf = (at: number) => places.get(sourceStart + (tokens[at]?.start ?? 0)) ?? 0;
    const isLast = match.index + match[0].length === text.length;
    const kept = tokens.map((token, at) => ({ text: token.word, offset: at }));
    if (phrase) {
      const significant = kept.filter((word) => !stopWords.has(word.text));
      const first = significant[0]?.offset ?? 0;
      const term: Term = {
        words: significant.map((word) => ({ text: word.text, offset: word.offset - first })),
        phrase: true,
        prefix: false,
        position: placeOf(first),
      };
      const list = negated ? query.negated : query.terms;
      if (significant.length > 0 && list.length < TERM_LIMIT) list.push(term);
      words += kept.length;
      continue;
    }
    for (const [at, word] of kept.entries()) {
      const prefix =
        isLast && at === kept.length - 1 && endsInWord && index.settings.prefixSearch !== 'disabled';
      const term: Term = {
        words: [{ text: word.text, offset: 0 }],
        phrase: false,
        prefix,
        position: placeOf(at),
      };
      if (negated) query.negated.push({ ...term, prefix: false });
      else if (words < WORD_LIMIT && (!stopWords.has(word.text) || prefix)) {
        query.terms.push(term);
        words++;
      }
    }
  }
  return query;
}

/** How many typos a word of the query may have. */
export function typoBudget(index: IndexData, word: string): number {
  const { enabled, minWordSizeForTypos, disableOnWords, disableOnNumbers } = index.settings.typoTolerance;
  if (!enabled || disableOnWords.some((exempt) => foldWord(exempt) === word)) return 0;
  if (disableOnNumbers && /^\d+$/.test(word)) return 0;
  const length = [...word].length;
  if (length >= minWordSizeForTypos.twoTypos) return 2;
  return length >= minWordSizeForTypos.oneTypo ? 1 : 0;
}
