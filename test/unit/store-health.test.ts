// What healing keeps in the state store, on both drivers: health, its pause, lost nodes and marked replicas.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
let books: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b']);
  books = await fleet.createIndex('books', [['a', 'b'], ['a']]);
});
afterEach(() => fleet?.close());

it('keeps the health of nodes, and why healing waits', async () => {
  const { store } = fleet;
  const row = {
    node: 'a',
    state: 'lost' as const,
    sinceMs: 1_800_000_000_001,
    badSinceMs: 1_800_000_000_000,
    goodSinceMs: null,
    observedAtMs: 1_800_000_000_002,
    reason: 'gone',
    healedAway: false,
  };
  await store.saveHealth([row, { ...row, node: 'nobody' }]);
  await store.setHealedAway(['a', 'b'], true);
  await store.saveHealth([row]);
  expect(await store.readHealth()).toEqual([{ ...row, healedAway: true }]);
  await store.saveHealingPause('no room');
  await store.saveHealingPause('still no room');
  expect(await store.readHealingPause()).toBe('still no room');
  await store.saveHealingPause(null);
  expect(await store.readHealingPause()).toBeNull();
});

it('takes a lost node out of in-sync but for what nobody else holds, until that is given up', async () => {
  const { store } = fleet;
  const generation = fleet.generations.a!;
  const alone = [{ indexUid: 'books', shard: 1 }];
  expect(await store.declareLoss('a', generation, 'was wiped')).toEqual(alone);
  expect(await store.declareLoss('a', generation, 'was wiped')).toEqual(alone);
  expect(await fleet.replicas('books', 0)).toEqual(['a:joined', 'b:in-sync']);
  expect(await store.readLoss('a')).toEqual({ reason: 'was wiped', accepted: false });
  await expect(store.acceptLoss('b', false)).rejects.toMatchObject({ name: 'StateConflict' });
  expect(await store.acceptLoss('a', false)).toEqual(alone);
  expect(await store.readLoss('a')).toEqual({ reason: 'was wiped', accepted: true });
  await store.finishRebuild('a', generation);
  expect(await store.readLoss('a')).toBeNull();
});

it('marks a wrong replica where another one remains', async () => {
  expect(await fleet.store.markReplica('b', books, 0, 'verify', 'a test')).toBe(true);
  expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:joined']);
  expect(await fleet.store.markReplica('a', books, 1, 'verify', 'a test')).toBe(false);
});
