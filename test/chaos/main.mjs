// `npm run chaos -- --minutes 30 --seed 21`: a long chaos run, on real nodes where MIROIR_MEILISEARCH_BIN is set. With
// `--changes 100` alone it takes as long as these need.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, run } from '../../prepare.mjs';

const NUMBERS = ['minutes', 'changes', 'seed', 'nodes', 'proxies', 'workers', 'writers', 'shards', 'pause'];
const OPTIONS = { shards: 'shardCount', pause: 'pauseMs' };
const { values } = parseArgs({
  options: {
    ...Object.fromEntries(NUMBERS.map((name) => [name, { type: 'string' }])),
    faults: { type: 'string' },
    json: { type: 'string' },
    store: { type: 'string' },
  },
});
const asked = {};
for (const name of NUMBERS) {
  if (values[name] === undefined) continue;
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1) {
    console.error(`--${name} is "${values[name]}"; expected a whole number of 1 or more`);
    process.exit(2);
  }
  asked[OPTIONS[name] ?? name] = number;
}
if (asked.changes !== undefined) asked.minutes ??= 24 * 60;
if (values.faults !== undefined) asked.faults = values.faults.split(',');
if (values.json !== undefined) asked.json = values.json;
if (values.store !== undefined) asked.store = values.store;

await prepare();
const env = { ...process.env, MIROIR_TEST_SKIP_BUILD: '1', MIROIR_CHAOS: JSON.stringify(asked) };
const vitest = join('node_modules', '.bin', 'vitest');
process.exitCode = await run(vitest, ['run', '--project', 'chaos'], { env });
