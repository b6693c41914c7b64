// Finds a Temporal to use: an existing server's address, or the path of a server binary, fetched once if need be.
import { spawn } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The version that `go install` builds; later ones carry a replace directive and refuse. */
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const DOWNLOAD_DEADLINE_MS = 120_000;

export type TemporalChoice =
  | { kind: 'address'; address: string; from: 'TEMPORAL_ADDRESS' }
  | {
      kind: 'binary';
      path: string;
      from: 'MIROIR_TEMPORAL_BIN' | 'PATH' | 'cache' | 'download' | 'go install';
    };

export interface ResolveTemporalOptions {
  env?: NodeJS.ProcessEnv;
  /** Where a fetched binary is kept; the user's cache folder by default. */
  cacheDir?: string;
  /** False stops before anything is fetched or built. */
  fetch?: boolean;
  progress?: (line: string) => void;
}

/** No Temporal was found and none could be fetched; the message says what to do. */
export class TemporalMissing extends Error {
  constructor(reasons: string[]) {
    super(
      [
        'No Temporal server was found and none could be fetched.',
        ...reasons.map((reason) => `  - ${reason}`),
        `Install one (\`brew install temporal\`, or \`go install ${GO_PACKAGE}\`),`,
        'or set MIROIR_TEMPORAL_BIN to a `temporal` binary, or TEMPORAL_ADDRESS to a server that runs already.',
      ].join('\n'),
    );
    this.name = 'TemporalMissing';
  }
}

/** The folder where a fetched Temporal binary is kept. */
export function temporalCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'miroir', 'temporal');
}

/** Decides which Temporal to use, in the documented order. Throws TemporalMissing. */
export async function resolveTemporal(options: ResolveTemporalOptions = {}): Promise<TemporalChoice> {
  const env = options.env ?? process.env;
  const progress = options.progress ?? (() => {});
  if (env.TEMPORAL_ADDRESS) {
    return { kind: 'address', address: env.TEMPORAL_ADDRESS, from: 'TEMPORAL_ADDRESS' };
  }
  if (env.MIROIR_TEMPORAL_BIN) {
    if (await isExecutable(env.MIROIR_TEMPORAL_BIN)) {
      return { kind: 'binary', path: env.MIROIR_TEMPORAL_BIN, from: 'MIROIR_TEMPORAL_BIN' };
    }
    throw new TemporalMissing([
      `MIROIR_TEMPORAL_BIN is ${env.MIROIR_TEMPORAL_BIN}, which is not an executable file`,
    ]);
  }
  const onPath = await findOnPath('temporal', env);
  if (onPath) return { kind: 'binary', path: onPath, from: 'PATH' };
  const cacheDir = options.cacheDir ?? temporalCacheDir(env);
  const kept = join(cacheDir, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
  if (await isExecutable(kept)) return { kind: 'binary', path: kept, from: 'cache' };
  if (options.fetch === false) throw new TemporalMissing([`nothing on PATH and nothing at ${kept}`]);
  const reasons: string[] = ['nothing on PATH, nothing in the cache folder'];
  for (const [from, fetchInto] of [
    ['download', downloadInto],
    ['go install', goInstallInto],
  ] as const) {
    try {
      await fetchInto(kept, cacheDir, env, progress);
      return { kind: 'binary', path: kept, from };
    } catch (error) {
      reasons.push(`${from}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  throw new TemporalMissing(reasons);
}

/** The first executable of that name on PATH, or null. */
export async function findOnPath(name: string, env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const candidate = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

type FetchInto = (
  kept: string,
  cacheDir: string,
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
) => Promise<void>;

/** The SDK's own download. It deletes an expired file before it fetches again, so the file is moved away from it. */
const downloadInto: FetchInto = async (kept, cacheDir, _env, progress) => {
  const testing = await import('@temporalio/testing').catch(() => null);
  if (!testing) throw new Error('the package @temporalio/testing is not installed');
  await mkdir(cacheDir, { recursive: true });
  const downloadDir = await mkdtemp(join(cacheDir, 'download-'));
  progress('Temporal: downloading the server ...');
  try {
    const started = testing.TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'cached-download', downloadDir, ttl: '365 days' } },
    }).then((environment) => environment.teardown());
    await within(started, DOWNLOAD_DEADLINE_MS, 'the download took too long');
    const [file] = await readdir(downloadDir);
    if (!file) throw new Error('the download left no file');
    await chmod(join(downloadDir, file), 0o755);
    await rename(join(downloadDir, file), kept);
  } finally {
    await rm(downloadDir, { recursive: true, force: true });
  }
};

const goInstallInto: FetchInto = async (kept, cacheDir, env, progress) => {
  const go = await findOnPath('go', env);
  if (!go) throw new Error('Go is not installed');
  const version = /go(\d+)\.(\d+)/.exec(await run(go, ['version'], env, () => {}));
  if (!version || Number(version[1]) < 1 || (Number(version[1]) === 1 && Number(version[2]) < 23)) {
    throw new Error(`Go 1.23 or newer is needed, found ${version?.[0] ?? 'an unknown version'}`);
  }
  await mkdir(cacheDir, { recursive: true });
  const buildDir = await mkdtemp(join(cacheDir, 'build-'));
  const startedAt = performance.now();
  const elapsedSeconds = () => Math.round((performance.now() - startedAt) / 1_000);
  progress(`Temporal: building the server once with \`go install ${GO_PACKAGE}\` (about 4 minutes) ...`);
  const ticker = setInterval(() => progress(`Temporal: still building, ${elapsedSeconds()} s ...`), 15_000);
  try {
    await run(go, ['install', GO_PACKAGE], { ...env, GOBIN: buildDir }, progress);
    const built = join(buildDir, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
    await rename(built, kept);
    progress(`Temporal: built in ${elapsedSeconds()} s, kept as ${kept}`);
  } finally {
    clearInterval(ticker);
    await rm(buildDir, { recursive: true, force: true });
  }
};

function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-4_000);
      if (/error|cannot|fail/i.test(chunk)) progress(`Temporal: ${chunk.trim().split('\n')[0]}`);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${args[0]} ended with ${code}: ${errors.trim().split('\n').at(-1) ?? ''}`));
    });
  });
}

async function within<T>(promise: Promise<T>, deadlineMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
