#!/usr/bin/env node
// `miroir`: the whole fleet on one machine (`up`), or one of its programs (`proxy`, `worker`, `node`).
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { restoreBackup, writeBackup } from '../shared/io/backup.js';
import { ConfigError, loadConfig } from '../shared/io/config.js';
import { loadHash } from '../shared/io/hash.js';
import { openStore } from '../shared/io/open-store.js';
import { ApiRefusal } from './admin-api.js';
import { type DataFolder, emptyDataFolder, openDataFolder } from './data-folder.js';
import { Fleet } from './fleet.js';
import { joinNodes } from './join.js';
import { nodeFlags } from './node-flags.js';
import { givenNodes } from './nodes.js';
import { createOutput, type Output } from './output.js';
import { acceptRestore, reportRestore } from './restore/restore.js';
import { runTour } from './tour/tour.js';

interface UpOptions {
  nodes: string[];
  config?: string;
  dataDir?: string;
  tour: boolean;
  exit: boolean;
  json?: string;
}

const START_NODES = 3;
/** What the tour changes: fewer shards and small chunks so that every step can be seen, sources deleted at once. */
const TOUR_SETTINGS = {
  MIROIR_REPLICATION_FACTOR: '2',
  MIROIR_DEFAULT_SHARD_COUNT: '16',
  MIROIR_RETENTION_MS: '0',
};

const program = new Command('miroir')
  .description('Makes a fleet of unmodified Meilisearch nodes look like one Meilisearch.')
  .showHelpAfterError();

program
  .command('up')
  .description('Starts Temporal, worker, proxy and nodes on this machine, and stops them on Ctrl-C.')
  .option(
    '--nodes <urls>',
    'your own Meilisearch nodes, separated by commas (key: MIROIR_NODE_MASTER_KEY)',
    parseUrls,
    [],
  )
  .option('--config <file>', 'configuration file (default: MIROIR_CONFIG, else miroir.yml)')
  .option('--data-dir <folder>', 'where everything is kept')
  .option(
    '--tour',
    'load real data, add a node, kill a worker, drain a node, and check every document',
    false,
  )
  .option('--exit', 'stop everything after the tour (without a tour: once the fleet is up)', false)
  .option('--json <file>', "write the tour's result as JSON")
  .action(up);

program
  .command('backup')
  .description(
    'Writes a backup of the state store, with journal and node keys, into a new file while the fleet runs.',
  )
  .argument('<file>')
  .option('--config <file>', 'configuration file (default: MIROIR_CONFIG, else miroir.yml)')
  .action(backup);

program
  .command('restore')
  .description('Fills an empty state store from a backup, looks at the nodes, and goes on when you accept.')
  .argument('[file]', 'the backup; without it the restored store is looked at or accepted')
  .option('--config <file>', 'configuration file (default: MIROIR_CONFIG, else miroir.yml)')
  .option('--report', 'says what accepting would mean, and changes nothing', false)
  .option('--accept', 'ends the waiting', false)
  .option('--without <nodes>', 'nodes that are lost, separated by commas', parseNames, [])
  .option('--prefer <node>', 'which node to believe where replicas differ')
  .action(restore);

for (const [name, text] of [
  ['proxy', 'Runs a proxy: what clients talk to.'],
  ['worker', 'Runs a worker: delivery to nodes, and changes of the topology.'],
  ['node', 'Runs the embedded engine as a node, for trying out, not for production.'],
] as const) {
  program
    .command(name)
    .description(text)
    .allowUnknownOption()
    .helpOption(false)
    .argument('[options...]')
    .action(() => runProgram(name, process.argv.slice(3)));
}

program.parseAsync().catch((error: unknown) => {
  console.error(describe(error));
  process.exitCode = error instanceof ConfigError ? 2 : 1;
});

async function backup(file: string, options: { config?: string }): Promise<void> {
  const output = createOutput(process.stdout);
  const tables = await writeBackup(loadConfig({ file: options.config }).storeUrl, file);
  const rows = (name: string) => tables.find((table) => table.name === name)?.rows ?? 0;
  output.line(
    `Backed up to ${file}: ${rows('nodes')} nodes, ${rows('indexes')} indexes, ${rows('journal')} tasks. It holds the keys of the nodes.`,
  );
}

interface RestoreArguments {
  config?: string;
  report: boolean;
  accept: boolean;
  without: string[];
  prefer?: string;
}

async function restore(file: string | undefined, options: RestoreArguments): Promise<void> {
  if ([file !== undefined, options.report, options.accept].filter(Boolean).length !== 1)
    throw new ConfigError('name a backup, or say --report or --accept: exactly one of them');
  const output = createOutput(process.stdout);
  const config = loadConfig({ file: options.config });
  if (file !== undefined) {
    await restoreBackup(config.storeUrl, file);
    output.line('Restored. No proxy and no worker uses the store before you have accepted it.');
    output.line('Next: `miroir restore --report` looks at the nodes and says what may be lost.');
    return;
  }
  const store = await openStore(config.storeUrl, { thread: false });
  try {
    const { without, prefer = null } = options;
    const chosen = { without, prefer, nodeMasterKey: config.nodeMasterKey, hash: await loadHash() };
    await (options.accept ? acceptRestore : reportRestore)(store, chosen, output);
  } finally {
    await store.close();
  }
}

async function up(options: UpOptions): Promise<void> {
  if (options.tour && options.nodes.length > 0) {
    throw new ConfigError('--tour starts and kills nodes of its own: run it without --nodes');
  }
  const output = createOutput(process.stdout);
  const loaded = loadConfig({ file: options.config });
  const dataDir = options.dataDir ?? (options.tour ? join('.miroir', 'tour') : loaded.dataDir);
  if (options.tour) await emptyDataFolder(dataDir);
  const folder = await openDataFolder(dataDir);
  const storeUrl =
    options.tour || options.dataDir ? `sqlite:${join(folder.path, 'miroir.db')}` : loaded.storeUrl;
  const fleet = new Fleet({
    config: { ...loaded, dataDir: folder.path, storeUrl },
    folder,
    output,
    given: givenNodes(options.nodes),
    nodeCount: START_NODES,
    settings: options.tour ? TOUR_SETTINGS : {},
  });
  const interrupted = stopOnSignals(fleet, output);
  try {
    await Promise.race([fleet.start().then(() => joinNodes(fleet, output)), interrupted]);
    sayWhere(fleet, folder, output);
    if (options.tour) {
      const passed = await Promise.race([
        runTour({ fleet, output, jsonFile: options.json ?? null }),
        interrupted,
      ]);
      if (!passed) process.exitCode = 1;
    }
    if (!options.exit) {
      output.line('Running. Ctrl-C stops all of it.');
      await interrupted;
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) {
      output.warn(describe(error));
      process.exitCode = 1;
    }
  } finally {
    output.line('Stopping ...');
    await fleet.stop();
    output.line('Stopped.');
  }
  process.exit();
}

class Interrupted extends Error {}

/** The first signal rejects, so that everything is stopped in order; the second ends it at once. */
function stopOnSignals(fleet: Fleet, output: Output): Promise<never> {
  let signals = 0;
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        signals += 1;
        if (signals === 1) return reject(new Interrupted(signal));
        output.warn('Ending everything at once.');
        fleet.kill();
        process.exit(130);
      });
    }
  });
  interrupted.catch(() => {});
  return interrupted;
}

function sayWhere(fleet: Fleet, folder: DataFolder, output: Output): void {
  output.line('');
  output.step(`Miroir is up: ${fleet.proxyUrl}  (any Meilisearch client works with this URL)`);
  for (const node of fleet.nodes) output.line(`  ${node.id.padEnd(12)} ${node.url}`);
  if (fleet.temporal?.uiUrl) output.line(`  Temporal UI  ${fleet.temporal.uiUrl}`);
  output.line(`  data, logs   ${folder.path}`);
  const credentials = `MIROIR_CREDENTIALS_FILE=${folder.credentialsFile}`;
  output.line(`  look at it   MIROIR_URL=${fleet.proxyUrl} ${credentials} npx miroir-ctl status`);
  output.line('');
}

/** Programs run as processes of their own main file, so that each has its own signals and exit code. */
function runProgram(name: 'proxy' | 'worker' | 'node', args: string[]): Promise<void> {
  const folder = name === 'node' ? 'engine' : name;
  const main = fileURLToPath(new URL(`../${folder}/main.js`, import.meta.url));
  // Detached: a Ctrl-C in the terminal must reach it once, from us.
  const child = spawn(process.execPath, [...nodeFlags(name), main, ...args], {
    detached: true,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
      resolve();
    });
  });
}

function parseNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

function parseUrls(text: string): string[] {
  const urls = text
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  if (urls.length === 0) throw new InvalidArgumentError('expected at least one URL');
  return urls;
}

function describe(error: unknown): string {
  if (error instanceof ApiRefusal) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}
