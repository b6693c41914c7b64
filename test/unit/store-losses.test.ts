// A node that has lost what it held, as the store sees it: who leaves in-sync, what begins again, what waits for a word.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enqueueTask, NodeLost, type StreamContext } from '../../activities/stream/context.js';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
});
afterEach(() => fleet.close());

async function states(uid: string): Promise<string[][]> {
  const { indexes } = await fleet.store.readTopology();
  const index = indexes.find((candidate) => candidate.uid === uid)!;
  return index.shards.map((replicas) =>
    replicas.map(({ node, state, moveId }) => `${node} ${state} ${moveId}`),
  );
}

const declare = (node: string) => fleet.store.declareLoss(node, fleet.generations[node]!, 'was wiped');

describe('a node that has lost what it held', () => {
  // With this task a restored node has as many as were confirmed: looked at later, it would seem to have lost nothing.
  it('is recorded as such by a stream to which it gives an old task number', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const context = {
      node: 'a',
      store: fleet.store,
      generation: fleet.generations.a!,
      signal: new AbortController().signal,
      lastTaskUid: 15,
      client: { enqueue: async () => 15 },
    } as unknown as StreamContext;
    await expect(enqueueTask(context, { method: 'POST', path: '/' })).rejects.toThrow(NodeLost);
    expect((await fleet.store.readLoss('a'))?.reason).toMatch(/gave task 15 after task 15/);
    expect(await states('books')).toEqual([['a joined diverged/lost', 'b in-sync null']]);
  });

  it('leaves in-sync where another replica is there, and keeps what is nowhere else until an operator gives it up', async () => {
    await fleet.createIndex('books', [['a', 'b'], ['a'], ['b', 'c'], ['a', 'c']]);
    expect(await fleet.store.readLoss('a')).toBeNull();
    expect(await declare('a')).toEqual([{ indexUid: 'books', shard: 1 }]);
    expect(await states('books')).toEqual([
      ['a joined diverged/lost', 'b in-sync null'],
      ['a in-sync null'],
      ['b in-sync null', 'c in-sync null'],
      ['a joined diverged/lost', 'c in-sync null'],
    ]);
    expect(await fleet.store.readLoss('a')).toEqual({ reason: 'was wiped', accepted: false });
    expect(await fleet.store.acceptLoss('a', false)).toEqual([{ indexUid: 'books', shard: 1 }]);
    expect(await fleet.store.readLoss('a')).toEqual({ reason: 'was wiped', accepted: true });
    await fleet.store.finishRebuild('a', fleet.generations.a!);
    expect(await fleet.store.readLoss('a')).toBeNull();
    await expect(fleet.store.acceptLoss('a', false)).rejects.toMatchObject({ code: 'nothing_lost' });
  });

  it('leaves in-sync later, too, when another replica has caught up', async () => {
    await fleet.createIndex('books', [['a', 'b'], ['c'], ['c'], ['c']]);
    await fleet.store.demoteNode('b', 'a test');
    expect(await declare('a')).toEqual([{ indexUid: 'books', shard: 0 }]);
    await expect(fleet.store.acceptLoss('a', false)).rejects.toMatchObject({ code: 'other_replicas' });
    await fleet.store.promoteNode('b', fleet.generations.b!, 'a test');
    expect(await declare('a')).toEqual([]);
    expect((await states('books'))[0]).toEqual(['a joined diverged/lost', 'b in-sync null']);
  });

  it('gets names that nobody has seen, once, and is read by nobody under the old ones', async () => {
    await fleet.createIndex('books', [
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    const name = async () => {
      const { indexes } = await fleet.store.readTopology();
      return indexes[0]!.physicalNames.a;
    };
    await fleet.store.setPhysicalName('a', fleet.generations.a!, 1, 'books--1-4');
    await declare('a');
    await declare('a');
    expect(await name()).toBe('books--1-5');
  });

  it('is not read after a promotion of its own stream: what is marked waits to be copied anew', async () => {
    await fleet.createIndex('books', [
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await declare('a');
    await fleet.store.promoteNode('a', fleet.generations.a!, 'a test');
    expect((await states('books')).flat().filter((one) => one.startsWith('a in-sync'))).toEqual([]);
  });

  it('begins the copies to it again, and gives up the sources that it kept for a rollback', async () => {
    await fleet.createIndex('books', [['a', 'b'], ['a', 'b'], ['b'], ['b']]);
    await fleet.planMove('m1', { uid: 'books', shard: 0, from: 'b', to: 'c' });
    await fleet.verifyMove('m1');
    await declare('c');
    expect((await states('books'))[0]).toContain('c joined m1');
    expect(await fleet.store.readCopy('m1')).toMatchObject({ spoiled: 'node c was wiped' });
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false });
    await fleet.planMove('m2', { uid: 'books', shard: 1, from: 'a', to: 'c' });
    await fleet.verifyMove('m2');
    expect(await fleet.store.flipMove('m2')).toMatchObject({ flipped: true });
    expect((await states('books'))[1]).toContain('a retained m2');
    await declare('a');
    expect((await states('books'))[1]).toContain('a deleting m2');
  });

  it('refuses a stale stream', async () => {
    const stale = fleet.generations.a!;
    await fleet.takeOver('a');
    await expect(fleet.store.declareLoss('a', stale, 'was wiped')).rejects.toThrow('newer generation');
    await expect(fleet.store.finishRebuild('a', stale)).rejects.toThrow('newer generation');
  });
});

describe('a replica that a verification found wrong', () => {
  it('is marked only where another in-sync one remains', async () => {
    await fleet.createIndex('books', [['a', 'b'], ['a'], ['b', 'c'], ['a', 'c']]);
    expect(await fleet.store.markReplica('a', 1, 0, 'verification', 'a test')).toBe(true);
    expect(await fleet.store.markReplica('a', 1, 0, 'verification', 'a test')).toBe(true);
    expect(await fleet.store.markReplica('b', 1, 0, 'verification', 'a test')).toBe(false);
    expect(await fleet.store.markReplica('a', 1, 1, 'verification', 'a test')).toBe(false);
    expect(await fleet.store.markReplica('c', 1, 0, 'verification', 'a test')).toBe(false);
    expect((await states('books')).slice(0, 2)).toEqual([
      ['a joined diverged/verification', 'b in-sync null'],
      ['a in-sync null'],
    ]);
  });
});

describe('what the journal did to a shard', () => {
  it('names its documents, and says where it cannot tell', async () => {
    await fleet.createIndex('books', [
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    const { journalHead } = await fleet.store.readHead();
    await fleet.write('books', 2);
    const head = (await fleet.store.readHead()).journalHead;
    const touches = await fleet.store.readTouches(1, 2, journalHead, head);
    expect(touches.blind).toBe(false);
    expect(touches.parts.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['{"id":2}']);
    expect((await fleet.store.readTouches(1, 3, journalHead, head)).parts).toEqual([]);
    expect((await fleet.store.readTouches(1, 2, head, head)).parts).toEqual([]);
  });
});
