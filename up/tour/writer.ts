// The tour's writer: adds, updates and deletes documents until it is told to stop, and records what was acknowledged.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../admin-api.js';
import type { Document, Model, Operation } from './model.js';
import type { Random } from './random.js';

export interface WriterOptions {
  api: Api;
  indexUid: string;
  model: Model;
  random: Random;
  /** Documents that it adds one after the other. */
  fresh: Document[];
  pauseMs: number;
  /** Waits while more tasks than this are unfinished, so that a slow machine is not buried under writes. */
  mostWaiting?: number;
}

export interface Writer {
  stop(): Promise<void>;
  /** Requests that got no acknowledgement at first and were sent again. */
  readonly retries: number;
}

const RETRY_DEADLINE_MS = 60_000;

/** Starts writing; `stop` settles after the last acknowledgement, and rejects when a write was refused for good. */
export function startWriter(options: WriterOptions): Writer {
  let running = true;
  let retries = 0;
  const loop = (async () => {
    const queue = [...options.fresh];
    while (running) {
      const operation = nextOperation(options, queue);
      options.model.begin(operation);
      const taskUid = await send(options, operation, () => {
        retries += 1;
      });
      options.model.acknowledge(operation, taskUid);
      await sleep(options.pauseMs);
      while (running && (await isBehind(options))) await sleep(50);
    }
  })();
  loop.catch(() => {});
  return {
    get retries() {
      return retries;
    },
    stop: async () => {
      running = false;
      await loop;
    },
  };
}

async function isBehind({ api, mostWaiting }: WriterOptions): Promise<boolean> {
  if (mostWaiting === undefined) return false;
  try {
    const path = '/tasks?statuses=enqueued,processing&limit=1';
    return (await api.json<{ total: number }>('GET', path)).total > mostWaiting;
  } catch {
    // The next write finds out what is wrong.
    return false;
  }
}

function nextOperation({ model, random }: WriterOptions, queue: Document[]): Operation {
  const known = [...model.documents.keys()];
  const choice = random.below(10);
  if (choice < 4 && queue.length > 0) {
    return { kind: 'add', documents: queue.splice(0, 1 + random.below(20)) };
  }
  if (choice < 8 || known.length < 1_000) {
    const documents = pickIds(known, 1 + random.below(10), random).map((id) => ({
      id,
      revision: model.requests,
      note: `revised ${random.below(1_000_000)}`,
    }));
    return { kind: 'update', documents };
  }
  return { kind: 'delete', ids: pickIds(known, 1 + random.below(4), random) };
}

function pickIds(known: string[], count: number, random: Random): string[] {
  return [...new Set(Array.from({ length: count }, () => random.pick(known)))];
}

/**
 * Sends until it is acknowledged. Sending again is safe: the writer has nothing else in flight, and each operation is
 * the same when it is done twice.
 */
async function send(
  { api, indexUid }: WriterOptions,
  operation: Operation,
  onRetry: () => void,
): Promise<number> {
  const path = `/indexes/${indexUid}/documents`;
  const until = performance.now() + RETRY_DEADLINE_MS;
  for (;;) {
    let trouble: string;
    try {
      const answer =
        operation.kind === 'delete'
          ? await api.send('POST', `${path}/delete-batch`, operation.ids)
          : await api.send(operation.kind === 'add' ? 'POST' : 'PUT', path, operation.documents);
      if (answer.status === 202) return (JSON.parse(answer.text) as { taskUid: number }).taskUid;
      trouble = `${answer.status} ${answer.text.slice(0, 300)}`;
      if (answer.status < 500) throw new WriteRefused(trouble);
    } catch (error) {
      if (error instanceof WriteRefused) throw error;
      trouble = error instanceof Error ? error.message : String(error);
    }
    onRetry();
    if (performance.now() > until) throw new WriteRefused(trouble);
    await sleep(100);
  }
}

class WriteRefused extends Error {
  constructor(trouble: string) {
    super(`a write was not acknowledged: ${trouble}`);
  }
}
