// A searcher of the chaos run: an index that nobody writes to must give the same answers, to the byte, whatever
// happens to the fleet.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosClient, Reply } from './client.js';
import { GaveUp } from './client.js';

export interface SearchTally {
  sent: number;
  failed: string[];
  /** Fewer documents than there are, or an answer that says it is degraded. */
  incomplete: string[];
  wrong: string[];
  slowestMs: number;
}

const QUERIES = [
  { q: 'heron', limit: 20 },
  { q: 'heron', filter: 'color = red', limit: 100, facets: ['color'] },
  { q: 'number 7', sort: ['rank:desc'], limit: 15 },
  { q: '', filter: 'rank > 100', hitsPerPage: 10, page: 2 },
  { q: 'heorn', limit: 5, showRankingScore: true },
];

export class ChaosSearcher {
  readonly tally: SearchTally = { sent: 0, failed: [], incomplete: [], wrong: [], slowestMs: 0 };
  private slowestSinceMs = 0;
  private readonly expected: Record<string, unknown>[] = [];

  constructor(
    private readonly client: ChaosClient,
    private readonly index: string,
    private readonly pauseMs: number,
  ) {}

  /** Records the answers that every later one is held against. */
  async prepare(documents: number): Promise<void> {
    for (const query of QUERIES) {
      const answer = strip(await this.ask(query));
      this.expected.push(answer);
    }
    const first = this.expected[0]!;
    if (first.estimatedTotalHits !== documents)
      throw new Error(`the calm index answers ${JSON.stringify(first).slice(0, 300)}`);
  }

  async step(): Promise<void> {
    const turn = this.tally.sent % QUERIES.length;
    this.tally.sent += 1;
    const begun = performance.now();
    try {
      this.judge(await this.ask(QUERIES[turn]!), this.expected[turn]!);
    } catch (error) {
      if (!(error instanceof GaveUp)) throw error;
      this.tally.failed.push(error.message);
    }
    const tookMs = performance.now() - begun;
    this.tally.slowestMs = Math.max(this.tally.slowestMs, tookMs);
    this.slowestSinceMs = Math.max(this.slowestSinceMs, tookMs);
    await sleep(this.pauseMs);
  }

  /** How long the slowest search took since the last call. */
  takeSlowestMs(): number {
    const slowestMs = this.slowestSinceMs;
    this.slowestSinceMs = 0;
    return slowestMs;
  }

  /** Searches that did not end as they should. */
  faulty(): number {
    const { failed, incomplete, wrong } = this.tally;
    return failed.length + incomplete.length + wrong.length;
  }

  /** Attempts that had to be made again so far. */
  retries(): number {
    return Object.values(this.client.tally.retries).reduce((sum, count) => sum + count, 0);
  }

  private ask(query: object): Promise<Reply> {
    return this.client.ask('POST', `/indexes/${this.index}/search`, query, true);
  }

  private judge(reply: Reply, expected: Record<string, unknown>): void {
    const answer = strip(reply);
    const said = `${reply.status} ${JSON.stringify(answer).slice(0, 400)}`;
    if (reply.status !== 200) this.tally.failed.push(said);
    else if (reply.headers.has('x-miroir-degraded') || total(answer) < total(expected))
      this.tally.incomplete.push(said);
    else if (JSON.stringify(answer) !== JSON.stringify(expected)) this.tally.wrong.push(said);
  }
}

function total(answer: Record<string, unknown>): number {
  return Number(answer.estimatedTotalHits ?? answer.totalHits ?? 0);
}

function strip(reply: Reply): Record<string, unknown> {
  const { processingTimeMs: _time, requestUid: _uid, ...rest } = reply.body as Record<string, unknown>;
  return rest;
}
