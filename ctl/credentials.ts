// The admin key: the environment first, then the credentials file, then --admin-key, which everyone who may list
// processes can read.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CommandFailure, EXIT } from './exit.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export function credentialsFile(env: Environment): string {
  if (env.MIROIR_CREDENTIALS_FILE) return env.MIROIR_CREDENTIALS_FILE;
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'miroir', 'credentials');
}

/** The admin key, or null when there is none. `warn` hears of what endangers a key. */
export function findAdminKey(
  env: Environment,
  flag: string | undefined,
  warn: (message: string) => void,
): string | null {
  if (flag !== undefined) {
    warn(
      '--admin-key shows in the process list and in the shell history; use MIROIR_ADMIN_API_KEY or the credentials file',
    );
  }
  if (env.MIROIR_ADMIN_API_KEY) return env.MIROIR_ADMIN_API_KEY;
  const file = credentialsFile(env);
  const text = readText(
    file,
    env.MIROIR_CREDENTIALS_FILE !== undefined && env.MIROIR_CREDENTIALS_FILE !== '',
  );
  const stored = text === null ? null : parseCredentials(text, file);
  return stored ?? flag ?? null;
}

function readText(file: string, required: boolean): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CommandFailure(
      `cannot read the credentials file ${file}: ${(error as Error).message}`,
      EXIT.usage,
    );
  }
}

/** `admin_api_key: ...` (YAML) or `admin_api_key = ...`. The file's content never appears in an error. */
function parseCredentials(text: string, file: string): string | null {
  const assigned = /^\s*admin_api_key\s*=\s*(["']?)(.*?)\1\s*$/m.exec(text);
  if (assigned) return assigned[2] || null;
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch {
    throw new CommandFailure(`the credentials file ${file} is neither YAML nor key = value`, EXIT.usage);
  }
  if (parsed === null || parsed === undefined) return null;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new CommandFailure(`the credentials file ${file} holds no \`admin_api_key: ...\``, EXIT.usage);
  }
  const key = (parsed as Record<string, unknown>).admin_api_key;
  if (key === undefined || key === null || key === '') return null;
  // A key of digits only is a number to YAML, and may have lost some of them.
  if (typeof key !== 'string') {
    throw new CommandFailure(`\`admin_api_key\` in ${file} must be a text: put it in quotes`, EXIT.usage);
  }
  return key;
}

/** The key that nodes are added with: MIROIR_NODE_KEY or a file, never an argument. */
export function findNodeKey(env: Environment, keyFile: string | undefined): string | null {
  if (keyFile === undefined) return env.MIROIR_NODE_KEY || null;
  const text = readText(keyFile, true)!.trim();
  if (text === '') throw new CommandFailure(`the key file ${keyFile} is empty`, EXIT.usage);
  return text;
}
