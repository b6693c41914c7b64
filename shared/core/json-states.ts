// The states and byte classes of the JSON splitter.

// Where the scanner stands. Whitespace is skipped in all states from TOP on.
export const STRING = 0;
export const ESCAPE = 1;
export const HEX = 2;
export const UTF8 = 3;
export const MINUS = 4;
export const ZERO = 5;
export const INTEGER = 6;
export const POINT = 7;
export const FRACTION = 8;
export const EXPONENT = 9;
export const EXPONENT_SIGN = 10;
export const EXPONENT_DIGITS = 11;
export const LITERAL = 12;
export const TOP = 13;
export const ELEMENT = 14;
export const ELEMENT_AFTER_COMMA = 15;
export const AFTER_ELEMENT = 16;
export const TRAILING = 17;
export const FINISHED = 18;
export const VALUE = 19;
export const VALUE_AFTER_COMMA = 20;
export const VALUE_OR_END = 21;
export const KEY = 22;
export const KEY_OR_END = 23;
export const COLON = 24;
export const AFTER_VALUE = 25;

/** What `stepNumber` answers besides a state: the byte is not part of the number any more, or cannot stand here. */
export const NUMBER_ENDED = -1;
export const NUMBER_INVALID = -2;

/** Where a digit leads from a state in which a number needs one; 0 where it may end. */
const AFTER_FIRST_DIGIT = new Uint8Array(TOP);
AFTER_FIRST_DIGIT[MINUS] = INTEGER;
AFTER_FIRST_DIGIT[POINT] = FRACTION;
AFTER_FIRST_DIGIT[EXPONENT] = EXPONENT_DIGITS;
AFTER_FIRST_DIGIT[EXPONENT_SIGN] = EXPONENT_DIGITS;

/** The state after one more byte of a number. */
export function stepNumber(state: number, byte: number): number {
  const digit = isDigit(byte);
  if (state === EXPONENT && (byte === 0x2b || byte === 0x2d)) return EXPONENT_SIGN;
  const next = AFTER_FIRST_DIGIT[state]!;
  if (next !== 0) {
    if (!digit) return NUMBER_INVALID;
    return state === MINUS && byte === 0x30 ? ZERO : next;
  }
  if (digit) return state === ZERO ? NUMBER_INVALID : state;
  if (byte === 0x2e && (state === ZERO || state === INTEGER)) return POINT;
  if ((byte | 0x20) === 0x65 && state !== EXPONENT_DIGITS) return EXPONENT;
  return NUMBER_ENDED;
}

/** 1 for bytes that a string may hold and that need no attention. */
export const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) PLAIN[byte] = byte === 0x22 || byte === 0x5c ? 0 : 1;

/** What may follow a backslash besides `u`. */
export const ESCAPES = [0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74];

export const TRUE = [0x72, 0x75, 0x65];
export const FALSE = [0x61, 0x6c, 0x73, 0x65];
export const NULL = [0x75, 0x6c, 0x6c];

/** How many bytes follow a leading byte of UTF-8; 0 when it cannot lead. */
export function continuationBytes(byte: number): number {
  if (byte >= 0xc2 && byte <= 0xdf) return 1;
  if (byte >= 0xe0 && byte <= 0xef) return 2;
  return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
}

export const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

/** 0 to 15, or -1 for a byte that is no hexadecimal digit. */
export function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** What is said when the payload ends in a state; the other states depend on the container. */
export const EOF_REASONS: Readonly<Record<number, string>> = {
  [TOP]: 'EOF while parsing a value',
  [STRING]: 'EOF while parsing a string',
  [ESCAPE]: 'EOF while parsing a string',
  [HEX]: 'EOF while parsing a string',
  [UTF8]: 'EOF while parsing a string',
  [ELEMENT]: 'EOF while parsing a list',
  [AFTER_ELEMENT]: 'EOF while parsing a list',
  [ELEMENT_AFTER_COMMA]: 'EOF while parsing a value',
  [LITERAL]: 'EOF while parsing a value',
  [VALUE]: 'EOF while parsing a value',
  [VALUE_AFTER_COMMA]: 'EOF while parsing a value',
  [KEY]: 'EOF while parsing an object',
  [KEY_OR_END]: 'EOF while parsing an object',
  [COLON]: 'EOF while parsing an object',
  [MINUS]: 'invalid number',
  [POINT]: 'invalid number',
  [EXPONENT]: 'invalid number',
  [EXPONENT_SIGN]: 'invalid number',
};

/** Where a single object as payload is told otherwise. */
export const EOF_REASONS_IN_OBJECT: Readonly<Record<number, string>> = {
  [KEY]: 'EOF while parsing a value',
  [MINUS]: 'EOF while parsing a value',
  [POINT]: 'EOF while parsing a value',
  [EXPONENT]: 'EOF while parsing a value',
  [EXPONENT_SIGN]: 'EOF while parsing a value',
};
