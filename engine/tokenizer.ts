// Words of a text: runs of letters and digits, lower-cased, without diacritics. Everything else separates, so a text
// of separators alone (Miroir's hidden membership) has no words.

export interface Token {
  word: string;
  /** Distance in words from the beginning; a hard separator counts eight. */
  position: number;
  start: number;
  end: number;
}

const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}\p{M}]+?(?=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[^\p{L}\p{N}\p{M}]|$)/gu;
const HARD_SEPARATOR = /[.;,!?(){}[\]|:。、]/;
const PLAIN = /^[a-z0-9]+$/;

/** One word as it is indexed. */
export function foldWord(word: string): string {
  if (PLAIN.test(word)) return word;
  return word
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]/gu, '')
    .toLowerCase();
}

/** The tokens of a text, positions counted from `firstPosition`. */
export function tokenize(text: string, firstPosition = 0): Token[] {
  const tokens: Token[] = [];
  let position = firstPosition;
  let previousEnd = 0;
  for (const match of text.matchAll(WORD)) {
    const word = foldWord(match[0]);
    if (word === '') continue;
    if (tokens.length > 0) position += HARD_SEPARATOR.test(text.slice(previousEnd, match.index)) ? 8 : 1;
    previousEnd = match.index + match[0].length;
    tokens.push({ word, position, start: match.index, end: previousEnd });
  }
  return tokens;
}
