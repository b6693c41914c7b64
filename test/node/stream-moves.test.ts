// Moves through the streams of embedded engines: what is written while a shard is copied arrives once, in order, and
// nothing comes back.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyShard } from '../../activities/moves/copy.js';
import { deleteReplica } from '../../activities/moves/delete.js';
import { flipShard } from '../../activities/moves/flip.js';
import { joinShard } from '../../activities/moves/join.js';
import { snapshotShard } from '../../activities/moves/snapshot.js';
import { verifyShard } from '../../activities/moves/verify.js';
import { editsOf } from '../../shared/core/change-edits.js';
import type { NewMove } from '../../shared/io/store-changes.js';
import { Gate, StreamFleet } from '../support/stream-fleet.js';

const COPY = { chunkDocuments: 2, stallMs: 60_000 };

let fleet: StreamFleet;
beforeEach(async () => {
  fleet = await StreamFleet.open(['a', 'b', 'c']);
  await fleet.createIndex('books', [
    ['a', 'b'],
    ['b', 'c'],
  ]);
  await fleet.planMove('m1', 'books', 0, 'a', 'c');
});
afterEach(() => fleet.close());

const snapshot = () => snapshotShard(fleet.deps(), 'm1', fleet.beat);
const copy = () => copyShard(fleet.deps(), 'm1', COPY, fleet.beat);
const join = () => joinShard(fleet.deps(), 'm1', fleet.beat);
const verify = () => verifyShard(fleet.deps(), 'm1', fleet.beat);
const flip = () => flipShard(fleet.deps(), 'm1', fleet.beat);
const onTarget = async () =>
  (await fleet.documents('c', 'books')).filter(({ id }) => !String(id).startsWith('other'));
const states = async () =>
  (await fleet.index('books')).shards[0]!.map(({ node, state }) => `${node}:${state}`);

describe('a move', () => {
  it('brings a shard over while it is written to, and leaves nothing behind', async () => {
    await fleet.finish(
      await fleet.write(
        'books',
        0,
        [1, 2, 3, 4, 5].map((id) => ({ id, text: 'old' })),
      ),
    );
    await snapshot();
    await fleet.write('books', 0, [{ id: 1, text: 'new' }, { id: 6 }]);
    await copy();
    await fleet.write('books', 0, [{ id: 2, size: 1 }], true);
    expect(await join()).toEqual({ joined: true });
    const last = await fleet.write('books', 0, [{ id: 3, text: 'live' }]);
    await verify();
    await flip();
    expect(await states()).toEqual(['a:retained', 'b:in-sync', 'c:in-sync']);
    await fleet.finish(last);
    await deleteReplica(fleet.deps(), 'm1', 'source', fleet.beat);
    expect(await states()).toEqual(['b:in-sync', 'c:in-sync']);
    expect(await onTarget()).toEqual([
      { id: 1, text: 'new' },
      { id: 2, text: 'old', size: 1 },
      { id: 3, text: 'live' },
      { id: 4, text: 'old' },
      { id: 5, text: 'old' },
      { id: 6 },
    ]);
    expect(await fleet.documents('a', 'books')).toEqual([]);
  });

  it('replays what a filter matched on the source, not what it would match on the copy', async () => {
    await fleet.finish(
      await fleet.write('books', 0, [
        { id: 1, colour: 'new', x: 1 },
        { id: 2, colour: 'old' },
      ]),
    );
    await snapshot();
    await fleet.deleteByFilter('books', 'colour = old');
    const last = await fleet.write('books', 0, [{ id: 1, colour: 'old' }], true);
    await fleet.finish(last);
    // The copy reads document 1 as it is now, which the filter would match.
    await copy();
    expect(await join()).toEqual({ joined: true });
    expect((await verify()).rounds).toBe(1);
    expect(await onTarget()).toEqual([{ id: 1, colour: 'old', x: 1 }]);
  });

  it('replays a clearing on its own shard only', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]));
    await fleet.finish(await fleet.write('books', 1, [{ id: 'other-1' }]));
    await snapshot();
    const clear = { kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null } as const;
    await fleet.append('books', clear);
    await fleet.write('books', 0, [{ id: 2 }]);
    await fleet.finish(await fleet.write('books', 1, [{ id: 'other-2' }]));
    await copy();
    await join();
    await verify();
    expect(await fleet.documents('c', 'books')).toEqual([{ id: 2 }, { id: 'other-2' }]);
  });

  it('copies onto a node that still keeps the surplus replica of a change before', async () => {
    const { store } = fleet;
    await fleet.createIndex('films', [
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
    await fleet.finish(await fleet.write('films', 0, [{ id: 1 }]));
    const { incarnation } = await fleet.index('films');
    const shard = { indexUid: 'films', incarnation, shard: 0 };
    const factor = (replicas: number) =>
      editsOf({ kind: 'set-replication', replication: [{ index: 'films', factor: replicas }] });
    await store.openChange({ id: 'fewer', kind: 'set-replication', input: {}, runId: 'fewer' });
    await store.makeEdits('fewer', factor(2));
    const drop: NewMove = {
      ...{ id: 'drop', kind: 'drop', reason: 'surplus', ...shard },
      ...{ sourceNode: 'c', copyFrom: 'c', targetNode: 'c' },
    };
    expect(await store.planMoves('fewer', await store.readEpoch(), [drop], 0)).toBe(true);
    await flipShard(fleet.deps(), 'drop', fleet.beat, 60_000);
    await store.openChange({ id: 'more', kind: 'set-replication', input: {}, runId: 'more' });
    await store.makeEdits('more', factor(3));
    const copied: NewMove = {
      ...{ id: 'again', reason: 'missing', ...shard },
      ...{ sourceNode: null, copyFrom: 'a', targetNode: 'c' },
    };
    expect(await store.planMoves('more', await store.readEpoch(), [copied], 0)).toBe(true);
    expect(await snapshotShard(fleet.deps(), 'again', fleet.beat)).toMatchObject({ documents: 1 });
    expect(await store.readMove('drop')).toMatchObject({ phase: 'done' });
  });

  it('begins its copy again where settings came between', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]));
    await snapshot();
    await fleet.settings('books', { filterableAttributes: ['colour', 'size'] });
    await copy();
    expect(await join()).toEqual({ joined: false });
    expect((await snapshot()).attempt).toBe(2);
    await copy();
    expect(await join()).toEqual({ joined: true });
    await verify();
    expect(await onTarget()).toEqual([{ id: 1 }]);
  });

  it('that begins again is not disturbed by the replay that it had asked for before', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }, { id: 2 }]));
    await snapshot();
    // The source does not get on, so that the replay has to wait for what a filter matches there.
    await fleet.stopStreams();
    fleet.stream('c');
    const filter = await fleet.deleteByFilter('books', 'colour = red');
    await fleet.until(async () => ((await fleet.position('c')).position >= filter ? true : null));
    const waiting = join();
    waiting.catch(() => undefined);
    await fleet.until(async () => ((await fleet.store.readControls([2])).length > 0 ? true : null));
    fleet.stream('a');
    fleet.stream('b');
    await snapshot();
    const generation = (await fleet.position('c')).generation;
    expect((await copy()).documents).toBe(2);
    expect(await join()).toEqual({ joined: true });
    await verify();
    expect(await onTarget()).toEqual([{ id: 1 }, { id: 2 }]);
    // Its stream was not thrown over by a step that nobody wanted any more.
    expect((await fleet.position('c')).generation).toBe(generation);
    await expect(waiting).rejects.toThrow();
  });

  it('joins only when its own stream has come to where the source was at the snapshot', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]));
    await fleet.stopStreams();
    fleet.stream('a');
    fleet.stream('b');
    const ahead = await fleet.write('books', 0, [{ id: 2 }]);
    await fleet.finish(ahead);
    const gate = new Gate('deliver.answered');
    const target = fleet.stream('c', gate);
    await gate.arrived;
    const taken = snapshot();
    // The clearing of the target waits behind the delivery that is held.
    gate.release();
    expect((await taken).position).toBe(ahead);
    await copy();
    expect(await join()).toEqual({ joined: true });
    await verify();
    expect(await onTarget()).toEqual([{ id: 1 }, { id: 2 }]);
    await target.stop();
  });

  it('that is given up leaves nothing on its target, and a late step of it neither', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }, { id: 2 }]));
    await snapshot();
    await copy();
    await deleteReplica(fleet.deps(), 'm1', 'target', fleet.beat);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync']);
    for (const late of [snapshot, join, verify, flip]) await expect(late()).rejects.toThrow();
    await expect(
      fleet.store.enqueueControl({
        node: 'c',
        kind: 'copy',
        key: 'late',
        moveId: 'm1',
        incarnation: (await fleet.index('books')).incarnation,
        shard: 0,
        args: { sourceNode: 'a', ids: ['1'] },
      }),
    ).rejects.toThrow(/no longer holds/);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync']);
    expect(await onTarget()).toEqual([]);
  });

  it('names the documents that differ, and does not flip', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }, { id: 2 }]));
    await snapshot();
    await copy();
    await join();
    const client = fleet.admin('c');
    const name = (await fleet.index('books')).physicalNames.c!;
    const body = '["2"]';
    const path = `/indexes/${name}/documents/delete-batch`;
    await client.waitTask(await client.enqueue({ method: 'POST', path, body }));
    await client.close();
    await expect(verify()).rejects.toThrow(/1 documents differ between a and c, among them 2/);
    await expect(flip()).rejects.toThrow(/may not flip/);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync', 'c:joined']);
  });

  it('is not verified by a source that went back to an old disk, which its copy equals, but copied again', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }, { id: 2 }]));
    await snapshot();
    await copy();
    await join();
    await fleet.stopStreams();
    const { generation } = await fleet.position('a');
    await fleet.store.setUnclean('a', generation, false, 1_000);
    await expect(verify()).rejects.toThrow(/node a has confirmed task 1000, which it does not know any more/);
    expect(await states()).toEqual(['a:in-sync', 'b:in-sync', 'c:joined']);
    for (const id of ['a', 'b', 'c']) fleet.stream(id);
    await fleet.until(async () => (await fleet.store.readCopy('m1'))?.spoiled ?? null);
    await fleet.until(async () => ((await fleet.store.readLoss('a')) === null ? true : null));
    expect(await verify()).toMatchObject({ again: true });
  });

  it('copies on where it was, chunk by chunk, after its worker died', async () => {
    await fleet.finish(
      await fleet.write(
        'books',
        0,
        [1, 2, 3, 4, 5].map((id) => ({ id })),
      ),
    );
    await snapshot();
    const gate = new Gate('copy.chunk');
    const dead = copyShard(fleet.deps(gate), 'm1', COPY, fleet.beat);
    await gate.arrived;
    const { documentsCopied } = (await fleet.store.readMove('m1'))!;
    expect(documentsCopied).toBe(2);
    expect((await copy()).documents).toBe(5);
    gate.release();
    await dead;
    await join();
    await verify();
    expect((await onTarget()).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
  });

  it('gives up when no chunk arrives, and not because a copy takes long', async () => {
    await fleet.finish(
      await fleet.write(
        'books',
        0,
        [1, 2, 3, 4, 5].map((id) => ({ id })),
      ),
    );
    await snapshot();
    const { changeId } = (await fleet.store.readMove('m1'))!;
    const control = { paused: false, concurrency: 1, nodeConcurrency: null };
    await fleet.store.saveControl(changeId, { ...control, documentsPerSecond: 20 });
    const slow = { chunkDocuments: 1, stallMs: 150 };
    expect((await copyShard(fleet.deps(), 'm1', slow, fleet.beat)).documents).toBe(5);
    await snapshot();
    await fleet.stopStreams();
    await expect(copyShard(fleet.deps(), 'm1', slow, fleet.beat)).rejects.toThrow(
      /the stream of node c does not come to copy/,
    );
  });
});
