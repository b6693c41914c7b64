// JSON as text: finds, cuts and drops parts of valid JSON without parsing or reprinting the rest, so that big
// numbers, `1.0`, escapes and key order survive. All functions expect valid JSON (see JsonSplitter).

export interface ByteRange {
  start: number;
  end: number;
}

/** A field of an object: its key as JSON text (with quotes) and its value. */
export interface FieldRange {
  key: string;
  keyRange: ByteRange;
  valueRange: ByteRange;
}

const decoder = new TextDecoder();

function skipSpace(bytes: Uint8Array, at: number): number {
  let next = at;
  for (;;) {
    const byte = bytes[next];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next;
    next++;
  }
}

/** The offset after the string that begins at `at` with its quote. */
function skipString(bytes: Uint8Array, at: number): number {
  let next = at + 1;
  for (;;) {
    const quote = bytes.indexOf(0x22, next);
    if (quote < 0) throw new SyntaxError('unterminated JSON string');
    let backslashes = 0;
    while (bytes[quote - 1 - backslashes] === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    next = quote + 1;
  }
}

/** The offset after the value that begins at `at`. */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === 0x22) return skipString(bytes, at);
  let next = at;
  if (first !== 0x7b && first !== 0x5b) {
    for (; next < bytes.length; next++) {
      const byte = bytes[next]!;
      if (byte === 0x2c || byte === 0x7d || byte === 0x5d || byte <= 0x20) break;
    }
    return next;
  }
  let depth = 0;
  for (; next < bytes.length; next++) {
    const byte = bytes[next]!;
    if (byte === 0x22) next = skipString(bytes, next) - 1;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return next + 1;
  }
  throw new SyntaxError('unterminated JSON value');
}

/** The elements of the array that begins at or after `from`, as byte ranges. */
export function cutArray(bytes: Uint8Array, from = 0): ByteRange[] {
  const ranges: ByteRange[] = [];
  let at = skipSpace(bytes, from);
  if (bytes[at] !== 0x5b) throw new SyntaxError('not a JSON array');
  at = skipSpace(bytes, at + 1);
  while (bytes[at] !== 0x5d) {
    const end = skipValue(bytes, at);
    ranges.push({ start: at, end });
    at = skipSpace(bytes, end);
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1);
    else if (bytes[at] !== 0x5d) throw new SyntaxError('unterminated JSON array');
  }
  return ranges;
}

/** The fields of the object that begins at or after `from`, in their order, duplicates included. */
export function topLevelFields(bytes: Uint8Array, from = 0): FieldRange[] {
  const fields: FieldRange[] = [];
  let at = skipSpace(bytes, from);
  if (bytes[at] !== 0x7b) throw new SyntaxError('not a JSON object');
  at = skipSpace(bytes, at + 1);
  while (bytes[at] !== 0x7d) {
    const keyRange = { start: at, end: skipString(bytes, at) };
    at = skipSpace(bytes, keyRange.end);
    at = skipSpace(bytes, at + 1);
    const valueRange = { start: at, end: skipValue(bytes, at) };
    fields.push({ key: readString(bytes, keyRange.start, keyRange.end), keyRange, valueRange });
    at = skipSpace(bytes, valueRange.end);
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1);
    else if (bytes[at] !== 0x7d) throw new SyntaxError('unterminated JSON object');
  }
  return fields;
}

/** The value of the JSON string in that range, which includes its quotes. */
export function readString(bytes: Uint8Array, start: number, end: number): string {
  for (let at = start + 1; at < end - 1; at++) {
    if (bytes[at] === 0x5c) return JSON.parse(decoder.decode(bytes.subarray(start, end))) as string;
  }
  return decoder.decode(bytes.subarray(start + 1, end - 1));
}

/** The text of a range. */
export function textOf(bytes: Uint8Array, range: ByteRange): string {
  return decoder.decode(bytes.subarray(range.start, range.end));
}

/** The object without one of its top-level fields, all other bytes as they were. */
export function stripField(bytes: Uint8Array, name: string): Uint8Array {
  const fields = topLevelFields(bytes);
  const found = fields.findIndex((field) => field.key === name);
  if (found < 0) return bytes;
  // Take the comma before the field along; the first field takes the one after it.
  const field = fields[found]!;
  let start = field.keyRange.start;
  let end = field.valueRange.end;
  if (found > 0) start = fields[found - 1]!.valueRange.end;
  else if (fields.length > 1) end = fields[1]!.keyRange.start;
  const kept = new Uint8Array(bytes.length - (end - start));
  kept.set(bytes.subarray(0, start));
  kept.set(bytes.subarray(end), start);
  // A duplicate key is not expected, but must not slip through.
  return fields.length > 1 ? stripField(kept, name) : kept;
}

/** The object with one more last field; `field` is `"key":value` without a comma. */
export function appendField(bytes: Uint8Array, field: Uint8Array): Uint8Array {
  const empty = bytes[skipSpace(bytes, skipSpace(bytes, 0) + 1)] === 0x7d;
  const body = bytes.lastIndexOf(0x7d);
  const marked = new Uint8Array(body + field.length + (empty ? 1 : 2));
  marked.set(bytes.subarray(0, body));
  let at = body;
  if (!empty) marked[at++] = 0x2c;
  marked.set(field, at);
  marked[marked.length - 1] = 0x7d;
  return marked;
}
