// A client as users have them, with a time-out for each try: it asks one proxy, and another one when that gives no answer
// in time or refuses with 5xx. A proxy that gave no answer is left alone for a while, as a load balancer would.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../up/tour/random.js';

/** How long a proxy may take for one try; one that is stopped takes longer. */
const ANSWER_MS = 5_000;
/** Starting a change is not repeated lightly. */
const ADMIN_ANSWER_MS = 20_000;
/** How long a proxy is left alone that gave no answer. */
const AVOID_MS = 5_000;
/** How long a client goes on trying. */
const PATIENCE_MS = 90_000;

export interface Reply {
  status: number;
  headers: Headers;
  body: unknown;
  text: string;
}

/** No answer came: whatever was asked for may have happened, or may still happen. */
export class NoAnswer extends Error {}
/** No proxy gave an answer within the client's patience. */
export class GaveUp extends Error {}

export interface ClientTally {
  requests: number;
  /** Attempts that were made again, by what went wrong. */
  retries: Record<string, number>;
}

export class ChaosClient {
  readonly tally: ClientTally = { requests: 0, retries: {} };
  private readonly avoidedUntilMs = new Map<string, number>();

  constructor(
    /** The proxies that there are now. */
    private readonly proxies: () => string[],
    private readonly random: Random,
    /** The admin key, for a client of the admin API. */
    private readonly key: string | null = null,
  ) {}

  /** One attempt at one proxy. Throws NoAnswer after the deadline, and the connection's own error when it breaks. */
  async once(url: string, method: string, path: string, body?: unknown): Promise<Reply> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (this.key !== null) headers.authorization = `Bearer ${this.key}`;
    try {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(this.key !== null && method !== 'GET' ? ADMIN_ANSWER_MS : ANSWER_MS),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: JSON.parse(text), text };
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') throw new NoAnswer(`${method} ${path}: no answer`);
      throw error;
    }
  }

  /**
   * Asks until there is an answer below 500. With `isRead` false, a proxy that does not answer at all ends it with
   * NoAnswer, since what it was asked for may happen later. Throws GaveUp.
   */
  async ask(method: string, path: string, body?: unknown, isRead = method === 'GET'): Promise<Reply> {
    this.tally.requests += 1;
    const untilMs = performance.now() + PATIENCE_MS;
    let trouble = 'there is no proxy';
    let turn = this.random.below(1_000);
    while (performance.now() < untilMs) {
      const urls = this.wellProxies();
      const url = urls[turn++ % Math.max(1, urls.length)];
      if (url !== undefined) {
        try {
          const reply = await this.once(url, method, path, body);
          if (reply.status < 500) return reply;
          trouble = `${reply.status} ${(reply.body as { code?: string }).code}`;
        } catch (error) {
          this.avoidedUntilMs.set(url, performance.now() + AVOID_MS);
          if (error instanceof NoAnswer && !isRead) throw error;
          trouble = error instanceof NoAnswer ? 'no answer' : connectionTrouble(error);
        }
        this.tally.retries[trouble] = (this.tally.retries[trouble] ?? 0) + 1;
      }
      await sleep(50);
    }
    throw new GaveUp(`${method} ${path}: ${trouble}`);
  }

  /** The proxies that answered of late, or all where none did. */
  private wellProxies(): string[] {
    const urls = this.proxies();
    const well = urls.filter((url) => (this.avoidedUntilMs.get(url) ?? 0) <= performance.now());
    return well.length > 0 ? well : urls;
  }
}

function connectionTrouble(error: unknown): string {
  const cause = (error as { cause?: { code?: string } }).cause;
  return cause?.code ?? (error instanceof Error ? error.message : String(error));
}
