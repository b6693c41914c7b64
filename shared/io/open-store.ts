// Opens the state store that a URL names.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Store } from './store.js';
import type { SqlDriver } from './store-sql/driver.js';
import { openLibsql } from './store-sql/libsql-driver.js';
import { openPostgres } from './store-sql/postgres-driver.js';
import { createSqlStore } from './store-sql/sql-store.js';
import { connectStoreThread } from './thread-store.js';

export interface OpenOptions {
  /** With a thread of its own (the default) no call blocks this thread; without, every call does. */
  thread?: boolean;
  /** Hears that the store's thread has ended by itself: from then on every call is refused. */
  onLost?: (error: Error) => void;
}

/** What passes through the thread is short-lived and large; more room would only stay resident. */
const YOUNG_MB = 8;

/**
 * Opens the store at `sqlite:/path/to/file.db` or `postgres://user@host/database` and brings its schema up to date.
 * PostgreSQL's client is asynchronous and needs no thread.
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<Store> {
  const path = sqlitePath(url);
  if (path === null || options.thread === false) return openHere(openDriver(url));
  mkdirSync(dirname(path), { recursive: true });
  const thread = new Worker(new URL('./store-thread.js', import.meta.url), {
    workerData: { path },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  let isOpen = false;
  const store = connectStoreThread(thread, (error) => {
    // While opening, the rejected call below says it.
    if (isOpen) options.onLost?.(error);
  });
  await store.readStreams();
  isOpen = true;
  return store;
}

/** The driver of a store's URL, as the database is: nothing is migrated. */
export function openDriver(url: string): SqlDriver {
  const path = sqlitePath(url);
  if (path === null) return openPostgres(url);
  mkdirSync(dirname(path), { recursive: true });
  return openLibsql(path);
}

/** The path of a SQLite store, null for PostgreSQL; throws for anything else. */
export function sqlitePath(url: string): string | null {
  if (/^postgres(ql)?:\/\//.test(url)) return null;
  const path = /^sqlite:(.+)$/.exec(url)?.[1];
  if (path !== undefined) return path;
  throw new Error(
    `storeUrl begins with "${url.split(':')[0]}:", which names no state store: use sqlite:/path/to/miroir.db or postgres://user@host/database`,
  );
}

async function openHere(driver: SqlDriver): Promise<Store> {
  try {
    return await createSqlStore(driver);
  } catch (error) {
    await driver.close();
    throw error;
  }
}
