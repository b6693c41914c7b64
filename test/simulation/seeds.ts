// Runs seeds, and cuts those that fail down. Started by main.mjs once it has compiled this.
import { parseArgs } from 'node:util';
import { loadHash } from '../../shared/io/hash.js';
import { runScript } from './run.js';
import { type Script, writeScript } from './script.js';
import { shrink } from './shrink.js';
import { VARIANTS, type Variant } from './variants.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    broken: { type: 'string' },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
  },
});
const hash = await loadHash();
const first = Number(values.seed);
const count = Number(values.seeds);

if (values.broken === undefined) await runAll();
else await runBroken(values.broken === 'all' ? Object.keys(VARIANTS) : values.broken.split(','));

/** All seeds on the product as it is; those that fail are named at the end. */
async function runAll(): Promise<void> {
  const begin = process.cpuUsage();
  const broken: number[] = [];
  let steps = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const script = writeScript(seed);
    const outcome = await runScript(script, { hash, tracing: values.trace });
    steps += outcome.steps;
    if (values.trace) console.log(outcome.trace.join('\n'));
    if (outcome.violations.length === 0) continue;
    broken.push(seed);
    console.log(`seed ${seed}: ${outcome.violations.slice(0, 3).join('\n  ')}`);
    if (values.shrink) await showSmallest(seed, null);
  }
  const { user, system } = process.cpuUsage(begin);
  console.log(
    `seeds ${first} to ${first + count - 1}: ${broken.length} broken` +
      `${broken.length > 0 ? ` (${broken.join(', ')}; --seed N --trace shows one, --shrink cuts it down)` : ''}, ` +
      `${((user + system) / 1_000 / count).toFixed(0)} ms of processor time and ${Math.round(steps / count)} steps each`,
  );
  process.exitCode = broken.length > 0 ? 1 : 0;
}

/** A test of the test: each variant must be caught by one of the seeds. */
async function runBroken(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const variant = VARIANTS[name];
    if (!variant) {
      console.error(`there is no variant "${name}"; there are: ${Object.keys(VARIANTS).join(', ')}`);
      process.exit(2);
    }
    const caught = await catchVariant(variant);
    if (caught === null) process.exitCode = 1;
    console.log(
      caught === null
        ? `${name}: NOT caught by ${count} seeds`
        : `${name}: seed ${caught.seed}, ${caught.why}`,
    );
    if (caught !== null && values.shrink) await showSmallest(caught.seed, variant);
  }
}

async function catchVariant(variant: Variant): Promise<{ seed: number; why: string } | null> {
  for (let seed = first; seed < first + count; seed += 1) {
    const script = scriptOf(seed, variant);
    const { violations } = await runScript(script, { hash, variant });
    if (violations[0] === undefined) continue;
    // Only what breaks by the variant counts.
    const sound = await runScript(script, { hash });
    if (sound.violations.length === 0) return { seed, why: violations[0].slice(0, 160) };
    console.log(`seed ${seed} breaks without the variant too: ${sound.violations[0]?.slice(0, 160)}`);
  }
  return null;
}

function scriptOf(seed: number, variant: Variant | null): Script {
  const script = writeScript(seed);
  return variant?.aim?.(script) ?? script;
}

async function showSmallest(seed: number, variant: Variant | null): Promise<void> {
  const script = scriptOf(seed, variant);
  const small = await shrink(script, { hash, variant });
  const { violations, trace } = await runScript(small, { hash, variant, tracing: true });
  console.log(`cut from ${script.actions.length} to ${small.actions.length} actions: ${violations[0]}`);
  console.log(trace.slice(0, 200).join('\n'));
}
