// Lengths of documents, recorded beside the shard's mark in the hidden field: separators only, so that they are no search
// term, and facet values, so that nodes add them up. A length counts the words of the searchable attributes as they were
// when it was written, so it carries a version of them: one of another version counts as unknown.
import { documentLength } from './bm25.js';
import { SEPARATORS, separatorDigits } from './topology.js';

const VERSION_DIGITS = 8;
const LENGTH_DIGITS = 6;
const LONGEST = 8 ** LENGTH_DIGITS - 1;

/** What lengths of these searchable attributes (null: all) are recorded under. */
export function lengthVersion(searchable: readonly string[] | null, hash: (text: string) => bigint): string {
  // The number is that of the way in which words are counted.
  const key = hash(`1 ${JSON.stringify(searchable)}`);
  return separatorDigits(Number(key & 0xff_ffffn), VERSION_DIGITS);
}

/** Gives documents their marks; one recorder serves one payload. */
export class LengthRecorder {
  private readonly known = new Map<number, string>();

  constructor(
    private readonly searchable: readonly string[] | null,
    private readonly version: string,
  ) {}

  /** What stands in the hidden field of a document (byte text) behind the shard's mark: the version, and with the length. */
  marks(document: string): string {
    const length = Math.min(documentLength(document, 0, this.searchable), LONGEST);
    let marks = this.known.get(length);
    if (marks === undefined) {
      marks = `"${this.version}","${this.version}${separatorDigits(length, LENGTH_DIGITS)}"`;
      this.known.set(length, marks);
    }
    return marks;
  }
}

/** The recorded length of a hit, from the text of its hidden field; null where none of this version is. */
export function recordedLength(field: string | null, version: string): number | null {
  const at = field?.lastIndexOf(version) ?? -1;
  const end = at + VERSION_DIGITS + LENGTH_DIGITS;
  return at < 0 || field![end] !== '"' ? null : readDigits(field!.slice(at + VERSION_DIGITS, end));
}

/** What the facet of the hidden field says: documents with a length of this version, and their words. */
export function sumLengths(
  distribution: Readonly<Record<string, number>>,
  version: string,
): { documents: number; words: number } {
  let documents = 0;
  let words = 0;
  for (const [mark, count] of Object.entries(distribution)) {
    if (mark.length !== VERSION_DIGITS + LENGTH_DIGITS || !mark.startsWith(version)) continue;
    documents += count;
    words += count * readDigits(mark.slice(VERSION_DIGITS));
  }
  return { documents, words };
}

function readDigits(text: string): number {
  return [...text].reduce((number, digit) => number * 8 + SEPARATORS.indexOf(digit), 0);
}
