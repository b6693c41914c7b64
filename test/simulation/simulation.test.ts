// A short simulation: whole histories over the real step code, on virtual nodes, clock and network. `npm run simulate`
// runs the long ones.
import { beforeAll, describe, expect, it } from 'vitest';
import { loadHash } from '../../shared/io/hash.js';
import { runScript } from './run.js';
import { type Script, writeScript } from './script.js';
import { shrink } from './shrink.js';
import { VARIANTS, type Variant } from './variants.js';

const IS_FULL = process.env.MIROIR_TEST_FULL === '1';
const SEEDS = IS_FULL ? 1_000 : 40;
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
  [5896, 'a copy was read from, and verified by, a node that had just come back from a backup'],
  [6080, 'a move was compared with a node that had come back from a backup after the copy'],
  [6656, 'a leaving node that did not answer, and stayed after all, kept what it should have deleted'],
];
/** Each broken variant with a seed that has caught it. Whoever shifts histories finds the next one here, and notes it. */
const CAUGHT: Readonly<Record<string, number>> = {
  'no-hold-during-copy': 1,
  'no-wait-for-leases': 3,
  'clean-between-resends': 3,
  'position-before-generation': 3,
  'no-generation': 3,
  'flip-below-watermark': 1,
  'promote-below-watermark': 5,
  'flip-before-verify': 4,
  'paging-by-offset': 1,
  'payloads-by-position': 2,
  'filter-without-recorded-ids': 10,
  'two-primary-keys': 17,
  'no-membership-filter': 16,
  'no-lease-recheck': 1,
  'lease-at-any-epoch': 5,
  'success-at-new-epoch-only': 14,
  'success-at-first-replica': 5,
  'join-at-equal-position': 13,
  'plan-twice': 1,
};
/** Those that are rare in histories, each with a seed too. */
const RARE: Readonly<Record<string, number>> = {
  'no-fence': 36,
  'delete-before-commit': 82,
  'resend-failed-group-only': 21,
  'last-replica-demoted': 43,
  'barrier-on-all-shards': 116,
};
const MOST_SEEDS = 1_000;

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
  const isBroken = async (script: Script, variant: Variant | null) =>
    (await runScript(script, { hash, variant })).violations.length > 0;

  /** From the known seed on, the first history that breaks by the variant alone. */
  const firstCaught = async (name: string, known: number) => {
    const variant = VARIANTS[name]!;
    for (let seed = known; seed < known + MOST_SEEDS; seed += 1) {
      const script = variant.aim?.(writeScript(seed)) ?? writeScript(seed);
      if ((await isBroken(script, variant)) && !(await isBroken(script, null))) return script;
    }
    return null;
  };

  it.each(Object.entries(IS_FULL ? { ...CAUGHT, ...RARE } : CAUGHT))(
    'is caught: %s, by seed %i or a later one',
    { timeout: 1_200_000 },
    async (name, known) => {
      expect(await firstCaught(name, known)).not.toBeNull();
    },
  );

  it('has no variant that is never tried', () => {
    expect(Object.keys({ ...CAUGHT, ...RARE }).sort()).toEqual(Object.keys(VARIANTS).sort());
  });

  it('is shown with few writes and faults', { timeout: 1_200_000 }, async () => {
    const variant = VARIANTS['no-wait-for-leases']!;
    const script = (await firstCaught('no-wait-for-leases', CAUGHT['no-wait-for-leases']!))!;
    const small = await shrink(script, { hash, variant });
    expect(small.actions.length).toBeLessThan(script.actions.length);
    expect(await isBroken(small, variant)).toBe(true);
  });
});
