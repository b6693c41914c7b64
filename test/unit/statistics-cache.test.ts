// Statistics for BM25: gathered once while nothing is written, anew after a task, and never kept when they failed.
import { expect, it } from 'vitest';
import { StatisticsCache } from '../../proxy/search/statistics-cache.js';

function cacheAt(position: { value: number | null }) {
  const clock = { nowMs: 0 };
  const cache = new StatisticsCache(
    async () => position.value,
    () => clock.nowMs,
  );
  return { cache, clock };
}

it('gathers once while nothing is written, and anew after a task', async () => {
  const position = { value: 1 as number | null };
  const { cache, clock } = cacheAt(position);
  let gathered = 0;
  const read = () => cache.get('books', 1, 'words', async () => ++gathered);
  expect([await read(), await read()]).toEqual([1, 1]);
  position.value = 2;
  clock.nowMs = 5_000;
  expect(await read()).toBe(2);
  expect(cache.lookups).toEqual({ hit: 1, miss: 2 });
});

it('keeps nothing where the position is unknown, and no failure', async () => {
  const { cache } = cacheAt({ value: null });
  let gathered = 0;
  const read = () => cache.get('books', 1, 'words', async () => ++gathered);
  expect([await read(), await read()]).toEqual([1, 2]);
  const known = cacheAt({ value: 1 }).cache;
  await expect(known.get('books', 1, 'words', () => Promise.reject(new Error('lost')))).rejects.toThrow(
    'lost',
  );
  expect(await known.get('books', 1, 'words', async () => 7)).toBe(7);
});
