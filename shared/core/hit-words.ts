// Whether the text of a hit has a word, told without reading the words as Meilisearch would: what is not found may be there.
import { fromByteText } from './byte-text.js';
import { scanObject } from './json-scan.js';

/** A word of letters and digits, in lower case. */
export interface PlainWord {
  readonly text: string;
  readonly isAscii: boolean;
}

/** Null for a word that cannot be looked for in texts: it stays unproven. */
export function plainWord(word: string): PlainWord | null {
  if (/^[a-z0-9]+$/i.test(word)) return { text: word.toLowerCase(), isAscii: true };
  return /^[\p{L}\p{N}]+$/u.test(word) ? { text: word.toLowerCase(), isAscii: false } : null;
}

/** The texts of a hit, in which words are looked for. What stands between other things than below is not found. */
export class HitWords {
  private bytes: string | null = null;
  private text: string | null = null;

  private readonly byteText: string;

  /** `searchable` are key texts, or null for all fields. */
  constructor(text: string, start: number, searchable: readonly string[] | null) {
    this.byteText = valuesText(text, start, searchable);
  }

  have({ text, isAscii }: PlainWord): boolean {
    const values = isAscii ? this.lowerBytes() : this.lowerText();
    for (let at = values.indexOf(text); at >= 0; at = values.indexOf(text, at + 1)) {
      const isApart =
        BEFORE.has(values.charCodeAt(at - 1)) && BEHIND.has(values.charCodeAt(at + text.length));
      if (isApart) return true;
    }
    return false;
  }

  private lowerBytes(): string {
    this.bytes ??= this.byteText.toLowerCase();
    return this.bytes;
  }

  private lowerText(): string {
    this.text ??= fromByteText(this.byteText).toLowerCase();
    return this.text;
  }
}

const codesOf = (text: string) => new Set(Array.from(text, (char) => char.charCodeAt(0)));
const BEFORE = codesOf(' "');
const BEHIND = codesOf(' ",;');

/** The texts of a hit's searchable fields that are plain strings. */
function valuesText(text: string, start: number, searchable: readonly string[] | null): string {
  const members = scanObject(text, start);
  let out = '';
  for (let i = 0; i + 3 < members.length; i += 4) {
    if (text.charCodeAt(members[i]! + 1) === 95 || text.charCodeAt(members[i + 2]!) !== 34) continue;
    const name = text.slice(members[i]! + 1, members[i + 1]! - 1);
    if (searchable === null || searchable.includes(name)) out += text.slice(members[i + 2]!, members[i + 3]!);
  }
  return out;
}
