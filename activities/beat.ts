// Heartbeats and cancellation of an activity, as one small object that the steps receive.
import { Context } from '@temporalio/activity';

export interface Beat {
  signal: AbortSignal;
  /** Which try of this activity it is, from 1. */
  attempt: number;
  /** Says how far the work is; shown by Temporal and given to the next attempt. */
  report(details: unknown): void;
  sleep(ms: number): Promise<void>;
}

/** Runs `work` with a heartbeat of the last report every `intervalMs`. */
export async function withBeat<T>(intervalMs: number, work: (beat: Beat) => Promise<T>): Promise<T> {
  // Captured now: asking for the context inside a timer or an abort listener is too late.
  const context = Context.current();
  const signal = context.cancellationSignal;
  let details: unknown = null;
  const timer = setInterval(() => context.heartbeat(details), intervalMs);
  try {
    return await work({
      signal,
      attempt: context.info.attempt,
      report(next) {
        details = next;
        context.heartbeat(details);
      },
      async sleep(ms) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          const wake = () => {
            clearTimeout(pause);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          const pause = setTimeout(wake, ms);
          signal.addEventListener('abort', wake);
        });
        if (signal.aborted) throw await context.cancelled.catch((error: unknown) => error);
      },
    });
  } finally {
    clearInterval(timer);
  }
}
