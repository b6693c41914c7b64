// In which order a Temporal server is looked for, and what is said when there is none.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  findOnPath,
  resolveTemporal,
  TemporalMissing,
  temporalCacheDir,
} from '../../shared/io/temporal-binary.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miroir-binary-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, mode = 0o755): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, mode);
  return path;
}

test('an address comes before everything', async () => {
  const env = { TEMPORAL_ADDRESS: 'temporal:7233', MIROIR_TEMPORAL_BIN: program('own/temporal') };
  expect(await resolveTemporal({ env })).toEqual({
    kind: 'address',
    address: 'temporal:7233',
    from: 'TEMPORAL_ADDRESS',
  });
});

test('then MIROIR_TEMPORAL_BIN, then PATH, then the cache folder', async () => {
  const own = program('own/temporal');
  const onPath = program('bin/temporal');
  const kept = program('cache/temporal');
  const cacheDir = join(folder, 'cache');
  const PATH = join(folder, 'bin');
  const find = async (env: NodeJS.ProcessEnv) => resolveTemporal({ env, cacheDir, fetch: false });
  expect(await find({ MIROIR_TEMPORAL_BIN: own, PATH })).toMatchObject({
    path: own,
    from: 'MIROIR_TEMPORAL_BIN',
  });
  expect(await find({ PATH })).toMatchObject({ path: onPath, from: 'PATH' });
  expect(await find({ PATH: join(folder, 'empty') })).toMatchObject({ path: kept, from: 'cache' });
});

test('a MIROIR_TEMPORAL_BIN that is no program is an error, not passed over', async () => {
  const env = { MIROIR_TEMPORAL_BIN: program('own/temporal', 0o644), PATH: '' };
  if (process.getuid?.() === 0) chmodSync(env.MIROIR_TEMPORAL_BIN, 0o600);
  await expect(resolveTemporal({ env })).rejects.toThrow(/MIROIR_TEMPORAL_BIN is .*not an executable file/);
});

test('without any, the message says what to do', async () => {
  const failure = await resolveTemporal({
    env: { PATH: '' },
    cacheDir: join(folder, 'none'),
    fetch: false,
  }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TemporalMissing);
  for (const part of ['brew install temporal', 'go install', 'MIROIR_TEMPORAL_BIN', 'TEMPORAL_ADDRESS']) {
    expect((failure as Error).message).toContain(part);
  }
});

test('a file that is not executable on PATH is passed over', async () => {
  program('first/tool', 0o644);
  const second = program('second/tool');
  const PATH = `${join(folder, 'first')}:${join(folder, 'second')}`;
  expect(await findOnPath('tool', { PATH })).toBe(second);
  expect(await findOnPath('other', { PATH })).toBeNull();
});

test('the cache folder follows XDG_CACHE_HOME', () => {
  expect(temporalCacheDir({ XDG_CACHE_HOME: '/var/cache' })).toBe(join('/var/cache', 'miroir', 'temporal'));
});
