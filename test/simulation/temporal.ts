// What Temporal does for activities: each runs on some worker; when that one dies or is silent for too long another
// attempt begins elsewhere, while the first may still be asleep and wake up later.
import { ApplicationFailure } from '@temporalio/common';
import type { Beat } from '../../activities/beat.js';
import { runStep } from '../../activities/failures.js';
import { runStream } from '../../activities/stream/stream.js';
import type { NodeId } from '../../shared/core/topology.js';
import { Process } from './scheduler.js';
import { TIMES, type Worker, type World } from './world.js';

export type Activity<T> = (worker: Worker, beat: Beat) => Promise<T>;

/** An activity's polls are made rarer by this, for each costs processor time and no virtual one. */
const SLOWER = 6;
const STREAM_MS = 9_000;

export class Cancelled extends Error {}

/** One run of a workflow: what it awaits ends with it. */
export class Run {
  readonly process: Process;
  /** Set to cancel: what runs is told, and ends with Cancelled. */
  readonly cancelled = new Set<string>();

  constructor(
    readonly world: World,
    name: string,
  ) {
    this.process = new Process(name, world.scheduler);
  }

  /** Tries until it succeeds or cannot; `topic` names what may be cancelled. */
  async activity<T>(name: string, work: Activity<T>, topic?: string): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.attempt(attempt, work, topic);
      // The workflow hears of it a little later, or never when it has ended.
      await this.process.sleep(this.world.random.between(0, 5));
      if ('value' in outcome) return outcome.value;
      if (topic !== undefined && this.cancelled.has(topic)) throw new Cancelled(name);
      const { error } = outcome;
      if (error instanceof ApplicationFailure && error.nonRetryable) throw error;
      this.world.say(`${name} is tried again: ${(error as Error)?.message ?? String(error)}`);
      await this.process.sleep(Math.min(100 * 2 ** attempt, 1_500));
    }
  }

  private async attempt<T>(
    attempt: number,
    work: Activity<T>,
    topic: string | undefined,
  ): Promise<{ value: T } | { error: unknown }> {
    const worker = await this.pickWorker();
    const { process } = worker;
    const { scheduler, random } = this.world;
    const controller = new AbortController();
    return new Promise((resolve) => {
      const end = (outcome: { value: T } | { error: unknown }) => {
        process.onGone.delete(onGone);
        resolve(outcome);
      };
      const onGone = (untilMs: number) => {
        if (untilMs - scheduler.nowMs <= TIMES.heartbeatMs) return;
        scheduler.after(TIMES.heartbeatMs, null, () => end({ error: new Error('heartbeat timeout') }));
        // Whoever wakes up is told at its next heartbeat that it is not wanted any more, and goes on until then.
        if (untilMs < Number.POSITIVE_INFINITY)
          scheduler.after(untilMs - scheduler.nowMs, process, () =>
            scheduler.after(random.between(0, 3_000), process, () => controller.abort(new Cancelled('late'))),
          );
      };
      process.onGone.add(onGone);
      // It may have gone between being chosen and being watched.
      if (!process.isAwake()) onGone(process.alive ? process.asleepUntilMs : Number.POSITIVE_INFINITY);
      const beat: Beat = {
        signal: controller.signal,
        attempt,
        report: () => {
          if (topic !== undefined && this.cancelled.has(topic)) controller.abort(new Cancelled('cancelled'));
        },
        sleep: async (ms) => {
          if (topic !== undefined && this.cancelled.has(topic)) controller.abort(new Cancelled('cancelled'));
          controller.signal.throwIfAborted();
          await process.sleep(ms * SLOWER);
          controller.signal.throwIfAborted();
        },
      };
      runStep(() => work(worker, beat)).then(
        (value) => end({ value }),
        (error: unknown) => end({ error }),
      );
    });
  }

  private async pickWorker(): Promise<Worker> {
    for (;;) {
      const awake = this.world.workers.filter(({ process }) => process.isAwake());
      if (awake.length > 0) return this.world.random.pick(awake);
      await this.process.sleep(200);
    }
  }
}

/** Keeps the stream of a node running for as long as the node is in the topology. */
export async function keepStream(world: World, node: NodeId): Promise<void> {
  const run = new Run(world, `deliver ${node}`);
  for (let count = 0; ; count += 1) {
    const end = await run.activity(`the stream of ${node}`, (worker, beat) => {
      const endMs = world.scheduler.nowMs + STREAM_MS;
      return runStream(worker.deps, {
        node,
        holder: `${worker.process.name} ${count}`,
        signal: beat.signal,
        isOver: () => world.scheduler.nowMs > endMs,
        report: () => undefined,
      });
    });
    if (end === 'removed') return;
  }
}
