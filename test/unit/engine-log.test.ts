// The embedded engine's durability: torn records, order, and that a rewritten log says the same.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Log, type LogRecord } from '../../engine/log.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'miroir-engine-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = () => join(directory, 'engine.log');
const record = (n: number, payload = ''): LogRecord => ({
  header: { kind: 'n', n },
  payload: Buffer.from(payload),
});

async function reopen(): Promise<{ log: Log; seen: [unknown, string][] }> {
  const seen: [unknown, string][] = [];
  const log = await Log.open(directory, ({ header, payload }) => seen.push([header.n, payload!.toString()]));
  return { log, seen };
}

describe('log', () => {
  test('replays concurrent appends in order', async () => {
    const { log } = await reopen();
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.append(record(n, `payload ${n}`))));
    await log.close();
    const again = await reopen();
    expect(again.seen).toEqual(Array.from({ length: 50 }, (_, n) => [n, `payload ${n}`]));
    await again.log.close();
  });

  test('ignores a torn last record, wherever it is torn, and goes on after it', async () => {
    const { log } = await reopen();
    await log.append(record(1, 'first'));
    const whole = readFileSync(path()).length;
    await log.append(record(2, 'second'));
    await log.close();
    const bytes = readFileSync(path());
    for (let length = whole; length < bytes.length; length++) {
      writeFileSync(path(), bytes.subarray(0, length));
      const torn = await reopen();
      expect(torn.seen).toEqual([[1, 'first']]);
      await torn.log.append(record(3));
      await torn.log.close();
      const after = await reopen();
      expect(after.seen).toEqual([
        [1, 'first'],
        [3, ''],
      ]);
      await after.log.close();
    }
  });

  test('ignores a record with a wrong checksum', async () => {
    const { log } = await reopen();
    await log.append(record(1));
    await log.append(record(2, 'abc'));
    await log.close();
    const bytes = readFileSync(path());
    truncateSync(path(), bytes.length - 1);
    appendFileSync(path(), 'X');
    const again = await reopen();
    expect(again.seen).toEqual([[1, '']]);
    await again.log.close();
  });

  test('is worth rewriting for many small records, and not again right after that', async () => {
    const { log } = await reopen();
    for (let n = 0; !log.worthRewriting; n++) {
      expect(n).toBeLessThan(10_000);
      await Promise.all(Array.from({ length: 100 }, () => log.append(record(n))));
    }
    expect(readFileSync(path()).length).toBeLessThan(1024 * 1024);
    await log.rewrite(() => [record(1)]);
    expect(log.worthRewriting).toBe(false);
    await log.close();
  });

  test('knows after reopening how much of it is history', async () => {
    const live = [record(1, 'x'.repeat(100_000))];
    let log = await Log.open(directory, () => {}, 50_000);
    await log.append(live[0]!);
    expect(log.worthRewriting).toBe(true);
    await log.rewrite(() => live);
    await log.close();
    log = await Log.open(directory, () => {}, 50_000);
    expect(log.worthRewriting).toBe(false);
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(record(n))));
    expect(log.worthRewriting).toBe(false);
    await log.close();
    log = await Log.open(directory, () => {}, 50_000);
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(record(n))));
    expect(log.worthRewriting).toBe(true);
    await log.close();
  });

  test('rewrites between appends', async () => {
    const { log } = await reopen();
    await log.append(record(1));
    const rewritten = log.rewrite(() => [record(10), record(11)]);
    await Promise.all([rewritten, log.append(record(12))]);
    await log.append(record(13));
    await log.close();
    const again = await reopen();
    expect(again.seen.map(([n]) => n)).toEqual([10, 11, 12, 13]);
    await again.log.close();
  });
});
