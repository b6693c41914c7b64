// The worker thread that holds the libsql connection, so that no store call blocks the thread that answers searches.
import { parentPort, workerData } from 'node:worker_threads';
import type { Store } from './store.js';
import { nameStoreFailure } from './store-failure.js';
import { openLibsql } from './store-sql/libsql-driver.js';
import { createSqlStore } from './store-sql/sql-store.js';
import { packFailure, type StoreAnswer, type StoreCall } from './thread-store.js';

const port = parentPort;
if (!port) throw new Error('store-thread runs as a worker thread only');
const opened = open((workerData as { path: string }).path);
// Said in answer to the first call; unhandled, it would end the thread without a word.
opened.catch(() => {});

port.on('message', async (call: StoreCall) => {
  try {
    const store = await opened;
    const method = store[call.method] as (...args: unknown[]) => Promise<unknown>;
    port.postMessage({ id: call.id, value: await method(...call.args) } satisfies StoreAnswer);
    if (call.method === 'close') port.close();
  } catch (error) {
    port.postMessage({ id: call.id, error: packFailure(nameStoreFailure(error)) } satisfies StoreAnswer);
  }
});

async function open(path: string): Promise<Store> {
  return createSqlStore(openLibsql(path));
}
