// npm run bench:dfs: does scoring with gathered statistics give the order of one node? First the formula alone over ten
// skewed shards, then the BM25 mode as real nodes serve it. Prints tables, and JSON with --json FILE.
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chooseNodeProgram } from '../../up/nodes.js';
import { killFleets } from '../exactness/fleet.js';
import { describeMachine } from '../usage.js';
import { drawQueries, loadCorpus } from './corpus.js';
import { type FleetResult, measureFleet } from './fleet-run.js';
import { type SimulationResult, simulate, type TauTally } from './simulation.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      queries: { type: 'string', default: '10000' },
      'fleet-queries': { type: 'string', default: '1000' },
      'compared-queries': { type: 'string' },
      'timed-queries': { type: 'string', default: '300' },
      connections: { type: 'string', default: '4' },
      documents: { type: 'string', default: '200000' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  });
  const loadBefore = loadavg();
  const corpus = await loadCorpus(Number(values.documents));
  const queries = drawQueries(corpus, Number(values.queries), Number(values.seed));
  say(`${corpus.documents.length} documents, ${queries.length} queries, seed ${values.seed}`);
  const simulations = (['hashed', 'by topic'] as const).map((placement) => {
    const result = simulate(corpus, queries, placement);
    process.stdout.write(`${printSimulation(result)}\n`);
    return result;
  });
  let fleet: FleetResult | null = null;
  const fleetQueries = queries.slice(0, Number(values['fleet-queries']));
  if (fleetQueries.length > 0) {
    const program = await chooseNodeProgram();
    say(program.description);
    const plan = {
      queries: fleetQueries,
      compared: Number(values['compared-queries'] ?? fleetQueries.length),
      timed: Number(values['timed-queries']),
      connections: Number(values.connections),
    };
    fleet = await measureFleet(corpus, plan, program, say);
    process.stdout.write(`${printFleet(fleet)}\n`);
  }
  if (values.json === undefined) return;
  const report = {
    at: new Date().toISOString(),
    command: ['npm run bench:dfs --', ...args].join(' '),
    machine: describeMachine(),
    loadBefore,
    loadAfter: loadavg(),
    documents: corpus.documents.length,
    seed: Number(values.seed),
    simulations,
    fleet,
  };
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

function printTaus(tallies: readonly TauTally[]): string[] {
  return tallies.map(
    ({ name, sum, queries, below }) =>
      `  ${name.padEnd(42)} tau ${(sum / queries).toFixed(4)}, ${below} of ${queries} queries below 1`,
  );
}

function printSimulation({ placement, queries, tallies, coordinatorMicros }: SimulationResult): string {
  const { mean, p50, p95, cpu } = coordinatorMicros;
  return [
    `The formula over ten shards (50, 20, 10, 7, 5, 3, 2, 1.5, 1 and 0.5 %), documents ${placement}, ${queries} queries:`,
    ...printTaus(tallies),
    `  coordinator, adding up and rescoring 100 hits: mean ${mean.toFixed(1)} µs, p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, processor time ${cpu.toFixed(1)}`,
  ].join('\n');
}

function printFleet({ nodes, documents, queries, sameHits, tallies, latencies }: FleetResult): string {
  return [
    `The BM25 mode over ${nodes} badly skewed nodes beside one, ${documents} documents, ${queries} queries:`,
    ...printTaus(tallies),
    `  the very hits of one node, in its order: ${sameHits} of ${queries}`,
    ...latencies.map(
      ({ name, queries: timed, p50Ms, p95Ms, meanMs }) =>
        `  ${name.padEnd(42)} p50 ${p50Ms.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms, mean ${meanMs.toFixed(1)} ms of ${timed} queries`,
    ),
  ].join('\n');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killFleets();
    process.exit(1);
  });
}
main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    killFleets();
    process.stderr.write(`bench:dfs: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
