// The one hash of the cluster: xxh64, seed 0, of a text's UTF-8 bytes. A different hash silently corrupts writes.
import xxhash from 'xxhash-wasm';

/** Loads xxh64; the answered function gives the unsigned 64-bit hash of a text's UTF-8 bytes. */
export async function loadHash(): Promise<(text: string) => bigint> {
  const { h64 } = await xxhash();
  return (text) => h64(text);
}
