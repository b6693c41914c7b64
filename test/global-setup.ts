// Once per test run, for everything that needs real processes: builds dist and starts one Temporal server.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTemporal, type TemporalServer } from '../shared/io/temporal-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    temporalAddress: string;
  }
}

interface Shared {
  users: number;
  temporal: Promise<TemporalServer>;
}

// Vitest calls this once per project in one process; they share the build and the server.
const KEY = Symbol.for('miroir.test.global-setup');
const registry = globalThis as unknown as Record<symbol, Shared | undefined>;

function build(): void {
  if (process.env.MIROIR_TEST_SKIP_BUILD === '1') return;
  const cwd = resolve(import.meta.dirname, '..');
  for (const args of [
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
    ['dist/worker/bundle.js'],
  ]) {
    const result = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${args[0]} failed:\n${result.stdout}${result.stderr}`);
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // A chaos run by itself has been built, and kills a server of its own.
  if (process.env.MIROIR_CHAOS !== undefined) return async () => {};
  let shared = registry[KEY];
  if (shared === undefined) {
    build();
    shared = { users: 0, temporal: startTemporal({ dbFile: null, uiPort: null }) };
    registry[KEY] = shared;
  }
  shared.users++;
  const temporal = await shared.temporal;
  project.provide('temporalAddress', temporal.address);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    registry[KEY] = undefined;
    await temporal.stop();
  };
}
