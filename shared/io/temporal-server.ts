// Starts a Temporal development server of our own on loopback and stops it again; or connects to an existing one.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { type ResolveTemporalOptions, resolveTemporal } from './temporal-binary.js';

/** Miroir's search attributes; unregistered ones would stall a workflow that sets them. */
export const SEARCH_ATTRIBUTES = {
  MiroirCluster: 'Keyword',
  MiroirOp: 'Keyword',
  MiroirPhase: 'Keyword',
  MiroirNodes: 'KeywordList',
} as const;

export interface StartTemporalOptions extends ResolveTemporalOptions {
  /** SQLite file that survives a restart; null keeps everything in memory. */
  dbFile: string | null;
  /** Preferred ports; 0 or one that is taken means any free one. */
  port?: number;
  /** null starts without the Web UI. */
  uiPort?: number | null;
  startDeadlineMs?: number;
  /** Passed on to `temporal server start-dev`. */
  extraArgs?: string[];
  /** Receives the server's own output. */
  log?: (chunk: string) => void;
}

export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string | null;
  /** The pid of our own server, or null when it is somebody else's. */
  readonly pid: number | null;
  /** How our own server was started, to recognise it later; empty for somebody else's. */
  readonly commandLine: string;
  /** Which one it is, for the start-up line. */
  readonly description: string;
  /** Settles when our own server ends by itself; never for somebody else's. */
  readonly ended: Promise<number | null>;
  /** Ends our own server in order; does nothing to somebody else's. */
  stop(): Promise<void>;
  /** Ends our own server at once. */
  kill(): void;
}

/** Uses the server at TEMPORAL_ADDRESS, else starts one. Throws TemporalMissing, or an error with the server's words. */
export async function startTemporal(options: StartTemporalOptions): Promise<TemporalServer> {
  const choice = await resolveTemporal(options);
  const deadlineMs = options.startDeadlineMs ?? 30_000;
  if (choice.kind === 'address') {
    await waitForTemporal(choice.address, deadlineMs);
    return {
      address: choice.address,
      uiUrl: null,
      pid: null,
      commandLine: '',
      description: `existing server (${choice.from})`,
      ended: new Promise(() => {}),
      stop: async () => {},
      kill: () => {},
    };
  }
  let failure: unknown;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      return await spawnServer(choice.path, choice.from, options, deadlineMs);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function spawnServer(
  path: string,
  from: string,
  options: StartTemporalOptions,
  deadlineMs: number,
): Promise<TemporalServer> {
  const port = await freePort(options.port ?? 0);
  const uiPort = options.uiPort === null ? null : await freePort(options.uiPort ?? 0);
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'warn'];
  args.push(...(uiPort === null ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)]));
  if (options.dbFile !== null) args.push('--db-filename', options.dbFile);
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES))
    args.push('--search-attribute', `${name}=${type}`);
  args.push(...(options.extraArgs ?? []));
  // Detached: a Ctrl-C in the terminal must reach us alone, so that workers drain before their server goes.
  const child = spawn(path, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      tail = (tail + chunk).slice(-2_000);
      options.log?.(chunk);
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      tail += error.message;
      resolve(null);
    });
    child.once('exit', (code) => resolve(code));
  });
  const address = `127.0.0.1:${port}`;
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const death = ended.then((code) => {
    throw new Error(`the Temporal server ended with ${code} while starting: ${tail.trim()}`);
  });
  death.catch(() => {});
  const kill = () => {
    if (!hasEnded) child.kill('SIGKILL');
  };
  try {
    await Promise.race([waitForTemporal(address, deadlineMs), death]);
    // With its port taken our server dies while the probe is answered by whatever listens there: it must outlive it.
    await Promise.race([sleep(250), death]);
  } catch (error) {
    kill();
    throw error;
  }
  return {
    address,
    uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`,
    pid: child.pid ?? null,
    commandLine: [path, ...args].join(' '),
    description: `own server (${from})`,
    ended,
    kill,
    stop: async () => {
      if (hasEnded) return;
      child.kill('SIGTERM');
      const timer = setTimeout(kill, 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Waits until a Temporal server answers at the address and its default namespace is there. */
export async function waitForTemporal(
  address: string,
  deadlineMs: number,
  namespace = 'default',
): Promise<void> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 2_000 });
      try {
        await connection.workflowService.getSystemInfo({});
        await connection.workflowService.describeNamespace({ namespace });
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (performance.now() > until) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`no Temporal server answers at ${address}: ${reason}`, { cause: error });
      }
      await sleep(100);
    }
  }
}

/** The preferred port of 127.0.0.1 if it is free, else any free one. 0 means no preference. */
export async function freePort(preferred: number): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? preferred;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen({ port, host: '127.0.0.1' }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : null));
    });
  });
}
