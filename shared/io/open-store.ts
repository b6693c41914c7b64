// Opens the state store that a URL names.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StaleGeneration, StateConflict, type Store } from './store.js';
import { openLibsql } from './store-sql/libsql-driver.js';
import { createSqlStore } from './store-sql/sql-store.js';
import type { StoreAnswer, StoreCall } from './store-thread.js';

/**
 * Opens the store at `sqlite:/path/to/file.db` and brings its schema up to date. With `thread` (the default) every
 * call runs in a worker thread of its own; without, on this thread, which blocks it.
 */
export async function openStore(url: string, options: { thread?: boolean } = {}): Promise<Store> {
  const match = /^sqlite:(.+)$/.exec(url);
  if (!match) {
    const scheme = url.split(':')[0];
    throw new Error(
      `storeUrl begins with "${scheme}:", which is not supported yet: use sqlite:/path/to/miroir.db`,
    );
  }
  const path = match[1]!;
  mkdirSync(dirname(path), { recursive: true });
  if (options.thread === false) return createSqlStore(openLibsql(path));
  return openThread(path);
}

async function openThread(path: string): Promise<Store> {
  const thread = new Worker(new URL('./store-thread.js', import.meta.url), { workerData: { path } });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  let closed: Error | null = null;

  const fail = (error: Error) => {
    closed ??= error;
    for (const call of waiting.values()) call.reject(error);
    waiting.clear();
  };
  thread.on('message', (answer: StoreAnswer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (waiting.size === 0) thread.unref();
    if ('error' in answer) call?.reject(revive(answer.error));
    else call?.resolve(answer.value);
  });
  thread.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  thread.on('exit', () => fail(new Error('the state store is closed')));

  const call = (method: keyof Store, args: unknown[]): Promise<unknown> => {
    if (closed) return Promise.reject(closed);
    return new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      thread.ref();
      thread.postMessage({ id, method, args } satisfies StoreCall);
    });
  };
  const store = new Proxy({} as Store, {
    // `then` must stay undefined, or awaiting the store would call it.
    get: (_target, method) =>
      typeof method === 'string' && method !== 'then'
        ? (...args: unknown[]) => call(method as keyof Store, args)
        : undefined,
  });
  await store.readStreams();
  return store;
}

function revive(error: { name: string; message: string; code: string | null }): Error {
  if (error.name === 'StateConflict') return new StateConflict(error.code ?? 'conflict', error.message);
  const revived = error.name === 'StaleGeneration' ? Object.create(StaleGeneration.prototype) : new Error();
  Object.defineProperties(revived, {
    message: { value: error.message, configurable: true, writable: true },
    name: { value: error.name, configurable: true, writable: true },
  });
  return revived as Error;
}
