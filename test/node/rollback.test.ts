// The way back of a move through the streams of embedded engines: the source has got every write meanwhile, and becomes
// readable only when it has what the fleet has. And copies that an operator holds or slows down.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyShard } from '../../activities/moves/copy.js';
import { deleteReplica } from '../../activities/moves/delete.js';
import { flipShard } from '../../activities/moves/flip.js';
import { joinShard } from '../../activities/moves/join.js';
import { compareSource, flipBack } from '../../activities/moves/rollback.js';
import { snapshotShard } from '../../activities/moves/snapshot.js';
import { verifyShard } from '../../activities/moves/verify.js';
import { StreamFleet } from '../support/stream-fleet.js';

const HOUR_MS = 3_600_000;
const COPY = { chunkDocuments: 2, stallMs: 60_000 };
const CONTROL = { paused: false, concurrency: 1, nodeConcurrency: null, documentsPerSecond: null };

let fleet: StreamFleet;
beforeEach(async () => {
  fleet = await StreamFleet.open(['a', 'b', 'c']);
  await fleet.createIndex('books', [['a', 'b']]);
  await fleet.finish(
    await fleet.write(
      'books',
      0,
      [1, 2, 3, 4, 5, 6].map((id) => ({ id, text: 'old', ...(id === 2 && { colour: 'red' }) })),
    ),
  );
});
afterEach(() => fleet.close());

const copy = (id: string) => copyShard(fleet.deps(), id, COPY, fleet.beat);
const states = async () =>
  (await fleet.index('books')).shards[0]!.map(({ node, state }) => `${node}:${state}`);

/** Moves the shard until it has flipped; the source is kept. */
async function move(id: string, from: string, to: string): Promise<void> {
  await fleet.planMove(id, 'books', 0, from, to);
  await snapshotShard(fleet.deps(), id, fleet.beat);
  await copy(id);
  await joinShard(fleet.deps(), id, fleet.beat);
  await verifyShard(fleet.deps(), id, fleet.beat);
  await flipShard(fleet.deps(), id, fleet.beat, HOUR_MS);
}

describe('a rollback', () => {
  it('makes the source readable again with everything that was written since', async () => {
    await move('m1', 'a', 'c');
    expect(await states()).toEqual(['a:retained', 'b:in-sync', 'c:in-sync']);
    await fleet.finish(await fleet.write('books', 0, [{ id: 1, text: 'new' }, { id: 7 }]));
    expect(await fleet.finish(await fleet.deleteByFilter('books', 'colour = red'))).toBe('succeeded');
    const compared = await compareSource(fleet.deps(), 'm1', fleet.beat);
    expect(compared).toMatchObject({ documents: 6, digest: expect.stringMatching(/^[0-9a-f]{16}$/) });
    const during = await fleet.write('books', 0, [{ id: 3, text: 'during' }]);
    await flipBack(fleet.deps(), 'm1', fleet.beat);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    await fleet.finish(during);
    expect(await fleet.documents('a', 'books')).toEqual([
      { id: 1, text: 'new' },
      { id: 3, text: 'during' },
      { id: 4, text: 'old' },
      { id: 5, text: 'old' },
      { id: 6, text: 'old' },
      { id: 7 },
    ]);
    await deleteReplica(fleet.deps(), 'm1', 'target', fleet.beat);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync']);
    expect(await fleet.documents('c', 'books')).toEqual([]);
  });

  it('does not flip back to a source that differs, and names the documents', async () => {
    await move('m1', 'a', 'c');
    const client = fleet.admin('a');
    const name = (await fleet.index('books')).physicalNames.a!;
    const path = `/indexes/${name}/documents/4`;
    await client.waitTask(await client.enqueue({ method: 'DELETE', path }), fleet.beat.signal);
    await client.close();
    await expect(compareSource(fleet.deps(), 'm1', fleet.beat)).rejects.toThrow(
      /1 documents differ between c and a, among them 4/,
    );
    await expect(flipBack(fleet.deps(), 'm1', fleet.beat)).rejects.toThrow(/not-verified/);
    expect(await states()).toEqual(['a:retained', 'b:in-sync', 'c:in-sync']);
  });

  it('may be begun again at every step', async () => {
    await move('m1', 'a', 'c');
    await compareSource(fleet.deps(), 'm1', fleet.beat);
    await compareSource(fleet.deps(), 'm1', fleet.beat);
    const { epoch } = await flipBack(fleet.deps(), 'm1', fleet.beat);
    expect(await compareSource(fleet.deps(), 'm1', fleet.beat)).toMatchObject({ rounds: 0 });
    expect(await flipBack(fleet.deps(), 'm1', fleet.beat)).toEqual({ epoch });
    for (const _again of [1, 2]) await deleteReplica(fleet.deps(), 'm1', 'target', fleet.beat);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync']);
  });

  it('is over for a source that the next change needs the place of', async () => {
    await move('m1', 'a', 'c');
    await move('m2', 'c', 'a');
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    expect(await fleet.store.readMove('m1')).toMatchObject({ phase: 'done' });
    await expect(compareSource(fleet.deps(), 'm1', fleet.beat)).rejects.toThrow(/is kept no longer/);
    expect((await fleet.documents('a', 'books')).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('a copy', () => {
  beforeEach(async () => {
    await fleet.planMove('m1', 'books', 0, 'a', 'c');
    await snapshotShard(fleet.deps(), 'm1', fleet.beat);
  });
  const save = (more: Partial<typeof CONTROL> | { documentsPerSecond: number }) =>
    fleet.store.saveControl('change-m1', { ...CONTROL, ...more });

  it('waits while its change is paused, and goes on when it is not', async () => {
    await save({ paused: true });
    let over = false;
    const copying = copy('m1').then((result) => {
      over = true;
      return result;
    });
    // Whatever is written meanwhile has arrived; the copy has asked for nothing.
    for (const id of [8, 9]) await fleet.finish(await fleet.write('books', 0, [{ id }]));
    expect([over, (await fleet.store.readMove('m1'))?.documentsCopied]).toEqual([false, 0]);
    await save({});
    expect((await copying).documents).toBe(6);
  });

  it('takes its turns from the rate of the change, however small', async () => {
    await save({ documentsPerSecond: 3 });
    let turns = 0;
    const take = fleet.store.takeCopyTurn;
    fleet.store.takeCopyTurn = async (...args) => {
      const turn = await take(...args);
      if (turn.documents > 0) turns += 1;
      return turn;
    };
    expect((await copy('m1')).documents).toBe(6);
    expect(turns).toBe(3);
  });
});
