// Cuts a query into terms as Meilisearch's tokenizer does, for scripts whose words stand apart by separators. Where
// that cannot be told from outside, it says so instead of guessing.
import type { TopologyIndex } from './topology.js';

/** A word or a phrase that documents must or may have. */
export interface QueryTerm {
  /** Where it stands in the text, with its quotes. */
  readonly start: number;
  readonly end: number;
  /** Words of a phrase; 0 for a single word. */
  readonly phraseWords: number;
}

export interface QueryTerms {
  /** The query up to the last term that counts. */
  readonly text: string;
  readonly terms: readonly QueryTerm[];
}

/** Meilisearch takes no more terms than these; what follows is as if it were not there. */
const MAX_TERMS = 10;

const READABLE = /^[\p{Script=Latin}\p{Script=Cyrillic}0-9\p{Mn}\s\-_'’".,:;!?()/&]*$/u;
/** Letters that change case inside of a word, and numbers with a point, may be one word or two. */
const AMBIGUOUS = /\p{Ll}\p{Lu}|[0-9][.,'’_:/][0-9]/u;
const TOKEN = /[\p{L}\p{N}\p{M}]+|./gsu;
const IS_WORD = /[\p{L}\p{N}\p{M}]/u;
/** Separators that end a phrase inside of its quotes. */
const ENDS_PHRASE = /[.,:;!?()\n]/;

/** The settings of an index that change how words are cut. */
export interface WordSettings {
  readonly stopWords: ReadonlySet<string>;
  /** False when the user's settings cut words in a way of their own. */
  readonly isPlain: boolean;
}

/** Reads the user's settings. */
export function readWordSettings(settings: Readonly<Record<string, unknown>>): WordSettings {
  const list = (name: string): unknown[] =>
    Array.isArray(settings[name]) ? (settings[name] as unknown[]) : [];
  const own = ['separatorTokens', 'nonSeparatorTokens', 'dictionary', 'localizedAttributes'];
  return {
    stopWords: new Set(list('stopWords').map((word) => String(word).toLowerCase())),
    isPlain: own.every((name) => list(name).length === 0),
  };
}

const known = new WeakMap<TopologyIndex, WordSettings>();

/** The settings of an index. A topology never changes, so they are read once. */
export function wordSettings(index: TopologyIndex): WordSettings {
  let settings = known.get(index);
  if (settings === undefined) {
    settings = readWordSettings(index.settings);
    known.set(index, settings);
  }
  return settings;
}

/** The terms of a query, or null where the words cannot be told. */
export function readTerms(query: string, settings: WordSettings): QueryTerms | null {
  if (!settings.isPlain || !READABLE.test(query) || AMBIGUOUS.test(query)) return null;
  const terms: QueryTerm[] = [];
  let phrase: { start: number; words: number; negative: boolean } | null = null;
  let isNegative = false;
  let isSpaced = true;
  for (const match of query.matchAll(TOKEN)) {
    const token = match[0];
    const end = match.index + token.length;
    if (terms.length >= MAX_TERMS) {
      return { text: `${query.slice(0, terms.at(-1)!.end)} `, terms };
    }
    if (IS_WORD.test(token)) {
      const isStop = settings.stopWords.has(token.toLowerCase());
      if (phrase !== null) phrase.words += isStop ? 0 : 1;
      else if (!isNegative && (!isStop || end === query.length)) {
        terms.push({ start: match.index, end, phraseWords: 0 });
      }
      isNegative = false;
      isSpaced = false;
      continue;
    }
    if (token === '"') {
      if (phrase === null) phrase = { start: match.index, words: 0, negative: isNegative };
      else {
        if (!phrase.negative && phrase.words > 0) {
          terms.push({ start: phrase.start, end, phraseWords: phrase.words });
        }
        phrase = null;
      }
      isNegative = false;
    } else {
      if (phrase !== null && ENDS_PHRASE.test(token)) return null;
      isNegative = phrase === null && token === '-' && isSpaced;
    }
    isSpaced = /\s/.test(token);
  }
  if (phrase !== null && !phrase.negative && phrase.words > 0) {
    terms.push({ start: phrase.start, end: query.length, phraseWords: phrase.words });
  }
  return { text: query, terms };
}

/** A term as it stands in the query. */
export function termText({ text, terms }: QueryTerms, at: number): string {
  return text.slice(terms[at]!.start, terms[at]!.end);
}

/** A word that no document has: letters only, so that it takes one position. */
const NOWHERE = 'qzxjvmiroirnowherewqzx';

/**
 * The query without some of its terms. Each leaves its place to a negated word, which makes no term but takes one
 * position, so that distances stay as they were.
 */
export function withoutTerms({ text, terms }: QueryTerms, dropped: ReadonlySet<number>): string {
  let out = '';
  let at = 0;
  for (const [position, { start, end }] of terms.entries()) {
    out += text.slice(at, start);
    if (dropped.has(position)) out += `${out === '' || /\s$/.test(out) ? '' : ' '}-${NOWHERE}`;
    else out += text.slice(start, end);
    at = end;
  }
  return out + text.slice(at);
}
