// Byte text: UTF-8 bytes kept one per code unit (latin1). It compares as Meilisearch compares (by bytes), slices
// cheaply, and turns back into the very same bytes.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The byte text of a string. */
export function toByteText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole ASCII range is meant
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  let out = '';
  for (const byte of encoder.encode(text)) out += String.fromCharCode(byte);
  return out;
}

/** The string of a byte text. */
export function fromByteText(bytes: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole ASCII range is meant
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes;
  const raw = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) raw[i] = bytes.charCodeAt(i);
  return decoder.decode(raw);
}

/** A name as it stands between the quotes of a JSON key in byte text. */
export function toKeyText(name: string): string {
  return toByteText(JSON.stringify(name).slice(1, -1));
}

export function compareBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The pieces and then `last` in one piece of `sizeBytes`. */
export function joinBytes(pieces: readonly Uint8Array[], last: Uint8Array, sizeBytes: number): Uint8Array {
  const joined = new Uint8Array(sizeBytes);
  let filled = 0;
  for (const piece of pieces) {
    joined.set(piece, filled);
    filled += piece.length;
  }
  joined.set(last, filled);
  return joined;
}
