// Configuration: one YAML file, then MIROIR_* variables over it, checked as a whole. Errors name the key.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const durationMs = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const secret = z
  .string()
  .nullable()
  .default(null)
  .transform((value) => (value === '' ? null : value));

const schema = z.strictObject({
  /** `sqlite:/path/file.db`; by default miroir.db in the data folder. */
  storeUrl: z.string().min(1).optional(),
  dataDir: z.string().min(1).default(join(homedir(), '.miroir')),
  clusterId: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, hyphens and underscores, at most 64')
    .default('main'),
  replicationFactor: z.coerce.number().int().min(1).max(16).default(2),
  defaultShardCount: z.coerce.number().int().min(1).max(1024).default(64),
  host: z.string().min(1).default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(7700),
  /** What other machines reach this proxy at; shown with its lease. */
  publicUrl: z.url().optional(),
  /** Key that clients present; null leaves the fleet open, as in Meilisearch. */
  masterKey: secret,
  /** Key of the admin API; null falls back to the master key. */
  adminApiKey: secret,
  /** Admin key of nodes that were added without one of their own. */
  nodeMasterKey: secret,
  temporalAddress: z.string().min(1).default('127.0.0.1:7233'),
  temporalNamespace: z.string().min(1).default('default'),
  taskQueue: z.string().min(1).default('miroir'),
  leaseTtlMs: durationMs(3_000),
  leaseGraceMs: durationMs(1_000),
  searchDeadlineMs: durationMs(15_000),
  /** What a search does when no in-sync replica of a shard answers. */
  unavailable: z.enum(['error', 'partial']).default('error'),
  payloadLimitBytes: z.coerce.number().int().positive().default(104_857_600),
  heartbeatIntervalMs: durationMs(2_000),
  /** How long a moved shard's source is kept before it is deleted. */
  retentionMs: z.coerce.number().int().min(0).default(600_000),
  /** Moves at the same time, unless a change says otherwise. */
  concurrency: z.coerce.number().int().min(1).max(64).default(2),
  copyChunkDocuments: z.coerce.number().int().min(1).default(1_000),
  /** A node that takes no deliveries for so long leaves in-sync, so that tasks succeed without it. */
  demoteAfterMs: durationMs(3_000),
  /** How long one step of a move is tried again before the move needs attention. */
  stepDeadlineMs: durationMs(600_000),
  /** A node that is bad for so long is down, and healthy again after so long without a bad answer. */
  nodeDownAfterMs: durationMs(10_000),
  nodeRecoverAfterMs: durationMs(15_000),
  /** A node that is away for so long is lost, and its shards are copied elsewhere; 0 switches self-healing off. */
  healAfterMs: z.coerce.number().int().min(0).default(600_000),
  /** How often all replicas are compared; 0: only when asked. */
  verifyEveryMs: z.coerce.number().int().min(0).default(21_600_000),
  verifyDocumentsPerSecond: z.coerce.number().int().positive().default(10_000),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

type Parsed = z.output<typeof schema>;
export interface Config extends Parsed {
  storeUrl: string;
}

/** The configuration is wrong: each line of the message names a key and where it came from. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** `leaseTtlMs` is MIROIR_LEASE_TTL_MS; Temporal's own two variables keep their names. */
export function variableOf(key: string): string {
  if (key === 'temporalAddress') return 'TEMPORAL_ADDRESS';
  if (key === 'temporalNamespace') return 'TEMPORAL_NAMESPACE';
  return `MIROIR_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Takes `--config FILE` or `--config=FILE` out of program arguments. */
export function configFileOf(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--config') {
      const file = args[i + 1];
      if (file === undefined) throw new ConfigError('--config needs a file name');
      return file;
    }
    if (args[i]!.startsWith('--config=')) return args[i]!.slice('--config='.length);
  }
  return undefined;
}

function readConfigFile(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (parsed === null || parsed === undefined) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new ConfigError(`${file}: expected keys and values at the top level`);
  }
  return parsed as Record<string, unknown>;
}

/**
 * Reads the configuration. `file` must exist when it is given; otherwise MIROIR_CONFIG, else miroir.yml of the
 * current folder when there is one. Throws ConfigError.
 */
export function loadConfig(
  options: { file?: string; env?: Record<string, string | undefined>; cwd?: string } = {},
): Config {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const named = options.file ?? (env.MIROIR_CONFIG || undefined);
  const path = resolve(cwd, named ?? 'miroir.yml');
  const fromFile = named !== undefined || existsSync(path) ? readConfigFile(path) : {};

  const merged: Record<string, unknown> = { ...fromFile };
  const fromEnv = new Set<string>();
  for (const key of Object.keys(schema.shape)) {
    const value = env[variableOf(key)];
    if (value === undefined || value === '') continue;
    merged[key] = value;
    fromEnv.add(key);
  }
  const result = schema.safeParse(merged);
  if (!result.success) {
    const lines = result.error.issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${path}: unknown key ${key}`);
      const key = String(issue.path[0] ?? '');
      return [`${fromEnv.has(key) ? variableOf(key) : `${path}: ${key}`}: ${issue.message}`];
    });
    throw new ConfigError(`The configuration is not usable.\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
  const config = result.data;
  const dataDir = resolve(cwd, config.dataDir);
  return { ...config, dataDir, storeUrl: config.storeUrl ?? `sqlite:${join(dataDir, 'miroir.db')}` };
}
