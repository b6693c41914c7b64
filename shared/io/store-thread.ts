// The worker thread that holds the libsql connection, so that no store call blocks the thread that answers searches.
import { parentPort, workerData } from 'node:worker_threads';
import { StaleGeneration, StateConflict, type Store } from './store.js';
import { openLibsql } from './store-sql/libsql-driver.js';
import { createSqlStore } from './store-sql/sql-store.js';

export interface StoreCall {
  id: number;
  method: keyof Store;
  args: unknown[];
}
export type StoreAnswer =
  | { id: number; value: unknown }
  | { id: number; error: { name: string; message: string; code: string | null } };

const port = parentPort;
if (!port) throw new Error('store-thread runs as a worker thread only');
const opened = createSqlStore(openLibsql((workerData as { path: string }).path));

port.on('message', async (call: StoreCall) => {
  try {
    const store = await opened;
    const method = store[call.method] as (...args: unknown[]) => Promise<unknown>;
    port.postMessage({ id: call.id, value: await method(...call.args) } satisfies StoreAnswer);
    if (call.method === 'close') port.close();
  } catch (error) {
    const known = error instanceof StaleGeneration || error instanceof StateConflict;
    port.postMessage({
      id: call.id,
      error: {
        name: known ? error.name : 'StoreError',
        message: error instanceof Error ? error.message : String(error),
        code: error instanceof StateConflict ? error.code : null,
      },
    } satisfies StoreAnswer);
  }
});
