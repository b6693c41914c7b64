// Surplus replicas in the state store: when they may go, what they wait for, and that a change is planned once.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.js';
import { flipShard } from '../../activities/moves/flip.js';
import { editsOf } from '../../shared/core/change-edits.js';
import type { NewMove } from '../../shared/io/store-changes.js';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
let incarnation: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  incarnation = await fleet.createIndex('books', [['a', 'b']]);
  const { store } = fleet;
  await store.openChange({ id: 'adds', kind: 'rebalance', input: {}, runId: 'adds' });
  const more = { indexUid: 'books', incarnation, shard: 0, sourceNode: null, copyFrom: 'a', targetNode: 'c' };
  await store.planMoves('adds', await store.readEpoch(), [{ id: 'm0', ...more }], 0);
  await fleet.verifyMove('m0');
  await store.flipMove('m0');
  expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync', 'c:in-sync']);
});
afterEach(() => fleet.close());

async function planDrop(id: string, node: string): Promise<void> {
  const { store } = fleet;
  await store.openChange({ id: `change-${id}`, kind: 'rebalance', input: {}, runId: id });
  const move: NewMove = {
    ...{ id, kind: 'drop', reason: 'surplus', indexUid: 'books', incarnation, shard: 0 },
    ...{ sourceNode: node, copyFrom: node, targetNode: node },
  };
  expect(await store.planMoves(`change-${id}`, await store.readEpoch(), [move], 0)).toBe(true);
}

describe('a drop', () => {
  it('retains the surplus replica in a new epoch, and deletes it when no proxy can read it', async () => {
    const { store } = fleet;
    await planDrop('m1', 'c');
    await fleet.lease('p1');
    const before = await store.readEpoch();
    expect(await store.flipMove('m1')).toEqual({ flipped: true, epoch: before + 1, reason: null });
    expect(await store.flipMove('m1')).toEqual({ flipped: true, epoch: before + 1, reason: null });
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    expect(await store.beginDelete('m1', 'source')).toBe(false);
    await fleet.lease('p1');
    expect(await store.beginDelete('m1', 'source')).toBe(true);
    await store.finishDelete('m1', 'source');
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
    expect(await store.readMove('m1')).toMatchObject({ kind: 'drop', flippedEpoch: before + 1 });
  });

  it('never leaves fewer in-sync replicas than the index keeps, before its flip and after', async () => {
    const { store } = fleet;
    await planDrop('m1', 'c');
    const seq = await fleet.write('books', 0);
    await fleet.confirm('a', seq);
    await fleet.confirm('c', seq);
    await store.demoteNode('b', 'a test');
    expect(await store.flipMove('m1')).toEqual({ flipped: false, epoch: 0, reason: 'too-few-replicas' });
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:joined', 'c:in-sync']);
    await fleet.confirm('b', seq);
    expect((await store.flipMove('m1')).flipped).toBe(true);
    const later = await fleet.write('books', 0);
    await fleet.confirm('a', later);
    await store.demoteNode('b', 'a test');
    expect(await store.beginDelete('m1', 'source')).toBe(false);
    await fleet.confirm('b', later);
    expect(await store.beginDelete('m1', 'source')).toBe(true);
  });

  it('makes room for a move that brings the shard to the same node anew, once another replica is well', async () => {
    const { store } = fleet;
    await planDrop('m1', 'c');
    await store.flipMove('m1');
    // Now three replicas are wanted: what is kept of the surplus would wait for the move that waits for its place.
    await store.makeEdits(
      'change-m1',
      editsOf({ kind: 'set-replication', replication: [{ index: 'books', factor: 3 }] }),
    );
    expect(await store.beginDelete('m1', 'source')).toBe(false);
    await store.setChangeStatus('change-m1', 'retaining');
    fleet.nowMs += 1_000_000;
    expect(await store.listDueRetentions(10)).toEqual([]);
    await store.reportStream('a', fleet.generations.a!, 'does not answer');
    await store.reportStream('b', fleet.generations.b!, 'does not answer');
    expect(await store.beginDelete('m1', 'source', true)).toBe(false);
    await store.reportStream('b', fleet.generations.b!, null);
    expect(await store.beginDelete('m1', 'source', true)).toBe(true);
  });

  it('takes a replica that has left in-sync, and lets another move have its own', async () => {
    const { store } = fleet;
    const seq = await fleet.write('books', 0);
    await fleet.confirm('a', seq);
    await fleet.confirm('b', seq);
    await store.demoteNode('c', 'a test');
    await planDrop('m1', 'c');
    await planDrop('m2', 'c');
    expect((await store.flipMove('m1')).flipped).toBe(true);
    expect(await store.flipMove('m2')).toMatchObject({ flipped: false, reason: 'replica-owned' });
    await expect(store.holdReplica('m2')).rejects.toThrow(/copies nothing/);
  });

  it('does not begin once its move is over, and has nothing to do when the replica is gone', async () => {
    const { store } = fleet;
    await planDrop('m1', 'c');
    await store.updateMove('m1', { phase: 'aborted', finishedAt: '2026-01-01T00:00:00Z' });
    expect(await store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'move-over' });
    await planDrop('m2', 'c');
    await planDrop('m3', 'c');
    await store.flipMove('m2');
    await store.beginDelete('m2', 'source');
    await store.finishDelete('m2', 'source');
    const epoch = await store.readEpoch();
    expect(await store.flipMove('m3')).toEqual({ flipped: true, epoch, reason: null });
    expect(await store.beginDelete('m3', 'source')).toBe(true);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
  });
});

it('plans a change once', async () => {
  await planDrop('m1', 'c');
  const { store } = fleet;
  expect(await store.planMoves('change-m1', await store.readEpoch(), [], 0)).toBe(false);
  expect(await store.listMoves('change-m1')).toHaveLength(1);
  expect((await store.readChange('change-m1'))?.plannedAt).not.toBeNull();
});

describe('before a drop, the nodes that stay', () => {
  const flip = (newest: number) => {
    const json = async ({ path }: { path: string }) =>
      path.startsWith('/tasks') ? { results: newest < 0 ? [] : [{ uid: newest }] } : {};
    const deps = {
      store: fleet.store,
      nodes: { client: async () => ({ json }) },
      faults: { reach: async () => undefined },
    } as unknown as ActivityDeps;
    const beat = { signal: new AbortController().signal, attempt: 1, report() {}, async sleep() {} };
    return flipShard(deps, 'm1', beat);
  };

  it.each([8, -1])(
    'must know the tasks that they have confirmed: one that knows %i lost some',
    async (newest) => {
      await planDrop('m1', 'c');
      await fleet.store.setUnclean('a', fleet.generations.a!, false, 9);
      await expect(flip(newest)).rejects.toThrow(/has confirmed task 9, which it does not know/);
      expect(await fleet.replicas('books', 0)).toContain('c:in-sync');
      await flip(9);
      expect(await fleet.replicas('books', 0)).toContain('c:retained');
    },
  );
});
