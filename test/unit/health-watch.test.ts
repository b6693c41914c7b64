// When the watch over the fleet calls for a healing change, and what it says while it does not.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ActivityDeps, DEFAULT_ACTIVITY_OPTIONS } from '../../activities/deps.js';
import { type HealingCall, watchHealth } from '../../activities/health/watch.js';
import type { NodeHealth } from '../../shared/core/node-health.js';
import { REAL_CLOCK } from '../../shared/io/clock.js';
import { loadHash } from '../../shared/io/hash.js';
import type { ChangeKind, ChangeStatus } from '../../shared/io/store-changes.js';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
let hash: (text: string) => bigint;
beforeEach(async () => {
  hash = await loadHash();
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

function rowOf(node: string, more: Partial<NodeHealth>): NodeHealth {
  const now = Date.now();
  const good = { state: 'healthy' as const, badSinceMs: null, goodSinceMs: now - 60_000, reason: null };
  return { node, ...good, sinceMs: now - 60_000, observedAtMs: now, healedAway: false, ...more };
}

/** One look; nodes that are `away` do not answer. */
async function look(away: readonly string[]): Promise<HealingCall | null> {
  const answer = (id: string) => async () => {
    if (away.includes(id)) throw new Error(`node ${id} does not answer`);
  };
  const deps = {
    store: fleet.store,
    nodes: { client: async (id: string) => ({ json: answer(id) }) },
    hash,
    options: DEFAULT_ACTIVITY_OPTIONS,
    clock: REAL_CLOCK,
  } as unknown as ActivityDeps;
  const beat = {
    signal: new AbortController().signal,
    attempt: 1,
    report: () => undefined,
    sleep: async () => undefined,
  };
  let looks = 0;
  return watchHealth(deps, () => looks++ > 0, beat);
}

async function change(kind: ChangeKind, status: ChangeStatus, cause?: string): Promise<void> {
  const { store } = fleet;
  await store.openChange({ id: kind, kind, input: { kind, nodes: [], cause }, runId: kind });
  await store.setChangeStatus(kind, status);
}

describe('with a lost node', () => {
  beforeEach(async () => {
    const lost = {
      state: 'lost' as const,
      badSinceMs: Date.now() - 60_000,
      goodSinceMs: null,
      reason: 'gone',
    };
    await fleet.store.saveHealth([rowOf('a', {}), rowOf('b', lost), rowOf('c', {})]);
  });

  it('a healing change is called for', async () => {
    expect(await look(['b'])).toEqual({
      cause: '1 shards have too few replicas, for b is lost',
      lost: ['b'],
    });
  });

  it('nothing waits while a change heals, and says for what it waits where it does', async () => {
    await change('drain', 'paused');
    expect(await look(['b'])).toBeNull();
    expect(await fleet.store.readHealingPause()).toBe('the change drain is paused, and comes first');
    await fleet.store.setChangeStatus('drain', 'done');
    await change('heal', 'running');
    expect(await look(['b'])).toBeNull();
    expect(await fleet.store.readHealingPause()).toBeNull();
    await fleet.store.setChangeStatus('heal', 'needs-attention');
    await look(['b']);
    expect(await fleet.store.readHealingPause()).toBe('the change heal is needs-attention, and comes first');
  });
});

it('nothing waits for a node that is back once nothing is too much any more', async () => {
  await fleet.store.saveHealth([rowOf('a', {}), rowOf('b', {}), rowOf('c', {})]);
  await fleet.store.setHealedAway(['b'], true);
  await change('heal', 'done', 'b is back: what is too much goes');
  expect(await look([])).toBeNull();
  expect(await fleet.store.readHealingPause()).toBeNull();
  expect((await fleet.store.readHealth()).map(({ healedAway }) => healedAway)).toEqual([false, false, false]);
});
