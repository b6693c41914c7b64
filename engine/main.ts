// One engine as a process: `node dist/engine/main.js --db-path DIR --http-addr HOST:PORT`, with Meilisearch's names of
// flags and variables. Prints one line of JSON once it listens; SIGTERM stops it cleanly.
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildApp } from './app.js';
import { Engine } from './engine.js';

const STOP_GRACE_MS = 3_000;

export interface RunningEngine {
  url: string;
  close: () => Promise<void>;
}

/** Opens the folder and listens. */
export async function runEngine(argv: string[], env: NodeJS.ProcessEnv): Promise<RunningEngine> {
  const { values } = parseArgs({
    args: argv,
    strict: false,
    options: { 'db-path': { type: 'string' }, 'http-addr': { type: 'string' } },
  });
  const dbPath = (values['db-path'] as string | undefined) ?? env.MEILI_DB_PATH ?? './data.ms';
  const address = (values['http-addr'] as string | undefined) ?? env.MEILI_HTTP_ADDR ?? 'localhost:7700';
  const colon = address.lastIndexOf(':');
  const engine = await Engine.open({
    dbPath,
    masterKey: env.MEILI_MASTER_KEY || null,
    faults: env.MIROIR_ENGINE_FAULTS === '1',
  });
  const app = buildApp(engine);
  const url = await app.listen({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
  return {
    url,
    close: async () => {
      await app.close();
      await engine.close();
    },
  };
}

async function main(): Promise<void> {
  const running = await runEngine(process.argv.slice(2), process.env);
  const stop = () => {
    setTimeout(() => process.exit(1), STOP_GRACE_MS).unref(); // a stalled task must not hold the process
    running.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write(`${JSON.stringify({ listening: running.url })}\n`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  });
}
