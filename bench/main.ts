// npm run bench: the project's speed targets as ratios, each measured side by side in one run. Prints a table, and JSON
// with --json FILE; --only NAME runs one case, --quick runs all of them shorter.
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chooseNodeProgram } from '../up/nodes.js';
import { createOutput, type Output } from '../up/output.js';
import { killFleets } from './bench-fleet.js';
import { measureIngest } from './cases/ingest.js';
import { measureMemory } from './cases/memory.js';
import { measureMove } from './cases/move.js';
import { measurePlan } from './cases/plan.js';
import { measureSearch, type Outcome } from './cases/search.js';
import { measureStore } from './cases/store.js';
import { printReport, type Report } from './result.js';
import { describeMachine } from './usage.js';

const CASES: Record<string, (quick: boolean, output: Output) => Promise<Outcome>> = {
  'search-one-node': (quick, output) => measureSearch(1, quick, output),
  'search-three-nodes': (quick, output) => measureSearch(3, quick, output),
  ingest: measureIngest,
  move: measureMove,
  plan: measurePlan,
  memory: measureMemory,
  store: measureStore,
};

function load(): number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

/** Runs the cases; answers false when one of them could not be measured. */
export async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'string' },
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
    },
  });
  const names = values.only ?? Object.keys(CASES);
  const unknown = names.filter((name) => !Object.hasOwn(CASES, name));
  if (unknown.length > 0) {
    throw new Error(`there is no case ${unknown.join(', ')}; there are ${Object.keys(CASES).join(', ')}`);
  }
  const output = createOutput(process.stderr);
  const report: Report = {
    at: new Date().toISOString(),
    machine: describeMachine(),
    nodes: (await chooseNodeProgram()).description,
    quick: values.quick,
    cases: [],
  };
  let complete = true;
  for (const name of names) {
    output.step(`bench: ${name}`);
    const loadBefore = load();
    try {
      const outcome = await CASES[name]!(values.quick, quiet(output));
      report.cases.push({ case: name, ...outcome, loadBefore, loadAfter: load() });
      output.line(JSON.stringify(report.cases.at(-1)));
      if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    } catch (error) {
      complete = false;
      output.warn(`${name} could not be measured: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  process.stdout.write(`${printReport(report)}\n`);
  return complete;
}

/** Fleets say a lot while they start; here only troubles count. */
function quiet(output: Output): Output {
  return { ...output, line: () => {}, step: () => {}, status: () => {} };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      killFleets();
      process.exit(1);
    });
  }
  main(process.argv.slice(2)).then(
    (complete) => process.exit(complete ? 0 : 1),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(2);
    },
  );
}
