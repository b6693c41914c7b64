// Copies of moves in the state store: when a shard may join, what spoils a copy, that a change is planned once.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

const LIMITS = { entries: 100, bytes: 1_000_000 };
const move = { uid: 'books', shard: 0, from: 'a', to: 'c' };

let fleet: StoreFleet;
let incarnation: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  incarnation = await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

const joinAt = (position: number) =>
  fleet.store.advanceReplay('c', fleet.generations.c!, incarnation, 0, position, true);
const copyState = async () => (await fleet.store.readCopy('m1'))!;

describe('a shard', () => {
  it('joins only past what the journal held when its copy ended', async () => {
    await fleet.planMove('m1', move);
    const { attempt } = await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, []);
    const seq = await fleet.write('books', 0);
    // The source is ahead of the target, and what was copied of it too.
    await fleet.confirm('a', seq);
    await fleet.store.endCopy('m1', attempt);
    expect(await joinAt(0)).toBe(false);
    await fleet.confirm('c', seq);
    expect(await joinAt(seq)).toBe(true);
  });

  it('is not replayed before its copy has ended, nor joined', async () => {
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, ['1']);
    const read = fleet.store.readReplay('c', fleet.generations.c!, incarnation, 0, LIMITS);
    await expect(read).rejects.toThrow(/still being copied/);
    expect(await joinAt(0)).toBe(false);
  });

  it('is not disturbed by the copy of an older attempt that wakes late', async () => {
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, ['1', '2'], 2);
    await fleet.store.recordCopied('m1', 1, 2, 20);
    expect((await fleet.store.readMove('m1'))!.documentsCopied).toBe(0);
    await expect(fleet.store.endCopy('m1', 1)).rejects.toThrow(/another attempt/);
    await fleet.store.recordCopied('m1', 2, 1, 10);
    await fleet.store.recordCopied('m1', 2, 0, 0);
    expect((await fleet.store.readMove('m1'))!.documentsCopied).toBe(1);
  });

  it('skips in its replay what failed, for its source has not got it either', async () => {
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, []);
    await fleet.store.endCopy('m1', 1);
    const seqs = [await fleet.write('books', 0), await fleet.write('books', 0)] as const;
    await fleet.confirm('a', seqs[1], [FAILED(seqs[0]), SUCCEEDED(seqs[1])]);
    await fleet.confirm('c', seqs[1]);
    const step = await fleet.store.readReplay('c', fleet.generations.c!, incarnation, 0, LIMITS);
    expect(step.entries.map(({ seq }) => seq)).toEqual([seqs[1]]);
  });
});

describe('a copy whose source is not what it was', () => {
  it.each(['lost', 'diverged'])('begins again from another replica: %s', async (how) => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    if (how === 'lost') await fleet.store.demoteNode('a', 'was wiped', true);
    else {
      const seq = await fleet.write('books', 0);
      await fleet.confirm('b', seq, [SUCCEEDED(seq)]);
      await fleet.confirm('c', seq, [SUCCEEDED(seq)]);
      await fleet.confirm('a', seq, [FAILED(seq)]);
    }
    expect((await copyState()).spoiled).toContain(how === 'lost' ? 'was wiped' : 'answered failed');
    await expect(fleet.store.markVerified('m1')).rejects.toMatchObject({ code: 'copy_spoiled' });
    expect(await fleet.store.flipMove('m1')).toMatchObject({ flipped: false, reason: 'spoiled' });
    const again = await fleet.store.holdReplica('m1');
    expect([again.copyFrom, again.attempt]).toEqual(['b', 2]);
    expect(await copyState()).toEqual({ attempt: 2, endSeq: null, spoiled: null });
  });

  it('is told so in the middle of its replay', async () => {
    await fleet.planMove('m1', move);
    await fleet.store.holdReplica('m1');
    await fleet.store.saveSnapshot('m1', 0, ['1']);
    await fleet.store.demoteNode('a', 'was wiped', true);
    const step = await fleet.store.readReplay('c', fleet.generations.c!, incarnation, 0, LIMITS);
    expect(step).toMatchObject({ restart: true, entries: [] });
  });

  it('goes on where no other replica is left, for what it has may be the last', async () => {
    await fleet.store.demoteNode('b', 'does not answer');
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.demoteNode('a', 'was wiped', true);
    expect((await copyState()).spoiled).toBeNull();
  });

  it('goes on from a source that was only slow', async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.demoteNode('a', 'does not answer');
    expect((await copyState()).spoiled).toBeNull();
  });
});

describe('a copy whose source goes with another move of the shard', () => {
  const leave = async () => {
    await fleet.planMove('m1', move);
    await fleet.verifyMove('m1');
    await fleet.store.flipMove('m1');
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(true);
  };
  const spoiled = async () => (await fleet.store.readCopy('m2'))?.spoiled ?? null;

  beforeEach(async () => {
    await fleet.addNode('d');
    await fleet.planMove('m2', { ...move, to: 'd' });
  });

  it('begins again from one that stays: the source is emptied, and an empty copy would equal it', async () => {
    await fleet.store.holdReplica('m2');
    await leave();
    expect(await spoiled()).toContain('goes with move m1');
    await fleet.store.saveSnapshot('m2', 0, [], 1);
    await expect(fleet.store.endCopy('m2', 1)).resolves.toBeUndefined();
    expect(await fleet.store.readReplay('d', fleet.generations.d!, incarnation, 0, LIMITS)).toMatchObject({
      restart: true,
    });
    const again = await fleet.store.holdReplica('m2');
    expect([again.copyFrom, again.attempt]).toEqual(['b', 2]);
    expect(await spoiled()).toBeNull();
  });

  it('needs it no more once it is verified', async () => {
    await fleet.verifyMove('m2');
    await leave();
    expect(await spoiled()).toBeNull();
    expect((await fleet.store.flipMove('m2')).flipped).toBe(true);
  });
});

describe('a change', () => {
  const plan = async (id: string, target: string) => {
    const planned = {
      indexUid: 'books',
      incarnation,
      shard: 0,
      kind: 'copy' as const,
      reason: 'placement' as const,
      sourceNode: 'a',
      copyFrom: 'a',
    };
    const epoch = await fleet.store.readEpoch();
    return fleet.store.planMoves('c1', epoch, [{ ...planned, id, targetNode: target }], 7);
  };

  it('is planned once, whoever wakes later', async () => {
    await fleet.store.openChange({ id: 'c1', kind: 'rebalance', input: {}, runId: 'r1' });
    expect(await plan('m1', 'c')).toBe(true);
    await fleet.store.holdReplica('m1');
    expect(await plan('m2', 'b')).toBe(false);
    expect((await fleet.store.listMoves('c1')).map(({ id, phase }) => `${id} ${phase}`)).toEqual([
      'm1 snapshot',
    ]);
  });

  it('that is over is not planned any more', async () => {
    await fleet.store.openChange({ id: 'c1', kind: 'rebalance', input: {}, runId: 'r1' });
    await fleet.store.setChangeStatus('c1', 'aborted');
    expect(await plan('m1', 'c')).toBe(false);
    expect(await fleet.store.listMoves('c1')).toEqual([]);
  });
});
