import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAdminKey, findNodeKey } from '../../ctl/credentials.js';
import { CommandFailure, EXIT } from '../../ctl/exit.js';

let home: string;
let warnings: string[];
const warn = (message: string) => warnings.push(message);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'miroir-credentials-'));
  warnings = [];
});
afterEach(() => rmSync(home, { recursive: true }));

function writeDefault(text: string): void {
  mkdirSync(join(home, '.config/miroir'), { recursive: true });
  writeFileSync(join(home, '.config/miroir/credentials'), text);
}

describe('findAdminKey', () => {
  it('takes the environment first, then the file, then the flag', () => {
    writeDefault('admin_api_key: from-file\n');
    const env = { HOME: home, MIROIR_ADMIN_API_KEY: 'from-env' };
    expect(findAdminKey(env, 'from-flag', warn)).toBe('from-env');
    expect(findAdminKey({ HOME: home }, 'from-flag', warn)).toBe('from-file');
    rmSync(join(home, '.config'), { recursive: true });
    expect(findAdminKey({ HOME: home }, 'from-flag', warn)).toBe('from-flag');
    expect(findAdminKey({ HOME: home }, undefined, warn)).toBeNull();
  });

  it('warns that the flag shows in the process list, and only then, and never prints a key', () => {
    findAdminKey({ HOME: home, MIROIR_ADMIN_API_KEY: 'secret-1' }, undefined, warn);
    expect(warnings).toEqual([]);
    findAdminKey({ HOME: home }, 'secret-2', warn);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('process list');
    expect(warnings[0]).not.toContain('secret');
  });

  it('reads the file that MIROIR_CREDENTIALS_FILE names instead of the default one', () => {
    writeDefault('admin_api_key: default');
    const file = join(home, 'other');
    writeFileSync(file, '# mine\nadmin_api_key: other\n');
    expect(findAdminKey({ HOME: home, MIROIR_CREDENTIALS_FILE: file }, undefined, warn)).toBe('other');
    const missing = { HOME: home, MIROIR_CREDENTIALS_FILE: join(home, 'missing') };
    expect(() => findAdminKey(missing, undefined, warn)).toThrow(/cannot read the credentials file/);
  });

  it.each([
    ['admin_api_key: abc', 'abc'],
    ['admin_api_key: "a: b"', 'a: b'],
    ['admin_api_key = abc', 'abc'],
    ['[default]\nadmin_api_key="abc"', 'abc'],
    ['other: 1', null],
    ['', null],
  ])('understands %j', (text, key) => {
    writeDefault(text);
    expect(findAdminKey({ HOME: home }, undefined, warn)).toBe(key);
  });

  it.each(['just-the-key-itself', 'admin_api_key: 123456789012345678901234567890', ': [secret', '- secret'])(
    'refuses %j without repeating it',
    (text) => {
      writeDefault(text);
      let failure: unknown;
      try {
        findAdminKey({ HOME: home }, undefined, warn);
      } catch (error) {
        failure = error;
      }
      expect(failure).toBeInstanceOf(CommandFailure);
      expect((failure as CommandFailure).exitCode).toBe(EXIT.usage);
      expect((failure as CommandFailure).message).not.toMatch(/secret|just-the-key|1234/);
    },
  );
});

describe('findNodeKey', () => {
  it('prefers the file, then MIROIR_NODE_KEY', () => {
    const file = join(home, 'key');
    writeFileSync(file, 'from-file\n');
    expect(findNodeKey({ MIROIR_NODE_KEY: 'from-env' }, file)).toBe('from-file');
    expect(findNodeKey({ MIROIR_NODE_KEY: 'from-env' }, undefined)).toBe('from-env');
    expect(findNodeKey({}, undefined)).toBeNull();
  });

  it('refuses an empty or missing file', () => {
    writeFileSync(join(home, 'empty'), ' \n');
    expect(() => findNodeKey({}, join(home, 'empty'))).toThrow(/is empty/);
    expect(() => findNodeKey({}, join(home, 'missing'))).toThrow(/cannot read/);
  });
});
