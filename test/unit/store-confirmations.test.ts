// Confirming a group: the same as confirming its entries one by one, in a few statements however many they are.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { meilisearchError } from '../../shared/core/errors.js';
import type { SqlDriver, Tx } from '../../shared/io/store-sql/driver.js';
import { createSqlStore } from '../../shared/io/store-sql/sql-store.js';
import { DELETE_ALL, FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
});
afterEach(() => fleet.close());

/** The driver, and how many statements went through it. */
function countStatements(driver: SqlDriver): { driver: SqlDriver; count: () => number } {
  let count = 0;
  const counted = (tx: Tx): Tx => ({
    nowMs: tx.nowMs,
    all: (sql, params) => {
      count += 1;
      return tx.all(sql, params);
    },
    run: (sql, params) => {
      count += 1;
      return tx.run(sql, params);
    },
  });
  return {
    driver: { ...driver, transaction: (mode, work) => driver.transaction(mode, (tx) => work(counted(tx))) },
    count: () => count,
  };
}

it('takes a few statements more for many entries than for a few', async () => {
  await fleet.createIndex('books', [
    ['a', 'b'],
    ['a', 'b'],
  ]);
  const counted = countStatements(fleet.driver);
  const store = await createSqlStore(counted.driver);
  const confirmGroup = async (entries: number) => {
    const seqs: number[] = [];
    for (let at = 0; at < entries; at += 1) seqs.push(await fleet.write('books', at % 2));
    const before = counted.count();
    for (const node of ['a', 'b', 'c'])
      await store.confirmEntries(node, fleet.generations[node]!, seqs.at(-1)!, seqs.map(SUCCEEDED), true);
    expect(await fleet.status(seqs.at(-1)!)).toBe('succeeded');
    return counted.count() - before;
  };
  const few = await confirmGroup(2);
  expect(await confirmGroup(60)).toBeLessThanOrEqual(few + 12);
});

it('finishes what every replica of its shards has confirmed, up to the first of its index that is not', async () => {
  await fleet.createIndex('books', [
    ['a', 'b'],
    ['b', 'c'],
  ]);
  await fleet.createIndex('films', [['a', 'b']]);
  const written: { seq: number; uid: string; shard: number }[] = [];
  for (let at = 0; at < 60; at += 1) {
    const uid = at % 3 === 0 ? 'films' : 'books';
    const shard = at === 5 || at > 40 ? (uid === 'books' ? 1 : 0) : 0;
    written.push({ seq: await fleet.write(uid, shard), uid, shard });
  }
  const last = written.at(-1)!.seq;
  const finished = async () => {
    const statuses = await Promise.all(written.map(({ seq }) => fleet.status(seq)));
    return written.filter((_, at) => statuses[at] === 'succeeded');
  };
  await fleet.confirm('b', last);
  expect(await finished()).toEqual([]);
  await fleet.confirm('a', last);
  // Of the books up to the first in the shard that c holds too; of the films all.
  expect(await finished()).toEqual(written.filter(({ uid }, at) => uid === 'films' || at < 5));
  await fleet.confirm('c', written[45]!.seq);
  const open = written.findIndex(({ shard }, at) => shard === 1 && at > 45);
  expect(await finished()).toEqual(written.filter(({ uid }, at) => uid === 'films' || at < open));
  await fleet.confirm('c', last);
  expect(await finished()).toEqual(written);
});

it('fixes the outcome and the details of each entry of a group for itself', async () => {
  await fleet.createIndex('books', [['a', 'b']]);
  const [first, second] = [await fleet.write('books', 0), await fleet.write('books', 0)];
  const third = await fleet.append('books', DELETE_ALL);
  const counted = (deletedDocuments: number) => ({ ...SUCCEEDED(third), details: { deletedDocuments } });
  const failed = { ...FAILED(second), error: meilisearchError('invalid_document_geo_field', 'of node a') };
  const later = { ...failed, error: meilisearchError('invalid_document_geo_field', 'of node b') };
  await fleet.confirm('a', third, [SUCCEEDED(first), failed, counted(2)]);
  await fleet.confirm('b', third, [SUCCEEDED(first), later, counted(3)]);
  await fleet.confirm('c', third);
  const tasks = await Promise.all([first, second, third].map((seq) => fleet.store.readTask(seq)));
  expect(tasks.map((task) => task!.status)).toEqual(['succeeded', 'failed', 'succeeded']);
  expect(tasks.map((task) => task!.error?.message ?? null)).toEqual([null, 'of node a', null]);
  expect(tasks[2]!.outcomeDetails).toMatchObject({ deletedDocuments: 5 });
});
