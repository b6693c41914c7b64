// npm run exactness: the same documents and queries for one node and for fleets, compared byte by byte. Prints a table,
// and JSON with --json FILE. Ends with 0 only when hits are identical in every class that is exact.
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { chooseNodeProgram } from '../../up/nodes.js';
import { createOutput } from '../../up/output.js';
import { describeMachine } from '../usage.js';
import type { Answer } from './comparison.js';
import { killFleets, nameOf } from './fleet.js';
import { readOptions, USAGE } from './options.js';
import type { Ask } from './query-class.js';
import { findFailures, printOutcome } from './report.js';
import { runComparison } from './run.js';

const SHOWN_CASES = 60;
/** What must be ended at once after Ctrl-C. */
const stops = new Set<() => void>();

/** Answers whether every exact class was identical. */
export async function main(args: readonly string[]): Promise<boolean> {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return true;
  }
  const output = createOutput(process.stderr);
  const program = await chooseNodeProgram();
  output.line(`Nodes: ${program.description}; seed ${options.seed}, ${options.documents} documents`);
  const outcome = await runComparison(
    { ...options, program, output, ...(options.only === null ? {} : { onAnswers: printAnswers }) },
    stops,
  );
  const failures = findFailures(outcome, options.classes);
  process.stdout.write(
    `${printOutcome(outcome, options.classes, { ...options, shownCases: SHOWN_CASES })}\n`,
  );
  if (options.json !== null) {
    const { documents, queries, seed, shapes } = options;
    const report = {
      at: new Date().toISOString(),
      command: ['npm run exactness --', ...args].join(' '),
      machine: describeMachine(),
      nodes: program.description,
      options: { documents, queries, seed, fleets: shapes.map(nameOf) },
      classes: options.classes.map(({ name, world, notExact, otherCause }) => ({
        name,
        world,
        notExact,
        otherCause,
      })),
      ...outcome,
      failures,
    };
    await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  for (const failure of failures) process.stdout.write(`NOT EXACT: ${failure}\n`);
  if (failures.length === 0) process.stdout.write('Hits are identical in every exact class.\n');
  return failures.length === 0;
}

function printAnswers(ask: Ask, fleet: string, ours: Answer, theirs: Answer): void {
  process.stdout.write(
    `${ask.method} ${ask.path} ${JSON.stringify(ask.body ?? null)}\nMiroir (${fleet}), ${ours.status}:\n${ours.text}\nreference, ${theirs.status}:\n${theirs.text}\n\n`,
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      killFleets();
      for (const stop of stops) stop();
      process.exit(1);
    });
  }
  main(process.argv.slice(2)).then(
    (isExact) => process.exit(isExact ? 0 : 1),
    (error: unknown) => {
      killFleets();
      for (const stop of stops) stop();
      process.stderr.write(
        `exactness: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      process.exit(2);
    },
  );
}
