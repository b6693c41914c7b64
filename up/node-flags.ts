// The flags of Node that our programs run with.

/**
 * The proxy's requests live for milliseconds, so a large space for young objects would only stay resident: with the
 * default, uploads grow it to three times 16 MB.
 */
export function nodeFlags(program: 'proxy' | 'worker' | 'node'): string[] {
  return program === 'proxy' ? ['--max-semi-space-size=8'] : [];
}
