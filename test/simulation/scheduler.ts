// Virtual time. Everything that a process waits for (a message, an answer, a pause) is an event at a virtual moment; one
// event at a time runs, and all that follows from it, before the next. A process that has died is never woken, one that
// is stopped gets its events when it goes on.
import type { Clock } from '../../shared/io/clock.js';
import type { Random } from './random.js';

interface Event {
  dueMs: number;
  order: number;
  owner: Process | null;
  run: () => void;
}

export class Scheduler {
  nowMs = 0;
  steps = 0;
  private order = 0;
  private readonly heap: Event[] = [];

  constructor(readonly random: Random) {}

  /** Runs something later: on behalf of a process, or of the world (a node, a message on its way). */
  after(ms: number, owner: Process | null, run: () => void): void {
    this.push({ dueMs: this.nowMs + Math.max(0, ms), order: this.order++, owner, run });
  }

  /** Carries the next event out and everything that follows at once; false when there is none. */
  async step(): Promise<boolean> {
    for (;;) {
      const event = this.pop();
      if (!event) return false;
      const { owner } = event;
      if (owner && !owner.alive) continue;
      if (owner && owner.asleepUntilMs > event.dueMs) {
        this.push({ ...event, dueMs: owner.asleepUntilMs });
        continue;
      }
      this.nowMs = Math.max(this.nowMs, event.dueMs);
      this.steps += 1;
      event.run();
      // All promises that the event has settled run before the loop turns.
      await new Promise<void>((resolve) => setImmediate(resolve));
      return true;
    }
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order);
}

/** A worker or proxy. It dies or is stopped between any two awaits. */
export class Process implements Clock {
  alive = true;
  asleepUntilMs = 0;
  /** Told when it dies (Infinity) or is stopped, until when. */
  readonly onGone = new Set<(untilMs: number) => void>();

  constructor(
    readonly name: string,
    readonly scheduler: Scheduler,
  ) {}

  nowMs(): number {
    return this.scheduler.nowMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.scheduler.after(ms, this, resolve));
  }

  isAwake(): boolean {
    return this.alive && this.asleepUntilMs <= this.scheduler.nowMs;
  }

  kill(): void {
    this.alive = false;
    for (const tell of [...this.onGone]) tell(Number.POSITIVE_INFINITY);
  }

  stop(ms: number): void {
    this.asleepUntilMs = Math.max(this.asleepUntilMs, this.scheduler.nowMs + ms);
    for (const tell of [...this.onGone]) tell(this.asleepUntilMs);
  }

  /** What a stopped process does once its time has come, also when that was changed. */
  wake(): void {
    this.asleepUntilMs = Math.min(this.asleepUntilMs, this.scheduler.nowMs);
  }
}
