// The tour's searcher: searches without pause through the proxy, and holds every answer against the reference node's.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../admin-api.js';
import { type Answer, comparable, describeDifference, isIncomplete } from './answers.js';
import type { SearchBody } from './queries.js';

export interface SearchCounts {
  sent: number;
  /** No answer, or an error. */
  failed: number;
  /** An answer that misses documents, or says that it is degraded. */
  incomplete: number;
  compared: number;
  identical: number;
  /** The first few troubles, for people. */
  troubles: string[];
}

export interface SearcherOptions {
  proxy: Api;
  reference: Api;
  indexUid: string;
  nextQuery: () => SearchBody;
  counts: SearchCounts;
  /** Hears of the first few troubles at once. */
  onTrouble?: (trouble: string) => void;
}

export function emptyCounts(): SearchCounts {
  return { sent: 0, failed: 0, incomplete: 0, compared: 0, identical: 0, troubles: [] };
}

/** Starts searching an index that nobody writes to; `stop` settles after the last answer. */
export function startSearcher(options: SearcherOptions & { pauseMs: number }): { stop(): Promise<void> } {
  let running = true;
  const known = new Map<string, Answer>();
  const loop = (async () => {
    while (running) {
      await searchOnce(options, options.nextQuery(), known);
      await sleep(options.pauseMs);
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

/** One search, compared with the reference. `known` keeps reference answers where they cannot change. */
export async function searchOnce(
  { proxy, reference, indexUid, counts, onTrouble }: SearcherOptions,
  query: SearchBody,
  known?: Map<string, Answer>,
): Promise<void> {
  const body = JSON.stringify(query);
  const path = `/indexes/${indexUid}/search`;
  counts.sent += 1;
  const note = (trouble: string) => {
    if (counts.troubles.length >= 10) return;
    counts.troubles.push(`${body}: ${trouble}`);
    onTrouble?.(`${body}: ${trouble}`);
  };
  let ours: Answer;
  let isDegraded: boolean;
  try {
    const answer = await proxy.send('POST', path, body);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text.slice(0, 300)}`);
    ours = JSON.parse(answer.text) as Answer;
    isDegraded = answer.headers['x-miroir-degraded'] !== undefined;
  } catch (error) {
    counts.failed += 1;
    note(error instanceof Error ? error.message : String(error));
    return;
  }
  const theirs = known?.get(body) ?? (await reference.json<Answer>('POST', path, body));
  known?.set(body, theirs);
  counts.compared += 1;
  if (isDegraded || isIncomplete(ours, theirs)) counts.incomplete += 1;
  if (comparable(ours) === comparable(theirs)) counts.identical += 1;
  else note(describeDifference(ours, theirs));
}
