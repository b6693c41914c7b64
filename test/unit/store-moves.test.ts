// Moves in the state store: who owns a replica, what a flip and a delete wait for, what dead runs leave, what is kept.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Control } from '../../shared/io/store.js';
import { ADDITION, FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

const LIMITS = { entries: 100, bytes: 1_000_000 };

let fleet: StoreFleet;
let incarnation: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  incarnation = await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

const move = { uid: 'books', shard: 0, from: 'a', to: 'c' };
type NewControl = Omit<Control, 'id' | 'status' | 'result'>;
const control = (moveId: string, kind: Control['kind'], attempt: number, key = kind): NewControl => ({
  node: 'c',
  kind,
  key: `${moveId}/${attempt}/${key}`,
  moveId,
  incarnation,
  shard: 0,
  args: { attempt },
});

describe('a flip', () => {
  it('needs its own move to have verified the target', async () => {
    await fleet.planMove('m1', move);
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'not-verified' });
    await fleet.verifyMove('m1');
    await fleet.planMove('m2', move);
    expect(await fleet.store.flipMove('m2')).toMatchObject({ flipped: false, reason: 'not-verified' });
    await expect(fleet.store.markVerified('m2')).rejects.toThrow(/no joined replica/);
    const flipped = await fleet.store.flipMove('m1');
    expect(flipped.flipped).toBe(true);
    expect(await fleet.replicas('books', 0)).toEqual(['a:retained', 'b:in-sync', 'c:in-sync']);
    const epoch = await fleet.store.readEpoch();
    expect(await fleet.store.flipMove('m1')).toEqual(flipped);
    expect(await fleet.store.readEpoch()).toBe(epoch);
  });

  it('waits until the target is past every task that has succeeded', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    const seq = await fleet.write('books', 0);
    await fleet.confirm('a', seq);
    await fleet.confirm('b', seq);
    expect(await fleet.status(seq)).toBe('succeeded');
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'below-watermark' });
    await fleet.confirm('c', seq);
    expect((await fleet.store.flipMove('m1')).flipped).toBe(true);
  });

  it('holds tasks back for a target that could never catch up otherwise', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    const first = await fleet.write('books', 0);
    await fleet.confirm('a', first);
    await fleet.confirm('b', first);
    expect(await fleet.store.flipMove('m1')).toMatchObject({ reason: 'below-watermark' });
    const second = await fleet.write('books', 0);
    await fleet.confirm('a', second);
    await fleet.confirm('b', second);
    expect(await fleet.status(second)).toBe('enqueued');
    await fleet.confirm('c', first);
    expect((await fleet.store.flipMove('m1')).flipped).toBe(true);
    await fleet.confirm('c', second);
    expect(await fleet.status(second)).toBe('succeeded');
  });

  it.each(['given up', 'demoted', 'begun again'] as const)(
    'holds no task back once it is %s',
    async (end) => {
      await fleet.planMove('m1', move);
      await fleet.verifyMove('m1');
      const first = await fleet.write('books', 0);
      for (const node of ['a', 'b']) await fleet.confirm(node, first);
      await fleet.store.flipMove('m1');
      if (end === 'given up') await fleet.store.beginDelete('m1', 'target');
      if (end === 'demoted') await fleet.store.demoteNode('c', 'a test');
      if (end === 'begun again') await fleet.store.holdReplica('m1');
      const second = await fleet.write('books', 0);
      for (const node of ['a', 'b']) await fleet.confirm(node, second);
      expect(await fleet.status(second)).toBe('succeeded');
    },
  );

  it('does not hold tasks back for a node in trouble', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.reportStream('c', fleet.generations.c!, 'does not answer');
    const first = await fleet.write('books', 0);
    for (const node of ['a', 'b']) await fleet.confirm(node, first);
    await fleet.store.flipMove('m1');
    const second = await fleet.write('books', 0);
    for (const node of ['a', 'b']) await fleet.confirm(node, second);
    expect(await fleet.status(second)).toBe('succeeded');
  });

  it('is refused when the target has answered otherwise than was promised since it was verified', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    const seq = await fleet.write('books', 0);
    for (const node of ['a', 'b']) await fleet.confirm(node, seq, [SUCCEEDED(seq)]);
    await fleet.confirm('c', seq, [FAILED(seq)]);
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'not-verified' });
  });

  it('makes success need the new replica, and the old one until no proxy reads it', async () => {
    await fleet.lease('p1');
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.flipMove('m1');
    const seq = await fleet.write('books', 0);
    await fleet.confirm('b', seq);
    await fleet.confirm('c', seq);
    expect(await fleet.status(seq)).toBe('enqueued');
    await fleet.lease('p1');
    await fleet.store.advanceTasks();
    expect(await fleet.status(seq)).toBe('succeeded');
  });

  it('is impossible once deleting the target is committed', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    expect(await fleet.store.beginDelete('m1', 'target')).toBe(true);
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'not-verified' });
    await expect(fleet.store.holdReplica('m1')).rejects.toThrow(/deleting/);
    await fleet.store.finishDelete('m1', 'target');
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
    // A step of the move that wakes up late must not take the place again: nobody would ever clean it.
    await expect(fleet.store.holdReplica('m1')).rejects.toThrow(/is over/);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:in-sync']);
  });

  it('is refused for an index that has been deleted', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.append('books', { kind: 'indexDeletion' });
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'index-deleted' });
    await expect(fleet.store.holdReplica('m1')).rejects.toMatchObject({ code: 'index_deleted' });
  });
});

describe('deleting the source', () => {
  it('waits for proxies that may still read it, and never touches a replica in use', async () => {
    await fleet.lease('p1');
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.beginDelete('m1', 'source');
    expect(await fleet.replicas('books', 0)).toContain('a:in-sync');
    await fleet.store.flipMove('m1');
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(false);
    const before = (await fleet.store.readEpoch()) - 1;
    await fleet.lease('p1', before);
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(false);
    await fleet.lease('p1');
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(true);
    await fleet.store.beginDelete('m1', 'target');
    expect(await fleet.replicas('books', 0)).toEqual(['a:deleting', 'b:in-sync', 'c:in-sync']);
    await fleet.store.finishDelete('m1', 'source');
    expect(await fleet.replicas('books', 0)).toEqual(['b:in-sync', 'c:in-sync']);
  });

  it('of one move leaves what a later move has brought back to the same node', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.flipMove('m1');
    await fleet.planMove('m2', { uid: 'books', shard: 0, from: 'c', to: 'a' });
    await expect(fleet.store.holdReplica('m2')).rejects.toMatchObject({ code: 'replica_owned' });
    await fleet.store.beginDelete('m1', 'source');
    await fleet.store.finishDelete('m1', 'source');
    await fleet.verifyMove('m2');
    await fleet.store.beginDelete('m1', 'source');
    await fleet.store.finishDelete('m1', 'source');
    expect(await fleet.replicas('books', 0)).toEqual(['a:verified', 'b:in-sync', 'c:in-sync']);
  });

  it('that a leaving node did not answer is made up for when it is back and stays, unless the shard is held there', async () => {
    const { store, generations } = fleet;
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await store.flipMove('m1');
    await store.beginDelete('m1', 'source');
    const asked = await store.enqueueControl({ ...control('m1', 'delete', 1), node: 'a', args: {} });
    await store.finishDelete('m1', 'source');
    expect(await store.startControl('a', generations.a!, asked)).toBe(true);
    await fleet.planMove('m2', { uid: 'books', shard: 0, from: 'c', to: 'a' });
    await store.holdReplica('m2');
    expect(await store.startControl('a', generations.a!, asked)).toBe(false);
    expect((await store.readControls([asked]))[0]).toMatchObject({ status: 'failed' });
  });
});

describe('a held replica', () => {
  it('belongs to one move', async () => {
    await fleet.planMove('m1', move);
    await fleet.planMove('m2', move);
    await fleet.store.holdReplica('m1');
    await expect(fleet.store.holdReplica('m2')).rejects.toThrow(/copying under m1/);
    await expect(fleet.store.saveSnapshot('m2', 0, [])).rejects.toMatchObject({ code: 'replica_owned' });
  });

  it('is not emptied while a proxy may still read what was demoted', async () => {
    await fleet.lease('p1');
    await fleet.store.demoteNode('b', 'a test');
    await fleet.planMove('repair', { uid: 'books', shard: 0, from: 'a', to: 'b' });
    await expect(fleet.store.holdReplica('repair')).rejects.toThrow(/may still read/);
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:joined']);
    await fleet.lease('p1');
    await fleet.store.holdReplica('repair');
    expect(await fleet.replicas('books', 0)).toEqual(['a:in-sync', 'b:copying']);
  });

  it('begins anew with a new attempt: what the one before asked for is never carried out', async () => {
    const generation = fleet.generations.c!;
    await fleet.planMove('m1', move);
    const first = await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, ['1'], first.attempt);
    const copy = await fleet.store.enqueueControl(control('m1', 'copy', first.attempt));
    const replay = await fleet.store.enqueueControl(control('m1', 'replay', first.attempt));
    const second = await fleet.store.holdReplica('m1');
    expect(second.attempt).toBe(first.attempt + 1);
    expect((await fleet.store.readControls([copy, replay])).map(({ status }) => status)).toEqual([
      'failed',
      'failed',
    ]);
    // A step of the first attempt that was asleep wakes up.
    const late = fleet.store.enqueueControl(control('m1', 'copy', first.attempt, 'copy-late' as 'copy'));
    await expect(late).rejects.toMatchObject({ code: 'replica_owned' });
    await expect(fleet.store.saveSnapshot('m1', 0, ['1'], first.attempt)).rejects.toThrow(/attempt 2/);
    await fleet.store.saveSnapshot('m1', 0, ['1'], second.attempt);
    const wanted = await fleet.store.enqueueControl(control('m1', 'copy', second.attempt));
    expect(await fleet.store.startControl('c', generation, wanted)).toBe(true);
  });

  it('that joined takes no copy any more, though one was waiting', async () => {
    const generation = fleet.generations.c!;
    await fleet.planMove('m1', move);
    const { attempt } = await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, [], attempt);
    const copy = await fleet.store.enqueueControl(control('m1', 'copy', attempt));
    await fleet.store.endCopy('m1', attempt);
    expect(await fleet.store.advanceReplay('c', generation, incarnation, 0, 0, true)).toBe(true);
    expect(await fleet.store.startControl('c', generation, copy)).toBe(false);
    expect((await fleet.store.readControls([copy]))[0]).toMatchObject({ status: 'failed' });
  });

  it('gets a copy again where the source has applied a filter whose matches nobody recorded', async () => {
    const generation = fleet.generations.c!;
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, []);
    await fleet.store.endCopy('m1', 1);
    const filter = { kind: 'documentDeletion', mode: 'filter', providedIds: 0, filter: '"x = 1"' } as const;
    const seq = await fleet.append('books', filter);
    await fleet.confirm('c', seq);
    const read = () => fleet.store.readReplay('c', generation, incarnation, 0, LIMITS);
    const waiting = await read();
    expect([waiting.restart, waiting.entries.map((entry) => entry.recordedIds)]).toEqual([false, [null]]);
    await fleet.confirm('a', seq);
    expect(await read()).toMatchObject({ restart: true, entries: [] });
    await fleet.store.recordFilterMatches('a', fleet.generations.a!, seq, [{ shard: 0, ids: ['7'] }]);
    expect((await read()).entries.map((entry) => entry.recordedIds)).toEqual([['7']]);
  });

  it('is told of settings entries by a restart, after what came before them', async () => {
    const generation = fleet.generations.c!;
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, []);
    await fleet.store.endCopy('m1', 1);
    const seq = await fleet.write('books', 0);
    const patch = { kind: 'settingsUpdate' as const, patch: { stopWords: ['x'] }, isDeletion: false };
    await fleet.confirmAll(await fleet.append('books', patch));
    const step = await fleet.store.readReplay('c', generation, incarnation, 0, LIMITS);
    expect([step.restart, step.entries.map((entry) => entry.seq)]).toEqual([true, [seq]]);
  });
});

describe('garbage', () => {
  const bytes = async () => {
    await fleet.store.collectGarbage();
    return (await fleet.store.readHead()).journalPayloadBytes;
  };

  it('is what every stream has passed and every task has finished with', async () => {
    const seq = await fleet.write('books', 0);
    await fleet.confirm('a', seq);
    await fleet.confirm('b', seq);
    expect(await bytes()).toBeGreaterThan(0);
    await fleet.confirm('c', seq);
    expect(await bytes()).toBe(0);
  });

  it('is not what a held shard may still have to replay, even before its snapshot', async () => {
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    const streams = await fleet.store.readStreams();
    const seq = await fleet.write('books', 0);
    await fleet.confirmAll(seq);
    expect(await bytes()).toBeGreaterThan(0);
    await fleet.store.saveSnapshot('m1', streams[0]!.position, []);
    await fleet.store.endCopy('m1', 1);
    expect(await bytes()).toBeGreaterThan(0);
    const step = await fleet.store.readReplay('c', fleet.generations.c!, incarnation, 0, LIMITS);
    expect(step.entries.map((entry) => entry.seq)).toEqual([seq]);
    await fleet.store.advanceReplay('c', fleet.generations.c!, incarnation, 0, seq, true);
    await fleet.store.beginDelete('m1', 'target');
    await fleet.store.finishDelete('m1', 'target');
    expect(await bytes()).toBe(0);
  });

  it('is not what an unfinished task needs to know its shards', async () => {
    await fleet.lease('p1');
    const seq = await fleet.write('books', 0);
    await fleet.store.demoteNode('a', 'a test');
    await fleet.confirmAll(seq);
    expect([await fleet.status(seq), await bytes()]).toEqual(['succeeded', 0]);
    const next = await fleet.append('books', ADDITION, {});
    expect(next).toBe(seq + 1);
  });
});

describe('what dead runs left', () => {
  it('is adopted by another change: moves that own a target; a source is kept until its time', async () => {
    await fleet.createIndex('films', [['a', 'b']]);
    await fleet.planMove('m1', { ...move, changeId: 'dead' });
    await fleet.store.holdReplica('m1');
    await fleet.planMove('m2', { ...move, uid: 'films', changeId: 'dead-too' });
    await fleet.verifyMove('m2');
    await fleet.store.flipMove('m2');
    const left = await fleet.store.adoptLeftovers('new');
    expect(left.map(({ id }) => id)).toEqual(['m1']);
    expect(await fleet.store.adoptLeftovers('dead')).toEqual([]);
    fleet.nowMs += 60_000;
    expect((await fleet.store.listDueRetentions(10)).map(({ id }) => id)).toEqual(['m2']);
    expect((await fleet.store.readChange('dead'))!.status).toBe('failed');
    await fleet.store.beginDelete('m1', 'target');
    await fleet.store.finishDelete('m1', 'target');
    await fleet.store.beginDelete('m2', 'source');
    await fleet.store.finishDelete('m2', 'source');
    expect(await fleet.store.adoptLeftovers('new')).toEqual([]);
  });

  it('does not include a node that still holds a replica, which cannot be removed', async () => {
    await expect(fleet.store.removeNode('a', 'a test')).rejects.toMatchObject({
      code: 'node_holds_replicas',
    });
    await fleet.store.removeNode('c', 'a test');
    expect((await fleet.store.readTopology()).nodes.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  // Seed 269: a worker that had stopped within the removal of a node woke when another change had planned moves to it.
  it('neither removes a node that a planned move is bringing a replica to, nor brings a change back that is over', async () => {
    await fleet.planMove('m1', { ...move, changeId: 'given-up' });
    await expect(fleet.store.removeNode(move.to, 'a test')).rejects.toMatchObject({
      code: 'node_is_target',
    });
    await fleet.store.setChangeStatus('given-up', 'failed');
    const over = await fleet.store.readChange('given-up');
    fleet.nowMs += 1_000;
    await fleet.store.setChangeStatus('given-up', 'retaining');
    expect(await fleet.store.readChange('given-up')).toEqual(over);
    // A move that its run never began is not marked as finished; it counts for nothing once its change is over.
    await fleet.store.removeNode(move.to, 'a test');
    expect((await fleet.store.readTopology()).nodes.map(({ id }) => id)).not.toContain(move.to);
  });
});
