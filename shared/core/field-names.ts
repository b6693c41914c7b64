// The names of the top-level fields of a payload, in the order in which they come. Documents of one payload mostly have
// the same keys in the same places, so a key is first compared with the one that was there last.
import { readString } from './json-text.js';

export class FieldNames {
  private readonly names = new Set<string>();
  /** What stood at each place last, with its quotes. */
  private readonly last: Uint8Array[] = [];

  /** Takes a document's fields in, as a DocumentSink gets them. */
  add(bytes: Uint8Array, fields: readonly number[], fieldCount: number): void {
    for (let i = 0; i < fieldCount; i++) {
      const start = fields[i * 4]!;
      const end = fields[i * 4 + 1]!;
      if (isSame(bytes, start, end, this.last[i])) continue;
      this.last[i] = bytes.slice(start, end);
      this.names.add(readString(bytes, start, end));
    }
  }

  /** The names so far, behind `first` where it is given. */
  list(first: string | null = null): string[] {
    return [...new Set(first === null ? this.names : [first, ...this.names])];
  }
}

function isSame(bytes: Uint8Array, start: number, end: number, other: Uint8Array | undefined): boolean {
  if (other === undefined || end - start !== other.length) return false;
  for (let at = 0; at < other.length; at++) if (bytes[start + at] !== other[at]) return false;
  return true;
}
