// What a flipped move leaves behind in the state store: how long a source is kept, and the way back, decided by rows.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finishRollback } from '../../activities/changes/rollback.js';
import type { ActivityDeps } from '../../activities/deps.js';
import { editsOf } from '../../shared/core/change-edits.js';
import type { ValidatedChange } from '../../workflows/messages.js';
import { FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

const HOUR_MS = 3_600_000;
const move = { uid: 'books', shard: 0, from: 'a', to: 'c' };

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c', 'd']);
  await fleet.createIndex('books', [['a', 'b']]);
});
afterEach(() => fleet.close());

/** A move that has flipped, its change over, its source kept for an hour. */
async function flipped(moveId = 'm1', place = move): Promise<void> {
  await fleet.planMove(moveId, place);
  await fleet.verifyMove(moveId);
  expect((await fleet.store.flipMove(moveId, HOUR_MS)).flipped).toBe(true);
  await fleet.store.setChangeStatus(`change-${moveId}`, 'retaining');
}

async function compared(moveId = 'm1'): Promise<void> {
  await fleet.store.beginRollback(moveId);
  await fleet.store.markRollbackVerified(moveId);
}

const due = async () => (await fleet.store.listDueRetentions(10)).map(({ id }) => id);
const replicas = () => fleet.replicas('books', 0);
const openRollback = (id: string, input: Record<string, unknown>) =>
  fleet.store.openChange({ id, kind: 'rollback', input: { kind: 'rollback', ...input }, runId: id });

describe('a retained source', () => {
  it('is due once its time is over, and its change is over when it is gone', async () => {
    await flipped();
    expect(await fleet.store.readRetention('change-m1')).toEqual({
      sources: 1,
      until: new Date(fleet.nowMs + HOUR_MS).toISOString(),
    });
    fleet.nowMs += HOUR_MS - 1;
    expect(await due()).toEqual([]);
    expect(await fleet.store.listRetainedOut()).toEqual([]);
    fleet.nowMs += 1;
    expect(await due()).toEqual(['m1']);
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(true);
    expect(await due()).toEqual(['m1']);
    await fleet.store.finishDelete('m1', 'source');
    expect(await due()).toEqual([]);
    expect((await fleet.store.listRetainedOut()).map(({ id }) => id)).toEqual(['change-m1']);
  });

  it('is due at once when an operator says so', async () => {
    await flipped();
    expect(await fleet.store.endRetention({ changeId: 'another' })).toBe(0);
    expect(await fleet.store.endRetention({ changeId: 'change-m1' })).toBe(1);
    expect(await fleet.store.endRetention({ moveId: 'm1' })).toBe(0);
    expect(await due()).toEqual(['m1']);
  });

  it('is not let go while another replica is in trouble: it may be the last good copy', async () => {
    await flipped();
    fleet.nowMs += HOUR_MS;
    await fleet.store.reportStream('c', fleet.generations.c!, 'does not answer');
    expect(await due()).toEqual([]);
    await fleet.store.demoteNode('c', 'a test');
    await fleet.store.reportStream('c', fleet.generations.c!, null);
    expect(await due()).toEqual([]);
    await fleet.store.promoteNode('c', fleet.generations.c!, 'a test');
    expect(await due()).toEqual(['m1']);
  });

  it('waits for its own node to answer', async () => {
    await flipped();
    fleet.nowMs += HOUR_MS;
    await fleet.store.reportStream('a', fleet.generations.a!, 'does not answer');
    expect(await due()).toEqual([]);
    // But nobody waits for it: the change is over, and what it has kept is deleted when the node returns.
    expect((await fleet.store.listRetainedOut()).map(({ id }) => id)).toEqual(['change-m1']);
    await fleet.store.setChangeStatus('change-m1', 'done');
    await fleet.store.reportStream('a', fleet.generations.a!, null);
    expect(await due()).toEqual(['m1']);
  });

  it('goes with its node where that leaves', async () => {
    await flipped();
    expect(await fleet.store.countReplicas(['a'])).toEqual({ kept: 1, serving: 0 });
    await fleet.store.dropKept('a');
    expect(await replicas()).toEqual(['b:in-sync', 'c:in-sync']);
    expect(await fleet.store.readMove('m1')).toMatchObject({ phase: 'done', finishedAt: expect.anything() });
    await fleet.store.dropKept('b');
    expect(await fleet.store.countReplicas(['b'])).toEqual({ kept: 0, serving: 1 });
  });

  it('keeps no payloads: its stream has passed them', async () => {
    await flipped();
    const seq = await fleet.write('books', 0);
    await fleet.confirmAll(seq);
    await fleet.store.collectGarbage();
    expect((await fleet.store.readHead()).journalPayloadBytes).toBe(0);
  });

  it('gets what is written, and no task waits for it', async () => {
    await flipped();
    const seq = await fleet.write('books', 0);
    const group = await fleet.store.readGroup('a', fleet.generations.a!, { entries: 9, bytes: 9_999 });
    expect(group?.entries.map(({ liveShards }) => liveShards)).toEqual([[0]]);
    for (const node of ['b', 'c']) await fleet.confirm(node, seq);
    expect(await fleet.status(seq)).toBe('succeeded');
  });
});

describe('a rollback', () => {
  it('is one flip back, after which the former target goes', async () => {
    await flipped();
    await compared();
    const before = await fleet.store.readEpoch();
    const back = await fleet.store.flipBack('m1');
    expect(back).toEqual({ flipped: true, epoch: before + 1, reason: null });
    expect(await fleet.store.flipBack('m1')).toEqual(back);
    expect(await fleet.store.readEpoch()).toBe(before + 1);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(true);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    expect(await fleet.store.beginDelete('m1', 'target')).toBe(true);
    await fleet.store.finishDelete('m1', 'target');
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync']);
  });

  it('needs its source compared, and again when its node has answered otherwise since', async () => {
    await flipped();
    expect(await fleet.store.flipBack('m1')).toMatchObject({ flipped: false, reason: 'not-verified' });
    await fleet.store.beginRollback('m1');
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'not-verified' });
    await fleet.store.markRollbackVerified('m1');
    const seq = await fleet.write('books', 0);
    for (const node of ['b', 'c', 'd']) await fleet.confirm(node, seq, [SUCCEEDED(seq)]);
    await fleet.confirm('a', seq, [FAILED(seq)]);
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'not-verified' });
  });

  it('waits until the source is past every task that has succeeded, and tasks for it', async () => {
    await flipped();
    await compared();
    const first = await fleet.write('books', 0);
    for (const node of ['b', 'c']) await fleet.confirm(node, first);
    expect(await fleet.status(first)).toBe('succeeded');
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'below-watermark' });
    const second = await fleet.write('books', 0);
    for (const node of ['b', 'c']) await fleet.confirm(node, second);
    expect(await fleet.status(second)).toBe('enqueued');
    await fleet.confirm('a', first);
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
    await fleet.confirm('a', second);
    expect(await fleet.status(second)).toBe('succeeded');
  });

  it('that is given up holds no task back, and its source stays as long as it was to', async () => {
    await flipped();
    await compared();
    const first = await fleet.write('books', 0);
    for (const node of ['b', 'c']) await fleet.confirm(node, first);
    await fleet.store.flipBack('m1');
    expect(await fleet.store.cancelRollback('m1')).toBe(true);
    const second = await fleet.write('books', 0);
    for (const node of ['b', 'c']) await fleet.confirm(node, second);
    expect(await fleet.status(second)).toBe('succeeded');
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'not-verified' });
    fleet.nowMs += HOUR_MS;
    expect(await due()).toEqual(['m1']);
  });

  it('cannot be given up once it has flipped back', async () => {
    await flipped();
    await compared();
    await fleet.store.flipBack('m1');
    expect(await fleet.store.cancelRollback('m1')).toBe(false);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
  });

  it('makes success need the old replica until no proxy reads it', async () => {
    await flipped();
    await fleet.lease('p1');
    await compared();
    await fleet.store.flipBack('m1');
    expect(await fleet.store.beginDelete('m1', 'target')).toBe(false);
    const seq = await fleet.write('books', 0);
    for (const node of ['a', 'b']) await fleet.confirm(node, seq);
    expect(await fleet.status(seq)).toBe('enqueued');
    await fleet.lease('p1');
    await fleet.store.advanceTasks();
    expect(await fleet.status(seq)).toBe('succeeded');
    expect(await fleet.store.beginDelete('m1', 'target')).toBe(true);
  });

  it('works when the target has fallen behind, which is when it is needed', async () => {
    await flipped();
    await compared();
    const seq = await fleet.write('books', 0);
    await fleet.store.demoteNode('c', 'a test');
    for (const node of ['a', 'b']) await fleet.confirm(node, seq);
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
  });

  it('works when the node of the target has lost what it held', async () => {
    await flipped();
    await fleet.store.declareLoss('c', fleet.generations.c!, 'was wiped');
    expect(await replicas()).toEqual(['a:retained', 'b:in-sync', 'c:joined']);
    await compared();
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
    expect(await fleet.store.beginDelete('m1', 'target')).toBe(true);
    await fleet.store.finishDelete('m1', 'target');
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync']);
  });

  it('waits while the node of the source is in trouble', async () => {
    await flipped();
    await compared();
    await fleet.store.reportStream('a', fleet.generations.a!, 'does not answer');
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'node-in-trouble' });
  });

  it('is impossible for an index that has been deleted', async () => {
    await flipped();
    const seq = await fleet.append('books', { kind: 'indexDeletion' });
    await expect(fleet.store.beginRollback('m1')).rejects.toMatchObject({ code: 'index_deleted' });
    await fleet.confirmAll(seq);
    expect(await due()).toEqual([]);
  });
});

describe('a rollback against the end of the retention', () => {
  it('loses once deleting is committed', async () => {
    await flipped();
    await fleet.store.beginDelete('m1', 'source');
    await expect(fleet.store.beginRollback('m1')).rejects.toThrow(/is kept no longer \(deleting\)/);
    await fleet.store.finishDelete('m1', 'source');
    await expect(fleet.store.beginRollback('m1')).rejects.toThrow(/is kept no longer \(deleted\)/);
    expect(
      await openRollback('back', { change: 'change-m1' }).then(() =>
        fleet.store.planRollback('back', { changeId: 'change-m1' }),
      ),
    ).toBe(0);
  });

  it('wins once it has begun: the source is not due, and cannot be deleted', async () => {
    await flipped();
    await fleet.store.beginRollback('m1');
    fleet.nowMs += 2 * HOUR_MS;
    expect(await due()).toEqual([]);
    await expect(fleet.store.beginDelete('m1', 'source')).rejects.toMatchObject({ code: 'rolling_back' });
    await fleet.store.markRollbackVerified('m1');
    await expect(fleet.store.beginDelete('m1', 'source')).rejects.toMatchObject({ code: 'rolling_back' });
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
  });

  it('wins once it is planned: whoever found the source due before, and was late, leaves it', async () => {
    await flipped();
    fleet.nowMs += HOUR_MS;
    expect(await due()).toEqual(['m1']);
    await openRollback('back', { change: 'change-m1' });
    expect(await fleet.store.planRollback('back', { changeId: 'change-m1' })).toBe(1);
    await expect(fleet.store.beginDelete('m1', 'source')).rejects.toMatchObject({ code: 'rolling_back' });
    expect(await replicas()).toEqual(['a:retained', 'b:in-sync', 'c:in-sync']);
    // Not for ever: a run that died takes nothing back any more.
    await fleet.store.setChangeStatus('back', 'failed');
    expect(await fleet.store.beginDelete('m1', 'source')).toBe(true);
  });

  it('of a move that is not there, or took nothing away, says so', async () => {
    await expect(fleet.store.beginRollback('m9')).rejects.toMatchObject({ code: 'unknown_move' });
    await fleet.planMove('m1', move);
    await expect(fleet.store.beginRollback('m1')).rejects.toThrow(/has not flipped/);
  });
});

describe('a rollback against another change of the shard', () => {
  it('is refused once the shard was moved on, and possible again when that was rolled back', async () => {
    await flipped();
    await flipped('m2', { ...move, from: 'c', to: 'd' });
    await expect(fleet.store.beginRollback('m1')).rejects.toThrow(
      /moved on by move m2; roll that back first/,
    );
    await compared('m2');
    await fleet.store.flipBack('m2');
    await fleet.store.beginDelete('m2', 'target');
    await fleet.store.finishDelete('m2', 'target');
    await compared('m1');
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
    expect(await replicas()).toEqual(['a:in-sync', 'b:in-sync', 'c:retained']);
  });

  it('is refused while another move copies the shard: it may read what the rollback takes away', async () => {
    await flipped();
    await fleet.planMove('m2', { ...move, from: 'c', to: 'd' });
    await compared();
    await fleet.store.holdReplica('m2');
    expect(await fleet.store.flipBack('m1')).toMatchObject({ reason: 'shard-is-moving' });
    await fleet.store.cancelRollback('m1');
    await expect(fleet.store.beginRollback('m1')).rejects.toThrow(/is being moved by move m2/);
    await fleet.store.beginDelete('m2', 'target');
    await fleet.store.finishDelete('m2', 'target');
    await compared();
    expect((await fleet.store.flipBack('m1')).flipped).toBe(true);
  });
});

describe('a rollback of a whole change', () => {
  it('takes what is retained, the newest first, and leaves a record of both changes', async () => {
    await flipped();
    await openRollback('back', { change: 'change-m1' });
    expect(await fleet.store.planRollback('back', { changeId: 'change-m1' })).toBe(1);
    expect(await fleet.store.planRollback('back', { changeId: 'change-m1' })).toBe(1);
    expect((await fleet.store.listMoves('back')).map(({ id }) => id)).toEqual(['m1']);
    // Whoever ends retentions keeps off while the rollback runs, and does not end the change.
    fleet.nowMs += 2 * HOUR_MS;
    expect(await due()).toEqual([]);
    await compared();
    await fleet.store.flipBack('m1');
    expect(await due()).toEqual([]);
    await fleet.store.beginDelete('m1', 'target');
    await fleet.store.finishDelete('m1', 'target');
    expect(await fleet.store.listRetainedOut()).toEqual([]);
    await fleet.store.closeRollback('back');
    expect((await fleet.store.readChange('change-m1'))?.status).toBe('rolled-back');
  });

  describe('that ends without having taken anything back', () => {
    const end = (id: string) => {
      const change = { changeId: id, rollback: { changeId: 'change-m1', moveId: null } };
      const deps = { store: fleet.store } as ActivityDeps;
      return finishRollback(deps, change as ValidatedChange, change.rollback);
    };
    const stateOfA = async () =>
      (await fleet.store.readTopology()).nodes.find((node) => node.id === 'a')?.state;

    beforeEach(async () => {
      await fleet.store.openChange({
        id: 'change-m1',
        kind: 'drain',
        input: { nodes: ['a'] },
        runId: 'r',
      });
      await fleet.store.makeEdits('change-m1', editsOf({ kind: 'drain', nodes: ['a'] }));
      await flipped();
      await openRollback('back', { change: 'change-m1' });
      await fleet.store.planRollback('back', { changeId: 'change-m1' });
      await fleet.store.takeBackEdits('change-m1');
      expect(await stateOfA()).toBe('active');
    });

    it('leaves the change as it was while a source is kept', async () => {
      await end('back');
      expect((await fleet.store.readChange('change-m1'))?.status).toBe('retaining');
      expect(await stateOfA()).toBe('drained');
    });

    it('ends the change where its index was deleted meanwhile: nothing would ever end it', async () => {
      await fleet.store.beginRollback('m1');
      await fleet.confirmAll(await fleet.append('books', { kind: 'indexDeletion' }));
      await end('back');
      const change = await fleet.store.readChange('change-m1');
      expect(change?.status).toBe('rolled-back');
      expect(change?.finishedAt).not.toBeNull();
      expect(await stateOfA()).toBe('active');
    });
  });

  it('that is given up leaves everything as it was', async () => {
    await flipped();
    await openRollback('back', { change: 'change-m1' });
    await fleet.store.planRollback('back', { changeId: 'change-m1' });
    await fleet.store.beginRollback('m1');
    await fleet.store.closeRollback('back');
    await fleet.store.setChangeStatus('back', 'aborted');
    expect((await fleet.store.readChange('change-m1'))?.status).toBe('retaining');
    expect(await fleet.store.listMoves('back')).toEqual([]);
    expect(await fleet.store.readRetention('change-m1')).toMatchObject({ sources: 1 });
    fleet.nowMs += HOUR_MS;
    expect(await due()).toEqual(['m1']);
  });
});
