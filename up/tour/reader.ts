// The tour's reader: waits until a write's task has succeeded, and from then on a search must see it.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, ApiRefusal } from '../admin-api.js';
import { sorted } from './answers.js';
import type { Document, Model } from './model.js';

export interface ReadCounts {
  /** Documents that were looked up after their task had succeeded. */
  checked: number;
  /** Documents that a search did not show as last written. */
  stale: number;
  examples: string[];
}

const POLL_INTERVAL_MS = 50;
const MOST_DOCUMENTS = 20;

/** Starts reading after the writer; `stop` settles after the last look. */
export function startReader(options: { api: Api; indexUid: string; model: Model; counts: ReadCounts }): {
  stop(): Promise<void>;
} {
  let running = true;
  const loop = (async () => {
    while (running) {
      await sleep(POLL_INTERVAL_MS);
      try {
        await readLatest(options, () => running);
      } catch (error) {
        // An error is no stale answer; failed searches are the searcher's to count.
        if (!(error instanceof ApiRefusal) && !isConnectionError(error)) throw error;
      }
    }
  })();
  loop.catch(() => {});
  return {
    stop: async () => {
      running = false;
      await loop;
    },
  };
}

async function readLatest(
  { api, indexUid, model, counts }: { api: Api; indexUid: string; model: Model; counts: ReadCounts },
  isRunning: () => boolean,
): Promise<void> {
  if (model.latest === null) return;
  // A few are enough; a search shows at most pagination.maxTotalHits.
  const latest = { ...model.latest, ids: model.latest.ids.slice(0, MOST_DOCUMENTS) };
  const before = new Map(latest.ids.map((id) => [id, model.versionOf(id)]));
  const expected = new Map(latest.ids.map((id) => [id, model.documents.get(id)]));
  for (;;) {
    const task = await api.json<{ status: string }>('GET', `/tasks/${latest.taskUid}`);
    if (task.status === 'succeeded') break;
    if (task.status === 'failed' || !isRunning()) return;
    await sleep(POLL_INTERVAL_MS);
  }
  const filter = `id IN [${latest.ids.map((id) => `"${id}"`).join(', ')}]`;
  const body = { filter, limit: latest.ids.length };
  const answer = await api.json<{ hits: Document[] }>('POST', `/indexes/${indexUid}/search`, body);
  for (const id of latest.ids) {
    // Written again meanwhile, or just now: either state may be found.
    if (model.versionOf(id) !== before.get(id)) continue;
    counts.checked += 1;
    const found = asText(answer.hits.find((hit) => hit.id === id));
    const wanted = asText(expected.get(id));
    if (found === wanted) continue;
    counts.stale += 1;
    if (counts.examples.length < 5) {
      counts.examples.push(
        `task ${latest.taskUid} had succeeded, and a search showed ${found} instead of ${wanted}`,
      );
    }
  }
}

function asText(document: Document | undefined): string {
  return document === undefined
    ? 'no document'
    : JSON.stringify(sorted(document as Parameters<typeof sorted>[0]));
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Error && /^(ECONN|UND_ERR)/.test(String((error as NodeJS.ErrnoException).code));
}
