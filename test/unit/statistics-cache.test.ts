// Statistics for BM25: gathered once at a position of the index, anew after a task, and never kept when they failed.
import { expect, it } from 'vitest';
import { StatisticsCache } from '../../proxy/search/statistics-cache.js';

it('gathers once at a position, and anew after a task', async () => {
  const cache = new StatisticsCache(async () => null);
  let gathered = 0;
  const read = (position: number, key = 'words') => cache.get(1, position, key, async () => ++gathered);
  expect(await read(1)).toEqual({ value: 1, cached: false });
  expect(await read(1)).toEqual({ value: 1, cached: true });
  expect(await read(2)).toEqual({ value: 2, cached: false });
  expect(await read(2, 'other words')).toEqual({ value: 3, cached: false });
  expect(cache.lookups).toEqual({ hit: 1, miss: 3 });
});

it('keeps nothing where the position is unknown, and no failure', async () => {
  const cache = new StatisticsCache(async () => null);
  let gathered = 0;
  const read = async () => (await cache.get(1, null, 'words', async () => ++gathered)).value;
  expect([await read(), await read()]).toEqual([1, 2]);
  await expect(cache.get(1, 5, 'words', () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  expect((await cache.get(1, 5, 'words', async () => 7)).value).toBe(7);
});
