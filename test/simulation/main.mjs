// `npm run simulate -- --seeds 1000 [--seed 1] [--broken NAME|all] [--trace]`: compiles the simulation and runs its seeds in
// as many processes as there are processors.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '100' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    broken: { type: 'string' },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
  },
});
const [seed, seeds, jobs] = ['seed', 'seeds', 'jobs'].map((name) => {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1) {
    console.error(`--${name} is "${values[name]}"; expected a whole number of 1 or more`);
    process.exit(2);
  }
  return number;
});

const start = (command, args) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.on('close', (code) => resolve(code ?? 1));
  });

if ((await start(join('node_modules', '.bin', 'tsc'), ['-p', 'test/simulation'])) !== 0) process.exit(1);
const script = 'node_modules/.cache/miroir-simulation/test/simulation/seeds.js';
const more = [
  ...(values.broken === undefined ? [] : ['--broken', values.broken]),
  ...(values.trace ? ['--trace'] : []),
  ...(values.shrink ? ['--shrink'] : []),
];
// A variant ends at its first caught seed, so that there is nothing to share out.
const parts = values.broken === undefined ? Math.min(jobs, seeds) : 1;
const each = Math.ceil(seeds / parts);
const codes = await Promise.all(
  Array.from({ length: parts }, (_, part) => {
    const first = seed + part * each;
    const count = Math.min(each, seed + seeds - first);
    const args = ['--enable-source-maps', script, '--seed', String(first), '--seeds', String(count), ...more];
    return count > 0 ? start(process.execPath, args) : 0;
  }),
);
process.exitCode = Math.max(...codes);
