// Edits of changes in the state store: made once, in one epoch, taken back as far as nobody has changed them since; and
// saved plans.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChangeRequest, editsOf } from '../../shared/core/change-edits.js';
import type { NewPlan } from '../../shared/io/store-plans.js';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c', 'd']);
  await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

const open = (id: string) => fleet.store.openChange({ id, kind: 'rebalance', input: {}, runId: id });

async function fields(id: string) {
  const { nodes } = await fleet.store.readTopology();
  const { state, zone, weight, placementKey } = nodes.find((node) => node.id === id)!;
  return { state, zone, weight, placementKey };
}

const ALL: ChangeRequest = {
  kind: 'rebalance',
  edits: {
    drain: ['a'],
    replace: [{ id: 'd', url: 'http://d.test:7700', replaces: 'b' }],
    set: [{ id: 'c', weight: 3, zone: 'x' }],
    replication: [
      { index: 'books', factor: 1 },
      { index: null, factor: 3 },
    ],
  },
};

describe('edits', () => {
  it('are made once, in one epoch', async () => {
    const { store } = fleet;
    await open('c1');
    const before = await store.readEpoch();
    await store.makeEdits('c1', editsOf(ALL));
    expect(await store.readEpoch()).toBe(before + 1);
    expect(await fields('a')).toMatchObject({ state: 'draining' });
    expect(await fields('b')).toMatchObject({ state: 'draining' });
    expect(await fields('c')).toEqual({ state: 'active', zone: 'x', weight: 3, placementKey: null });
    expect(await fields('d')).toMatchObject({ state: 'active', placementKey: 'b' });
    expect((await fleet.find('books'))!.replicationFactor).toBe(1);
    expect((await store.readTopology()).replicationFactor).toBe(3);
    await store.makeEdits('c1', editsOf(ALL));
    expect(await store.readEpoch()).toBe(before + 1);
  });

  it('are taken back and made again, whoever asks twice; a replacement is kept aside', async () => {
    const { store } = fleet;
    await open('c1');
    await store.makeEdits('c1', editsOf(ALL));
    const made = await store.readEpoch();
    for (let count = 0; count < 2; count += 1) {
      await store.takeBackEdits('c1');
      expect(await store.readEpoch()).toBe(made + 1);
      for (const id of ['a', 'b', 'c'])
        expect(await fields(id)).toEqual({ state: 'active', zone: null, weight: 1, placementKey: null });
      expect(await fields('d')).toMatchObject({ state: 'drained', placementKey: null });
      expect((await fleet.find('books'))!.replicationFactor).toBe(2);
      expect((await store.readTopology()).replicationFactor).toBe(2);
    }
    await store.makeEditsAgain('c1');
    await store.makeEditsAgain('c1');
    expect(await store.readEpoch()).toBe(made + 2);
    expect(await fields('a')).toMatchObject({ state: 'drained' });
    expect(await fields('d')).toMatchObject({ state: 'active', placementKey: 'b' });
    expect((await fleet.find('books'))!.replicationFactor).toBe(1);
  });

  it('leave alone what another change has made of it meanwhile', async () => {
    const { store } = fleet;
    await open('c1');
    await store.makeEdits('c1', editsOf(ALL));
    await store.setChangeStatus('c1', 'done');
    await open('c2');
    await store.makeEdits('c2', editsOf({ kind: 'set', nodes: [{ id: 'c', weight: 5 }] }));
    await store.takeBackEdits('c1');
    expect(await fields('c')).toMatchObject({ weight: 5, zone: 'x' });
    expect(await fields('a')).toMatchObject({ state: 'active' });
  });

  it('are refused once their change is over, and for what is not there', async () => {
    const { store } = fleet;
    await open('c1');
    await store.setChangeStatus('c1', 'aborted');
    await expect(store.makeEdits('c1', editsOf(ALL))).rejects.toThrow(/c1 is aborted/);
    await open('c2');
    const epoch = await store.readEpoch();
    const unknown = editsOf({ kind: 'set', nodes: [{ id: 'zz', weight: 2 }] });
    await expect(store.makeEdits('c2', unknown)).rejects.toThrow(/"zz" is not in the topology/);
    await store.takeBackEdits('c2');
    expect(await store.readEpoch()).toBe(epoch);
  });
});

describe('a saved plan', () => {
  const plan = (id: string, name: string): NewPlan => ({
    ...{ id, name, edits: editsOf({ kind: 'drain', nodes: ['a'] }), options: { concurrency: 3 } },
    basis: { nodes: { a: 'active' }, indexes: {}, replicationFactor: 2 },
    report: {
      ...{ summary: 'drain a', warnings: [], copies: 0, drops: 0, documents: 0, bytes: 0, durationMs: null },
      ...{ moves: [], nodes: [], skewBefore: 1, skewAfter: 1, lowestRedundancy: null, samples: 0 },
    },
  });

  it('is found by id and by name, listed, and deleted', async () => {
    const { store } = fleet;
    const saved = await store.savePlan(plan('plan-1', 'shrink'));
    expect(await store.readPlan('plan-1')).toEqual(saved);
    expect(await store.readPlan('shrink')).toEqual(saved);
    expect(await store.readPlan('other')).toBeNull();
    for (const [id, name] of [
      ['plan-2', 'shrink'],
      ['plan-2', 'plan-1'],
      ['shrink', 'new'],
    ] as const)
      await expect(store.savePlan(plan(id, name))).rejects.toThrow(/there is a plan/);
    fleet.nowMs += 1_000;
    await store.savePlan(plan('plan-2', 'plan-2'));
    expect((await store.listPlans()).map(({ name }) => name)).toEqual(['plan-2', 'shrink']);
    expect(await store.deletePlan('shrink')).toBe(true);
    expect(await store.deletePlan('shrink')).toBe(false);
  });

  it('is measured by the newest copies that have flipped without an interruption', async () => {
    const { store } = fleet;
    await fleet.planMove('m1', { uid: 'books', shard: 0, from: 'a', to: 'c' });
    await fleet.verifyMove('m1', { documents: 40, bytes: 4_000 });
    expect(await store.readMoveSamples(10)).toEqual([]);
    fleet.nowMs += 1_500;
    await store.flipMove('m1', 0);
    const { incarnation } = (await fleet.find('books'))!;
    const sample = { incarnation, documents: 40, bytes: 4_000, durationMs: 1_500 };
    expect(await store.readMoveSamples(10)).toEqual([sample]);
    expect(await store.readMoveSamples(0)).toEqual([]);
  });
});
