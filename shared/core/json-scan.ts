// Finds the boundaries of JSON values in text without parsing them, so that what is relayed stays as it was written.
// Works on any text of one code unit per position; answers of nodes are scanned as bytes (latin1), see byte-text.ts.

const QUOTE = 34;
const BACKSLASH = 92;

/** Strings up to this length are walked; beyond it, searching for the closing quote is faster. */
const WALKED = 32;

/** The position after the string that opens at `at`. */
export function skipString(text: string, at: number): number {
  const walkEnd = at + WALKED;
  let position = at + 1;
  for (; position < walkEnd; position++) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) return position + 1;
    if (code === BACKSLASH) position++;
  }
  return findClosingQuote(text, position);
}

/** `from` is inside the string and not right behind a backslash that escapes it. */
function findClosingQuote(text: string, from: number): number {
  let end = from - 1;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw new SyntaxError('unterminated string in JSON');
    let before = end - 1;
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end + 1;
  }
}

/** The first position from `at` on that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  let position = at;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return position;
    position++;
  }
}

/** The position after the value that begins at `at`. */
export function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return skipString(text, at);
  if (first !== 123 && first !== 91) return skipScalar(text, at);
  let depth = 0;
  let position = at;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      position = skipString(text, position);
      continue;
    }
    if (code === 123 || code === 91) depth++;
    else if (code === 125 || code === 93) {
      depth--;
      if (depth === 0) return position + 1;
    } else if (position >= text.length) throw new SyntaxError('unterminated value in JSON');
    position++;
  }
}

function skipScalar(text: string, at: number): number {
  let position = at;
  for (;;) {
    const code = text.charCodeAt(position);
    const ends = code === 44 || code === 125 || code === 93 || code <= 32 || position >= text.length;
    if (ends) return position;
    position++;
  }
}

/**
 * The members of the object that opens at `at`, as a flat list of four positions each: the key's opening quote, the
 * position after its closing quote, the value's start and end. The last number is the position after the object.
 */
export function scanObject(text: string, at: number): number[] {
  const found: number[] = [];
  let position = skipSpace(text, at + 1);
  if (text.charCodeAt(position) === 125) return [position + 1];
  for (;;) {
    const keyEnd = skipString(text, position);
    const colon = skipSpace(text, keyEnd);
    if (text.charCodeAt(colon) !== 58) throw new SyntaxError('expected a colon in JSON');
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = skipValue(text, valueStart);
    found.push(position, keyEnd, valueStart, valueEnd);
    const next = skipSpace(text, valueEnd);
    const code = text.charCodeAt(next);
    if (code === 125) {
      found.push(next + 1);
      return found;
    }
    if (code !== 44) throw new SyntaxError('expected a comma in JSON');
    position = skipSpace(text, next + 1);
  }
}

/** Starts and ends of the elements of the array that opens at `at`; the last number is the position after it. */
export function scanArray(text: string, at: number): number[] {
  const found: number[] = [];
  let position = skipSpace(text, at + 1);
  if (text.charCodeAt(position) === 93) return [position + 1];
  for (;;) {
    const end = skipValue(text, position);
    found.push(position, end);
    const next = skipSpace(text, end);
    const code = text.charCodeAt(next);
    if (code === 93) {
      found.push(next + 1);
      return found;
    }
    if (code !== 44) throw new SyntaxError('expected a comma in JSON');
    position = skipSpace(text, next + 1);
  }
}

/** The members of the object that opens at `at`: keys as key texts, values as they stand. */
export function membersOf(text: string, at: number): [key: string, value: string][] {
  const found = scanObject(text, at);
  const out: [string, string][] = [];
  for (let i = 0; i + 3 < found.length; i += 4) {
    out.push([text.slice(found[i]! + 1, found[i + 1]! - 1), text.slice(found[i + 2]!, found[i + 3]!)]);
  }
  return out;
}

/** The value of a member as text, or null when the object has none; the last one counts, as for a JSON parser. */
export function memberText(text: string, at: number, key: string): string | null {
  const found = scanObject(text, at);
  for (let i = found.length - 5; i >= 0; i -= 4) {
    if (text.slice(found[i]! + 1, found[i + 1]! - 1) === key) return text.slice(found[i + 2]!, found[i + 3]!);
  }
  return null;
}
