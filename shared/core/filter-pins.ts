// Which documents can a filter let through at most? Where it pins the primary key (=, IN, inside AND), only the shards
// of these ids need to be asked. Whatever this does not understand pins nothing: the answer stays right, only slower.

import { type Hash64, shardOf } from './placement.js';

/** More ids than this ask every node anyway. */
const MOST_IDS = 64;
/** Words of Meilisearch's filters that are no values unless they are quoted. */
export const FILTER_KEYWORDS = new Set([
  'AND',
  'OR',
  'NOT',
  'IN',
  'TO',
  'EXISTS',
  'IS',
  'NULL',
  'EMPTY',
  'CONTAINS',
  'STARTS',
  'WITH',
]);

type Pins = ReadonlySet<string> | null;
type Token = { kind: 'word' | 'quoted' | 'sign'; text: string };

/**
 * The ids that documents passing the filter may have, or null when it does not pin the primary key. The empty set means
 * that no document passes.
 */
export function pinnedIds(filter: unknown, primaryKey: string): Pins {
  if (typeof filter === 'string') return pinsOfText(filter, primaryKey);
  if (!Array.isArray(filter)) return null;
  // Meilisearch's array form: AND outside, OR inside.
  return filter.reduce<Pins>((pins, item) => {
    const own = Array.isArray(item)
      ? unite(item.map((inner) => (typeof inner === 'string' ? pinsOfText(inner, primaryKey) : null)))
      : typeof item === 'string'
        ? pinsOfText(item, primaryKey)
        : null;
    return intersect(pins, own);
  }, null);
}

/** The shards that a filter on the primary key lets through, sorted, at least one; undefined when all must be asked. */
export function pinnedShards(
  index: { primaryKey: string | null; shardCount: number },
  filter: unknown,
  hash: Hash64,
): number[] | undefined {
  const ids = index.primaryKey === null ? null : pinnedIds(filter, index.primaryKey);
  if (ids === null) return undefined;
  const shards = new Set([...ids].map((id) => shardOf(id, index.shardCount, hash)));
  if (shards.size === index.shardCount) return undefined;
  // Somebody must judge the rest of the query even where no document can pass.
  return shards.size === 0 ? [0] : [...shards].sort((left, right) => left - right);
}

function pinsOfText(text: string, primaryKey: string): Pins {
  if (!text.includes(primaryKey)) return null;
  const tokens = tokenize(text);
  if (tokens === null) return null;
  const reader = new FilterReader(tokens, primaryKey);
  const pins = reader.readOr();
  return reader.isClear() ? pins : null;
}

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([A-Za-z0-9_\-/.]+)|(!=|>=|<=|[=<>()[\],]))/y;

function tokenize(text: string): Token[] | null {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (match === null) return null;
    const [, quoted, word, sign] = match;
    if (quoted?.includes('\\')) return null;
    if (quoted !== undefined) tokens.push({ kind: 'quoted', text: quoted.slice(1, -1) });
    else tokens.push(word === undefined ? { kind: 'sign', text: sign! } : { kind: 'word', text: word });
  }
  return tokens;
}

/** Reads the forms that can pin; everything else makes the whole filter unclear. */
class FilterReader {
  private at = 0;
  private unclear = false;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly primaryKey: string,
  ) {}

  isClear(): boolean {
    return !this.unclear && this.at === this.tokens.length;
  }

  readOr(): Pins {
    const parts = [this.readAnd()];
    while (this.take('OR')) parts.push(this.readAnd());
    return unite(parts);
  }

  private readAnd(): Pins {
    let pins = this.readNot();
    while (this.take('AND')) pins = intersect(pins, this.readNot());
    return pins;
  }

  private readNot(): Pins {
    if (!this.take('NOT')) return this.readPrimary();
    this.readNot();
    return null;
  }

  private readPrimary(): Pins {
    if (this.take('(')) {
      const pins = this.readOr();
      this.require(')');
      return pins;
    }
    const field = this.readValue();
    const isKey = field === this.primaryKey;
    if (this.take('=')) {
      const value = this.readValue();
      return isKey ? idsOf([value]) : null;
    }
    if (this.take('IN')) {
      const values = this.readList();
      return isKey ? idsOf(values) : null;
    }
    if (this.take('NOT')) {
      if (this.take('IN')) this.readList();
      else this.require('EXISTS');
      return null;
    }
    for (const sign of ['!=', '>=', '<=', '>', '<']) {
      if (!this.take(sign)) continue;
      this.readValue();
      return null;
    }
    if (this.take('EXISTS')) return null;
    if (this.take('IS')) {
      this.take('NOT');
      if (!this.take('NULL')) this.require('EMPTY');
      return null;
    }
    this.readValue();
    this.require('TO');
    this.readValue();
    return null;
  }

  private readList(): string[] {
    this.require('[');
    const values: string[] = [];
    while (!this.unclear && !this.take(']')) {
      values.push(this.readValue());
      if (!this.take(',')) {
        this.require(']');
        break;
      }
    }
    return values;
  }

  private readValue(): string {
    const token = this.tokens[this.at];
    const isValue =
      token !== undefined &&
      token.kind !== 'sign' &&
      !(token.kind === 'word' && FILTER_KEYWORDS.has(token.text));
    if (!isValue) {
      this.unclear = true;
      return '';
    }
    this.at += 1;
    return token.text;
  }

  private take(text: string): boolean {
    const token = this.tokens[this.at];
    if (token === undefined || token.kind === 'quoted' || token.text !== text) return false;
    this.at += 1;
    return true;
  }

  private require(text: string): void {
    if (!this.take(text)) this.unclear = true;
  }
}

/** Equality folds case, and a number equals every spelling of it: all ids that could be meant. */
function idsOf(values: readonly string[]): Pins {
  const ids = new Set<string>();
  for (const value of values) {
    if (!/^[A-Za-z0-9_-]+$/.test(value)) return null;
    if (!addSpellings(ids, value)) return null;
    const number = Number(value);
    if (/^[+-]?\d+(e[+-]?\d+)?$/i.test(value)) {
      if (!Number.isSafeInteger(number)) return null;
      ids.add(String(number));
    }
    if (ids.size > MOST_IDS) return null;
  }
  return ids;
}

function addSpellings(ids: Set<string>, value: string): boolean {
  const letters = value.replace(/[^A-Za-z]/g, '').length;
  if (2 ** letters > MOST_IDS) return false;
  let spellings = [''];
  for (const character of value) {
    const forms = new Set([character.toLowerCase(), character.toUpperCase()]);
    spellings = spellings.flatMap((spelling) => [...forms].map((form) => spelling + form));
  }
  for (const spelling of spellings) ids.add(spelling);
  return true;
}

function intersect(left: Pins, right: Pins): Pins {
  if (left === null || right === null) return left ?? right;
  return new Set([...left].filter((id) => right.has(id)));
}

function unite(parts: readonly Pins[]): Pins {
  const ids = new Set<string>();
  for (const part of parts) {
    if (part === null) return null;
    for (const id of part) ids.add(id);
  }
  return ids;
}
