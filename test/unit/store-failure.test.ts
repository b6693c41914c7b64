// Outages of the state store: which errors are outages, that they keep their code over the thread, and that a thread
// that dies is noticed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'libsql';
import { afterEach, describe, expect, it } from 'vitest';
import { StateConflict } from '../../shared/io/store.js';
import { StoreUnavailable } from '../../shared/io/store-failure.js';
import { openLibsql } from '../../shared/io/store-sql/libsql-driver.js';
import { connectStoreThread } from '../../shared/io/thread-store.js';
import { type ProxyApp, send, startProxyApp } from '../support/proxy-app.js';

describe('the libsql driver', () => {
  it('names a full disk and a lock, keeps their codes and goes on afterwards', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'miroir-full-'));
    const driver = openLibsql(join(folder, 'x.db'));
    try {
      await driver.transaction('write', (tx) => tx.run('CREATE TABLE t (a)'));
      const overflow = driver.transaction('write', async (tx) => {
        await tx.all('PRAGMA busy_timeout = 50');
        await tx.all('PRAGMA max_page_count = 4');
        await tx.run('INSERT INTO t VALUES (zeroblob(100000))');
      });
      await expect(overflow).rejects.toMatchObject({
        name: 'StoreUnavailable',
        code: 'SQLITE_FULL',
        message: expect.stringMatching(/^The state store cannot be used: its disk is full/),
      });
      expect(await driver.transaction('read', (tx) => tx.all('SELECT count(*) AS n FROM t'))).toMatchObject([
        { n: 0 },
      ]);
      const other = new Database(join(folder, 'x.db'));
      other.exec('BEGIN IMMEDIATE');
      const locked = driver.transaction('write', (tx) => tx.run('INSERT INTO t VALUES (1)'));
      await expect(locked).rejects.toMatchObject({
        code: 'SQLITE_BUSY',
        message: expect.stringMatching(/another process keeps its file locked/),
      });
      other.close();
      const broken = driver.transaction('read', (tx) => tx.all('SELECT nothing FROM nowhere'));
      await expect(broken).rejects.toMatchObject({ name: 'SqliteError' });
    } finally {
      await driver.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the store thread', () => {
  const threads: Worker[] = [];
  const start = (code: string, onLost: (error: Error) => void) => {
    const thread = new Worker(`const { parentPort } = require('node:worker_threads');\n${code}`, {
      eval: true,
    });
    threads.push(thread);
    return connectStoreThread(thread, onLost);
  };
  afterEach(async () => {
    for (const thread of threads.splice(0)) await thread.terminate();
  });

  it('carries kinds and codes of errors', async () => {
    const store = start(
      `parentPort.on('message', ({ id, method }) => parentPort.postMessage({ id, error: method === 'readEpoch'
        ? { name: 'StoreUnavailable', message: 'busy', code: 'SQLITE_BUSY' }
        : { name: 'StateConflict', message: 'no', code: 'miroir_invalid_change' } }));`,
      () => {},
    );
    const busy = await store.readEpoch().catch((error: unknown) => error);
    expect(busy).toBeInstanceOf(StoreUnavailable);
    expect(busy).toMatchObject({ code: 'SQLITE_BUSY', message: 'busy' });
    const conflict = await store.readHead().catch((error: unknown) => error);
    expect(conflict).toBeInstanceOf(StateConflict);
    expect(conflict).toMatchObject({ code: 'miroir_invalid_change' });
  });

  it('refuses what waits and all that follows when it dies, and says so once', async () => {
    const lost: Error[] = [];
    const store = start("parentPort.on('message', () => { throw new Error('out of luck'); });", (error) =>
      lost.push(error),
    );
    await expect(store.readEpoch()).rejects.toThrow(/out of luck/);
    await expect(store.readHead()).rejects.toMatchObject({ code: 'STORE_STOPPED' });
    expect(lost).toHaveLength(1);
  });

  it('ends without a word when it is closed', async () => {
    const lost: Error[] = [];
    const ended = new Promise<void>((resolve) => {
      const store = start(
        "parentPort.on('message', ({ id }) => { parentPort.postMessage({ id, value: 1 }); parentPort.close(); });",
        (error) => lost.push(error),
      );
      threads[0]!.on('exit', () => resolve());
      void store.close();
    });
    await ended;
    expect(lost).toEqual([]);
  });
});

describe('the proxy', () => {
  let fleet: ProxyApp | null = null;
  afterEach(() => fleet?.stop());

  it('answers 503 with the sentence, and goes on when the store is back', async () => {
    fleet = await startProxyApp(null);
    const { appendEntry } = fleet.store;
    fleet.store.appendEntry = () => Promise.reject(new StoreUnavailable('SQLITE_FULL', 'The disk is full.'));
    expect(await send(fleet, 'POST', '/indexes', { uid: 'films' })).toMatchObject({
      status: 503,
      body: { code: 'miroir_store_unavailable', type: 'system', message: 'The disk is full.' },
    });
    fleet.store.appendEntry = appendEntry;
    expect((await send(fleet, 'POST', '/indexes', { uid: 'films' })).body.taskUid).toBe(0);
  });
});
