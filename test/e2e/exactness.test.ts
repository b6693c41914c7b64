// A short `npm run exactness`: fleets of the engine, or of real Meilisearch where there is one, answer as one node does.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const MAIN = resolve(import.meta.dirname, '../../dist/bench/exactness/main.js');
const folder = mkdtempSync(join(tmpdir(), 'miroir-exactness-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  tallies: { class: string; queries: number; hits: number; notSupported: number; unexpected: number }[];
  classes: { name: string; notExact: string | null }[];
  failures: string[];
}

function run(args: readonly string[]): Promise<{ code: number; text: string }> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, ...args], { maxBuffer: 64e6 }, (_error, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, text: stdout + stderr }),
    );
  });
}

describe('npm run exactness, short', () => {
  it('finds identical hits in every exact class', { timeout: 240_000 }, async () => {
    const json = join(folder, 'report.json');
    const args = ['--documents', '600', '--queries', '4', '--fleets', '3', '--rf', '2', '--skew', 'bad'];
    const { code, text } = await run([...args, '--json', json]);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report.failures, text).toEqual([]);
    expect(code, text).toBe(0);
    const compared = report.tallies.filter(({ queries }) => queries > 0);
    expect(compared.length).toBeGreaterThan(45);
    for (const name of ['common word', 'errors', 'geo ascending', 'folded ids', 'formatted'])
      expect(
        compared.find((tally) => tally.class === name),
        name,
      ).toMatchObject({ unexpected: 0 });
  });

  it('refuses options that it does not know', async () => {
    const { code, text } = await run(['--class', 'nothing']);
    expect(code).toBe(2);
    expect(text).toContain('there is no class nothing; there are: common word');
  });
});
