// Configuration: the file, the environment over it, and errors that name the key and where it came from.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configFileOf, loadConfig } from '../../shared/io/config.js';
import { createLogger } from '../../shared/io/observe.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'miroir-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

describe('loadConfig', () => {
  it('works without a file', () => {
    const config = loadConfig({ cwd, env: {} });
    expect(config).toMatchObject({ clusterId: 'main', replicationFactor: 2, port: 7700, masterKey: null });
    expect(config.storeUrl).toBe(`sqlite:${join(config.dataDir, 'miroir.db')}`);
  });

  it('prefers the environment to the file', () => {
    writeFileSync(join(cwd, 'miroir.yml'), 'port: 7801\nreplicationFactor: 3\ndataDir: data\n');
    const config = loadConfig({
      cwd,
      env: { MIROIR_PORT: '7802', TEMPORAL_ADDRESS: 'temporal:7233', MIROIR_MASTER_KEY: 'k' },
    });
    expect(config).toMatchObject({
      port: 7802,
      replicationFactor: 3,
      temporalAddress: 'temporal:7233',
      masterKey: 'k',
      storeUrl: `sqlite:${join(cwd, 'data', 'miroir.db')}`,
    });
  });

  it('names every wrong key and where it came from', () => {
    const file = join(cwd, 'other.yml');
    writeFileSync(file, 'replicationFactor: none\nportt: 1\n');
    const load = () => loadConfig({ cwd, file, env: { MIROIR_LEASE_TTL_MS: '-5' } });
    expect(load).toThrow(`${file}: replicationFactor`);
    expect(load).toThrow(`${file}: unknown key portt`);
    expect(load).toThrow('MIROIR_LEASE_TTL_MS');
  });

  it('refuses a named file that is not there, and a file without keys', () => {
    expect(() => loadConfig({ cwd, env: { MIROIR_CONFIG: 'gone.yml' } })).toThrow('gone.yml');
    writeFileSync(join(cwd, 'miroir.yml'), '- a\n- b\n');
    expect(() => loadConfig({ cwd, env: {} })).toThrow('expected keys and values');
  });

  it('finds --config among the arguments', () => {
    expect(configFileOf(['--x', '--config', 'a.yml'])).toBe('a.yml');
    expect(configFileOf(['--config=b.yml'])).toBe('b.yml');
    expect(configFileOf([])).toBeUndefined();
    expect(() => configFileOf(['--config'])).toThrow('--config');
  });
});

describe('createLogger', () => {
  it('hides keys', () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'test', level: 'info' }, { write: (line) => void lines.push(line) });
    log.info({ masterKey: 's3cret', req: { headers: { authorization: 'Bearer s3cret' } } }, 'hello');
    log.info({ node: { adminKey: 's3cret', dataKey: 's3cret', url: 'http://n' } }, 'hello');
    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain('s3cret');
    expect(lines.join('')).toContain('http://n');
  });
});
