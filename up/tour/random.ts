// A small seeded generator, so that a tour's writes and queries can be repeated.

export interface Random {
  /** An integer of 0 .. below - 1. */
  below(below: number): number;
  pick<T>(list: readonly T[]): T;
}

/** mulberry32: enough for choosing documents, not for anything else. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return { below, pick: (list) => list[below(list.length)]! };
}
