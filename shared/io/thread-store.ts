// The near side of the store's thread: a store whose calls travel to the thread and whose errors keep their kind.
import type { Worker } from 'node:worker_threads';
import { StaleGeneration, StateConflict, type Store } from './store.js';
import { StoreUnavailable } from './store-failure.js';

export interface StoreCall {
  id: number;
  method: keyof Store;
  args: unknown[];
}

export interface StoreFailure {
  name: string;
  message: string;
  code: string | null;
}

export type StoreAnswer = { id: number; value: unknown } | { id: number; error: StoreFailure };

interface WaitingCall {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** The store behind a thread. `onLost` hears once when the thread ends though nobody has closed the store. */
export function connectStoreThread(thread: Worker, onLost: (error: Error) => void): Store {
  const waiting = new Map<number, WaitingCall>();
  let nextId = 1;
  let closing = false;
  let ended: Error | null = null;

  const end = (reason: string) => {
    if (ended !== null) return;
    ended = new StoreUnavailable(
      'STORE_STOPPED',
      `The state store has stopped (${reason}); look for the task before you send the request again.`,
    );
    for (const call of waiting.values()) call.reject(ended);
    waiting.clear();
    if (!closing) onLost(ended);
  };
  thread.on('message', (answer: StoreAnswer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (waiting.size === 0) thread.unref();
    if ('error' in answer) call?.reject(reviveFailure(answer.error));
    else call?.resolve(answer.value);
  });
  thread.on('error', (error) => end(error instanceof Error ? error.message : String(error)));
  thread.on('exit', (code) => end(closing ? 'closed' : `its thread ended with ${code}`));

  const call = (method: keyof Store, args: unknown[]): Promise<unknown> => {
    if (ended !== null) return Promise.reject(ended);
    if (method === 'close') closing = true;
    return new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      thread.ref();
      thread.postMessage({ id, method, args } satisfies StoreCall, movedBuffers(method, args));
    });
  };
  return new Proxy({} as Store, {
    // `then` must stay undefined, or awaiting the store would call it.
    get: (_target, method) =>
      typeof method === 'string' && method !== 'then'
        ? (...args: unknown[]) => call(method as keyof Store, args)
        : undefined,
  });
}

/** Staged parts that have a buffer of their own are handed over, not copied: searches would wait for the copying. */
function movedBuffers(method: keyof Store, args: readonly unknown[]): ArrayBuffer[] {
  if (method !== 'stageParts') return [];
  const [, parts] = args as Parameters<Store['stageParts']>;
  return parts.flatMap(({ payload: { buffer, byteLength } }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

/** An error in a form that travels between threads. */
export function packFailure(error: unknown): StoreFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), code: null };
  const { code } = error as { code?: unknown };
  return { name: error.name, message: error.message, code: typeof code === 'string' ? code : null };
}

function reviveFailure({ name, message, code }: StoreFailure): Error {
  if (name === 'StateConflict') return new StateConflict(code ?? 'conflict', message);
  if (name === 'StoreUnavailable') return new StoreUnavailable(code ?? 'STORE_STOPPED', message);
  const revived: Error = name === 'StaleGeneration' ? Object.create(StaleGeneration.prototype) : new Error();
  Object.defineProperties(revived, {
    message: { value: message, configurable: true, writable: true },
    name: { value: name, configurable: true, writable: true },
    ...(code === null ? {} : { code: { value: code, configurable: true, enumerable: true } }),
  });
  return revived;
}
