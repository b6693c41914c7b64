// Who counts for success, and who may be read: leaving in-sync, coming back, and replicas that tasks wait for.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

describe('in-sync', () => {
  it('is never taken from the last replica of a shard', async () => {
    await fleet.createIndex('films', [['a'], ['a', 'b']]);
    await fleet.store.demoteNode('a', 'a test');
    expect(await fleet.replicas('films', 0)).toEqual(['a:in-sync']);
    expect(await fleet.replicas('films', 1)).toEqual(['a:joined', 'b:in-sync']);
    await fleet.store.demoteNode('b', 'a test');
    expect(await fleet.replicas('films', 1)).toEqual(['a:joined', 'b:in-sync']);
    expect(await fleet.replicas('books', 0)).toEqual(['a:joined', 'b:in-sync']);
  });

  it('is lost without holding up tasks, and comes back only past the watermark', async () => {
    await fleet.store.demoteNode('a', 'a test');
    const seq = await fleet.write('books', 0);
    await fleet.confirm('b', seq);
    expect(await fleet.status(seq)).toBe('succeeded');
    await fleet.store.promoteNode('a', fleet.generations.a!, 'a test');
    expect(await fleet.replicas('books', 0)).toEqual(['a:joined', 'b:in-sync']);
    await fleet.confirm('a', seq);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
  });

  it('comes back under writes without a pause: tasks wait for a replica that is near', async () => {
    await fleet.store.demoteNode('a', 'a test');
    const [first, second, third] = [
      await fleet.write('books', 0),
      await fleet.write('books', 0),
      await fleet.write('books', 0),
    ];
    await fleet.confirm('b', second!);
    await fleet.confirm('a', first!);
    expect(await fleet.replicas('books', 0)).toEqual(['a:joined', 'b:in-sync']);
    await fleet.confirm('b', third!);
    expect([await fleet.status(second!), await fleet.status(third!)]).toEqual(['succeeded', 'enqueued']);
    await fleet.confirm('a', second!);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
    await fleet.confirm('a', third!);
    expect(await fleet.status(third!)).toBe('succeeded');
  });

  it('is not waited for where the node is far behind, nor once it is demoted again', async () => {
    await fleet.store.demoteNode('a', 'a test');
    const seqs: number[] = [];
    for (let at = 0; at < 510; at += 1) seqs.push(await fleet.write('books', 0));
    await fleet.confirm('b', seqs[5]!);
    await fleet.confirm('a', seqs[0]!);
    await fleet.confirm('b', seqs[100]!);
    expect(await fleet.status(seqs[100]!)).toBe('succeeded');

    await fleet.confirm('a', seqs[50]!);
    await fleet.confirm('b', seqs[200]!);
    expect(await fleet.status(seqs[200]!)).toBe('enqueued');
    await fleet.store.demoteNode('a', 'a test');
    expect(await fleet.status(seqs[200]!)).toBe('succeeded');
  });

  it('that was lost still counts for success while a proxy may read it', async () => {
    await fleet.lease('p1');
    const seq = await fleet.write('books', 0);
    await fleet.confirm('b', seq);
    await fleet.store.demoteNode('a', 'a test');
    expect(await fleet.status(seq)).toBe('enqueued');
    await fleet.lease('p1');
    expect(await fleet.status(seq)).toBe('succeeded');
  });

  it('is lost by a node whose outcome differs, until it is copied anew', async () => {
    const seq = await fleet.write('books', 0);
    await fleet.confirm('a', seq, [SUCCEEDED(seq)]);
    await fleet.confirm('b', seq, [FAILED(seq)]);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:joined']);
    expect(await fleet.status(seq)).toBe('succeeded');
    await fleet.store.promoteNode('b', fleet.generations.b!, 'a test');
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:joined']);
    await fleet.planMove('repair', { uid: 'books', shard: 0, from: 'a', to: 'b' });
    await fleet.verifyMove('repair');
    expect((await fleet.store.flipMove('repair')).flipped).toBe(true);
  });
});
