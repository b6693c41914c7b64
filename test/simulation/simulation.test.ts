// A short simulation: whole histories over the real step code, on virtual nodes, clock and network. `npm run simulate`
// runs the long ones.
import { beforeAll, describe, expect, it } from 'vitest';
import { loadHash } from '../../shared/io/hash.js';
import { runScript } from './run.js';
import { writeScript } from './script.js';
import { shrink } from './shrink.js';
import { VARIANTS } from './variants.js';

const SEEDS = process.env.MIROIR_TEST_FULL === '1' ? 1_000 : 40;
/** Seeds that have failed once, each with what was mended since. */
const ONCE_BROKEN: readonly (readonly [seed: number, why: string])[] = [
  [55, 'a node that was well again kept its last error, and its retained source for ever'],
  [45, 'the simulation judged a node whose stream was in trouble, as if it were at rest'],
  [269, 'a worker that had stopped within the end of a change woke when the change had been given up'],
  [
    277,
    'the simulation did not notice a worker that died between being chosen for a stream and being watched',
  ],
  [845, 'the simulation gave up moves of changes that had just begun'],
];
/** Of the broken variants a few that are caught soon; `npm run simulate -- --broken all` tries all of them. */
const CAUGHT: readonly string[] = ['flip-before-verify', 'no-wait-for-leases'];

let hash: (text: string) => bigint;
beforeAll(async () => {
  hash = await loadHash();
});

describe('histories', () => {
  it(`lose nothing, whatever breaks: ${SEEDS} seeds`, { timeout: 1_200_000 }, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations } = await runScript(writeScript(seed), { hash });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it.each(ONCE_BROKEN)('hold where one broke before: seed %i, %s', { timeout: 120_000 }, async (seed) => {
    expect((await runScript(writeScript(seed), { hash })).violations).toEqual([]);
  });

  it('are the same for the same seed, to the last message', { timeout: 120_000 }, async () => {
    const run = () => runScript(writeScript(7), { hash, tracing: true });
    const [first, second] = [await run(), await run()];
    expect(second).toEqual(first);
    expect(first.steps).toBeGreaterThan(500);
  });
});

describe('a Miroir that is broken on purpose', () => {
  const firstCaught = async (name: string) => {
    for (let seed = 1; seed < 1_000; seed += 1) {
      const script = writeScript(seed);
      if ((await runScript(script, { hash, variant: VARIANTS[name]! })).violations.length > 0) return script;
    }
    return null;
  };

  it.each(CAUGHT)('is caught: %s', { timeout: 1_200_000 }, async (name) => {
    expect(await firstCaught(name)).not.toBeNull();
  });

  it('is shown with few writes and faults', { timeout: 1_200_000 }, async () => {
    const variant = VARIANTS['no-wait-for-leases']!;
    const script = (await firstCaught('no-wait-for-leases'))!;
    const small = await shrink(script, { hash, variant });
    expect(small.actions.length).toBeLessThan(script.actions.length);
    expect((await runScript(small, { hash, variant })).violations).not.toEqual([]);
  });
});
