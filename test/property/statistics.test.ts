// Searches that gather statistics while writes go on, in any order of what each waits for: none is ranked by statistics
// of an older state than the position that it claims.
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StatisticsCache } from '../../proxy/search/statistics-cache.js';

/** Everything that searches and tasks wait for, let go in an order of the test's choice. */
class Waiting {
  private readonly queue: (() => void)[] = [];
  wait = (): Promise<void> => new Promise((resolve) => this.queue.push(resolve));
  async release(choice: number): Promise<void> {
    this.queue.splice(choice % Math.max(1, this.queue.length), 1)[0]?.();
    await turn();
  }
  async drain(): Promise<void> {
    while (this.queue.length > 0) await this.release(0);
  }
}

async function run(steps: readonly (string | number)[]): Promise<{ hit: number }> {
  const waiting = new Waiting();
  // Nodes have a task before it succeeds; the position follows.
  let state = 0;
  let position = 0;
  const cache = new StatisticsCache(async () => {
    await waiting.wait();
    return position;
  });
  const gather = async () => {
    await waiting.wait();
    const seen = state;
    await waiting.wait();
    return seen;
  };
  const search = async (key: string, succeeded: number) => {
    const claimed = (await cache.readPosition(1))!;
    const { value } = await cache.get(1, claimed, key, gather);
    expect(value).toBeGreaterThanOrEqual(claimed);
    // And what has succeeded before a search begins is in its statistics.
    expect(claimed).toBeGreaterThanOrEqual(succeeded);
  };
  const task = async () => {
    await waiting.wait();
    const own = ++state;
    await waiting.wait();
    position = Math.max(position, own);
  };
  const running: Promise<void>[] = [];
  for (const step of steps) {
    if (typeof step === 'number') await waiting.release(step);
    else running.push(step === 'task' ? task() : search(step, position));
  }
  await waiting.drain();
  await Promise.all(running);
  return cache.lookups;
}

it('statistics are never of an older state than the position that a search claims', async () => {
  const step = fc.oneof(fc.constantFrom('task', 'red', 'blue'), fc.nat(9), fc.nat(9));
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      hits += (await run(steps)).hit;
    }),
    { numRuns: 300 },
  );
  expect(hits).toBeGreaterThan(0);
});
