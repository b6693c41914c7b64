// The folder in which `miroir up` keeps everything: logs, databases, generated keys (readable by their owner only).
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openProcessLedger, type ProcessLedger } from './orphans.js';

export interface DataFolder {
  readonly path: string;
  logFile(name: string): string;
  /** Reads a stored secret, or generates and stores one. */
  secret(name: string): Promise<string>;
  /** What was started from here, for ending it after a crash. */
  readonly processes: ProcessLedger;
  /** Where `miroir-ctl` finds the admin key (MIROIR_CREDENTIALS_FILE). */
  readonly credentialsFile: string;
  writeCredentials(adminApiKey: string): Promise<void>;
  /** The URLs of the nodes that have joined the fleet once: one that is gone since then was taken out on purpose. */
  readJoined(): Promise<string[]>;
  rememberJoined(urls: string[]): Promise<void>;
  /** Frees the folder for the next `miroir up`. */
  release(): Promise<void>;
}

/** Opens the folder for one `miroir up` alone. Throws when another one that is alive has it. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = resolve(path);
  await mkdir(join(folder, 'logs'), { recursive: true });
  await mkdir(join(folder, 'secrets'), { recursive: true, mode: 0o700 });
  await claim(join(folder, 'up.pid'));
  return {
    path: folder,
    logFile: (name) => join(folder, 'logs', `${name}.log`),
    secret: (name) => readSecret(join(folder, 'secrets', name)),
    processes: openProcessLedger(join(folder, 'processes.json')),
    credentialsFile: join(folder, 'credentials'),
    writeCredentials: (key) =>
      writePrivately(join(folder, 'credentials'), `admin_api_key: ${JSON.stringify(key)}\n`),
    readJoined: () => readUrls(join(folder, 'joined.json')),
    rememberJoined: async (urls) => {
      const file = join(folder, 'joined.json');
      const all = new Set([...(await readUrls(file)), ...urls]);
      await writeFile(file, `${JSON.stringify([...all])}\n`);
    },
    release: () => rm(join(folder, 'up.pid'), { force: true }),
  };
}

/** Empties a folder that `miroir up` made before; refuses one that it did not make. */
export async function emptyDataFolder(path: string): Promise<void> {
  const folder = resolve(path);
  const marker = join(folder, 'throwaway');
  const { existsSync, readdirSync } = await import('node:fs');
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    if (!existsSync(marker))
      throw new Error(`${folder} is not empty and was not made by a tour: choose another folder`);
    const owner = await readPid(join(folder, 'up.pid'));
    if (owner !== null) throw new Error(`${folder} is in use by the process ${owner}`);
    await rm(folder, { recursive: true, force: true });
  }
  await mkdir(folder, { recursive: true });
  await writeFile(marker, 'The tour empties this folder when it starts.\n');
}

async function claim(pidFile: string): Promise<void> {
  const owner = await readPid(pidFile);
  if (owner !== null) {
    throw new Error(
      `another \`miroir up\` (process ${owner}) uses this data folder; stop it, or pass --data-dir`,
    );
  }
  await writeFile(pidFile, `${process.pid}\n`);
}

/** The pid in the file if that process is alive. */
async function readPid(pidFile: string): Promise<number | null> {
  let pid: number;
  try {
    pid = Number((await readFile(pidFile, 'utf8')).trim());
  } catch {
    return null;
  }
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return null;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : null;
  }
}

async function readUrls(file: string): Promise<string[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as string[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [];
  }
}

async function readSecret(file: string): Promise<string> {
  try {
    const stored = (await readFile(file, 'utf8')).trim();
    if (stored !== '') return stored;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = randomBytes(24).toString('base64url');
  await writePrivately(file, `${secret}\n`);
  return secret;
}

async function writePrivately(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  await chmod(file, 0o600);
}
