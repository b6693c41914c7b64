// One request over a pool and its whole answer. Pool.request would make a stream of each answer, which costs a search
// as much as all that Miroir does to it.
import type { Dispatcher, Pool } from 'undici';

export interface ExchangeLimits {
  signal?: AbortSignal;
  /** Time for the whole exchange. */
  deadlineMs?: number;
}

export interface Exchanged {
  status: number;
  body: Buffer;
}

/** Counts exchanges that are under way. */
export interface Load {
  inFlight: number;
}

/** Sends a request and gathers the answer. Rejects with the signal's reason, at the deadline, or as undici does. */
export function exchange(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  limits: ExchangeLimits,
  load: Load,
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const gathering = new Gathering(resolve, reject, limits, load);
    if (!gathering.isOver) pool.dispatch(options, gathering);
  });
}

/** undici's handlers in their older form: the newer one wraps it, and parses headers that nobody reads. */
class Gathering implements Dispatcher.DispatchHandler {
  isOver = false;
  private abort: ((reason?: Error) => void) | null = null;
  private stopReason: unknown = null;
  private status = 0;
  private readonly chunks: Buffer[] = [];
  private readonly timer: NodeJS.Timeout | null = null;
  private readonly onAbort: (() => void) | null = null;

  constructor(
    private readonly resolve: (answer: Exchanged) => void,
    private readonly reject: (error: unknown) => void,
    private readonly limits: ExchangeLimits,
    private readonly load: Load,
  ) {
    load.inFlight++;
    const { signal, deadlineMs } = limits;
    if (signal?.aborted) {
      this.stop(signal.reason);
      return;
    }
    if (signal !== undefined) {
      this.onAbort = () => this.stop(signal.reason);
      signal.addEventListener('abort', this.onAbort, { once: true });
    }
    if (deadlineMs !== undefined) {
      this.timer = setTimeout(() => this.stop(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    }
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.abort = abort;
    // It was given up while it waited for a connection.
    if (this.isOver) abort(asError(this.stopReason));
  }

  onHeaders(status: number): boolean {
    // An informational answer comes before the real one.
    if (status >= 200) this.status = status;
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.chunks.push(chunk);
    return true;
  }

  onComplete(): void {
    if (!this.end()) return;
    const body = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    this.resolve({ status: this.status, body });
  }

  onError(error: Error): void {
    if (this.end()) this.reject(error);
  }

  private stop(reason: unknown): void {
    if (!this.end()) return;
    this.stopReason = reason;
    this.reject(reason);
    this.abort?.(asError(reason));
  }

  /** False when it was over before. */
  private end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.load.inFlight--;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.onAbort !== null) this.limits.signal!.removeEventListener('abort', this.onAbort);
    return true;
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
