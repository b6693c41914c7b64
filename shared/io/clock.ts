// Time as step logic sees it: injected, so that the simulation runs the same code on a clock of its own.
import { setTimeout as wait } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds of a monotonic clock that goes on while the process is stopped. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

export const REAL_CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms) => wait(ms),
};
