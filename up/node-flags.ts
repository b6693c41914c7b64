// The flags of Node that our programs run with.

/**
 * The proxy's requests live for milliseconds, so a large space for young objects would only stay resident: with the
 * default, uploads grow it to three times 16 MB. What of an upload gets old is freed when the heap has grown by a third,
 * not when it has doubled.
 */
export function nodeFlags(program: 'proxy' | 'worker' | 'node'): string[] {
  return program === 'proxy' ? ['--max-semi-space-size=8', '--heap-growing-percent=30'] : [];
}
