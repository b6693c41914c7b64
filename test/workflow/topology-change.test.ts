// The change of a topology as a workflow, on a real Temporal server with moves that hold, fail and flip on demand.
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { moveIdOf } from '../../workflows/messages.js';
import { useFakeFleet } from '../support/fake-fleet.js';
import type { FakeMoves } from '../support/fake-moves.js';
import type { WorkflowWorker } from '../support/workflow-worker.js';

const REBALANCE = { kind: 'rebalance', nodes: [] };

let worker: WorkflowWorker;
let moves: FakeMoves;
useFakeFleet((fleet) => {
  ({ worker, moves } = fleet);
});

const idOf = (ordinal: number) => moveIdOf(moves.changeId, ordinal);
const attention = () => worker.until(({ phase }) => phase === 'needs-attention');

async function failure(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError)
    return error.cause as Error;
  throw new Error(`expected a failure, got ${String(error)}`);
}

describe('a change', () => {
  it('makes every move once, within its window, and tells how far it is', async () => {
    moves.moves = 5;
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    const running = await worker.until((progress) => progress.moves.running === 2);
    expect(running).toMatchObject({
      phase: 'moving',
      kind: 'rebalance',
      moves: { planned: 5, done: 0, failed: 0 },
      running: [{ moveId: idOf(0) }, { moveId: idOf(1) }],
    });
    moves.release('copy');
    expect(await handle.result()).toMatchObject({
      phase: 'done',
      moves: { planned: 5, done: 5, skipped: 0, running: 0, failed: 0 },
    });
    for (const ordinal of [0, 1, 2, 3, 4]) {
      expect(moves.count(`flip ${ordinal}`)).toBe(1);
      expect(moves.count(`delete source ${ordinal}`)).toBe(1);
    }
    expect(moves.calls.at(-1)).toBe('finish');
    expect(moves.calls.filter((call) => call.startsWith('abandon'))).toEqual([]);
  });

  it('shows itself: search attributes, and details for the Web UI', async () => {
    moves.removed = ['n3'];
    moves.break('verify 0', '3 documents differ', 'VerifyFailed');
    const handle = await worker.change(REBALANCE);
    await attention();
    const query = `WorkflowId="${handle.workflowId}" AND MiroirPhase="needs-attention" AND MiroirOp="rebalance" AND MiroirNodes="n3"`;
    await expect
      .poll(async () => (await worker.client.workflow.count(query)).count, { timeout: 20_000 })
      .toBe(1);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('needs-attention');
    expect(currentDetails).toContain(`${idOf(0)} failed: 3 documents differ`);
    await worker.decide('abort');
    await handle.result();
  });

  it('that cannot finish fails with the reason, and its nodes become ordinary members again', async () => {
    moves.break('finish', 'node "n3" still holds 2 replicas: drain it first');
    const handle = await worker.change(REBALANCE);
    expect((await failure(handle.result())).message).toContain('still holds 2 replicas');
    expect(moves.calls.at(-1)).toBe('abandon as failed');
  });

  it('cleans up after a dead run before it plans', async () => {
    moves.leftovers = ['dead-7', 'dead-8'];
    moves.flipped.add('dead-8');
    await (await worker.change(REBALANCE)).result();
    const before = moves.calls.slice(0, moves.calls.indexOf('plan'));
    // One that has flipped meanwhile keeps its source as long as it was to.
    expect(before).toEqual(['validate', 'delete target 7', 'mark aborted 7', 'mark retain 8']);
  });

  it('that is terminated has its moves cleaned up, and a move of it that still runs is waited for', async () => {
    moves.hold('copy');
    moves.moves = 1;
    const handle = await worker.change(REBALANCE);
    await moves.begun('copy 0');
    const child = worker.client.workflow.getHandle(`miroir/move/${idOf(0)}`);
    await handle.terminate('a test');
    await expect(child.result()).rejects.toThrow(/cancelled/i);
    expect(moves.calls.slice(-2)).toEqual(['delete target 0', 'mark aborted 0']);
  });

  it('waits for a workflow that has the id of its move already, then does the move', async () => {
    moves.moves = 1;
    moves.hold('plan');
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    await moves.begun('plan');
    const gate = { paused: false, approved: true };
    const options = { retentionMs: 0, stepDeadlineMs: 30_000, copyChunkDocuments: null, gate };
    await worker.client.workflow.start('moveShard', {
      workflowId: `miroir/move/${idOf(0)}`,
      taskQueue: worker.taskQueue,
      args: [{ moveId: idOf(0), ...options }],
    });
    await moves.begun('copy 0');
    moves.release('plan');
    await worker.until(({ moves: { running } }) => running === 1);
    moves.release('copy');
    expect((await handle.result()).moves).toMatchObject({ done: 1, failed: 0 });
    expect(moves.count('flip 0')).toBe(1);
  });
});

describe('a move that fails for good', () => {
  it('waits for an operator while the rest goes on, and is tried again', async () => {
    moves.break('verify 1', '2 documents differ', 'VerifyFailed');
    const handle = await worker.change(REBALANCE);
    expect(await attention()).toMatchObject({
      moves: { planned: 3, done: 2, running: 0, failed: 1 },
      failed: [{ moveId: idOf(1), error: '2 documents differ' }],
    });
    expect(moves.count('delete target 1')).toBe(0);
    moves.mend('verify 1');
    expect(await worker.decide('retry', idOf(1))).toBe('1 moves are tried again');
    expect(await handle.result()).toMatchObject({ phase: 'done', moves: { done: 3, failed: 0 } });
    expect(moves.count('snapshot 1')).toBe(2);
    expect(moves.calls).toContain('running');
  });

  it('is told at once, though sources of others are still kept', async () => {
    moves.options = { retentionMs: 3_600_000, concurrency: 1 };
    moves.break('copy 1', 'the source is gone');
    const handle = await worker.change(REBALANCE);
    expect(await attention()).toMatchObject({ moves: { running: 0, failed: 1, done: 2 } });
    await handle.cancel();
    await failure(handle.result());
    expect(moves.calls.filter((call) => call.startsWith('delete'))).toEqual(['delete target 1']);
    expect([moves.count('mark retain 0'), moves.count('mark retain 2')]).toEqual([1, 1]);
  });

  it('is decided on only by its name: others are rejected with a sentence', async () => {
    moves.break('copy 0', 'the source is gone');
    moves.hold('copy 1');
    const handle = await worker.change(REBALANCE);
    await worker.until((progress) => progress.moves.failed === 1);
    for (const update of ['retry', 'skip', 'abort'] as const) {
      const error = await failure(worker.decide(update, 'nonsense-9'));
      expect(error.message).toBe(`move "nonsense-9" has not failed; failed moves: ${idOf(0)}`);
    }
    expect((await failure(worker.decide('skip', idOf(1)))).message).toContain('has not failed');
    moves.mend('copy 0');
    // Others still run.
    await worker.decide('retry');
    expect((await failure(worker.decide('retry'))).message).toContain('nothing to retry');
    moves.release('copy 1');
    expect((await handle.result()).moves.done).toBe(3);
  });

  it('that has flipped is tried again from there, never from a snapshot', async () => {
    moves.break('delete source 0', 'the node is full');
    const handle = await worker.change(REBALANCE);
    await attention();
    moves.mend('delete source 0');
    await worker.decide('retry');
    expect((await handle.result()).moves.done).toBe(3);
    expect([moves.count('snapshot 0'), moves.count('flip 0')]).toEqual([1, 1]);
  });

  it('is skipped: cleaned up, and the change goes on', async () => {
    moves.break('copy 2', 'the source is gone');
    const handle = await worker.change(REBALANCE);
    await attention();
    expect(await worker.decide('skip')).toMatch(/^1 moves skipped/);
    expect((await handle.result()).moves).toMatchObject({ done: 2, skipped: 1, failed: 0 });
    expect(moves.calls.filter((call) => call.startsWith('delete target'))).toEqual(['delete target 2']);
    expect(moves.calls).toContain('mark skipped 2');
  });

  it('stays failed when it cannot be cleaned up, and says why', async () => {
    moves.break('copy 0', 'the source is gone');
    moves.break('delete target 0', 'the node does not answer');
    const handle = await worker.change(REBALANCE);
    await attention();
    expect(await worker.decide('skip', idOf(0))).toContain('1 could not be cleaned up');
    expect((await worker.progress()).failed).toEqual([
      { moveId: idOf(0), error: 'could not be cleaned up: the node does not answer' },
    ]);
    moves.mend('delete target 0');
    await worker.decide('skip', idOf(0));
    expect((await handle.result()).moves).toMatchObject({ done: 2, skipped: 1 });
  });

  it('is skipped by itself where its index was deleted', async () => {
    moves.break('snapshot 0', 'the index has been deleted', 'IndexDeleted');
    const handle = await worker.change(REBALANCE);
    expect((await handle.result()).moves).toMatchObject({ done: 2, skipped: 1 });
  });
});

describe('abort', () => {
  it('cleans up what failed and ends', async () => {
    moves.break('copy 0', 'the source is gone');
    const handle = await worker.change(REBALANCE);
    await attention();
    await worker.decide('abort');
    expect(await handle.result()).toMatchObject({ phase: 'aborted', moves: { done: 2, failed: 0 } });
    expect(moves.count('delete target 0')).toBe(1);
    expect(moves.calls.at(-1)).toBe('abandon as aborted');
  });

  it('lets running moves end and starts no further ones', async () => {
    moves.moves = 6;
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    await worker.until((progress) => progress.moves.running === 2);
    await worker.decide('abort');
    expect((await failure(worker.decide('abort'))).message).toContain('nothing left to decide');
    moves.release('copy');
    expect(await handle.result()).toMatchObject({
      phase: 'aborted',
      moves: { planned: 6, done: 2, running: 0 },
    });
    expect(moves.count('snapshot 2')).toBe(0);
  });

  it('does not wait for nodes that never get ready', async () => {
    moves.added = [{ id: 'n4', url: 'http://127.0.0.1:1' }];
    moves.hold('add nodes');
    const handle = await worker.change(REBALANCE);
    await moves.begun('add nodes');
    await worker.decide('abort');
    expect(await handle.result()).toMatchObject({ phase: 'aborted' });
    expect(moves.calls).not.toContain('plan');
    expect(moves.calls.at(-1)).toBe('abandon as aborted');
  });
});

describe('cancel', () => {
  const isCancelled = (error: Error) => error.name === 'CancelledFailure';

  it('before the flip empties the target and leaves the source', async () => {
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    await moves.begun('copy 1');
    await handle.cancel();
    expect(await failure(handle.result())).toSatisfy(isCancelled);
    const deletions = moves.calls.filter((call) => call.startsWith('delete')).sort();
    expect(deletions).toEqual(['delete target 0', 'delete target 1']);
    expect(moves.calls.at(-1)).toBe('abandon as aborted');
    expect(moves.count('flip 0') + moves.count('flip 1')).toBe(0);
  });

  it('during a flip that was committed, though its answer is lost, finishes forward', async () => {
    moves.moves = 1;
    moves.hold('flipped 0');
    const handle = await worker.change(REBALANCE);
    await moves.begun('flipped 0');
    await handle.cancel();
    // Whether it then ends as done or as cancelled is all one.
    await handle.result().catch((error: WorkflowFailedError) => error);
    expect(moves.calls.filter((call) => call.startsWith('delete'))).toEqual([]);
    expect(moves.count('mark retain 0')).toBe(1);
  });

  it('while an operator is waited for cleans up what failed', async () => {
    moves.break('copy 0', 'the source is gone');
    const handle = await worker.change(REBALANCE);
    await attention();
    await handle.cancel();
    expect(await failure(handle.result())).toSatisfy(isCancelled);
    expect(moves.count('delete target 0')).toBe(1);
    expect(moves.calls.at(-1)).toBe('abandon as aborted');
  });

  it('of one move alone skips that move', async () => {
    moves.hold('copy 1');
    const handle = await worker.change(REBALANCE);
    await moves.begun('copy 1');
    await worker.client.workflow.getHandle(`miroir/move/${idOf(1)}`).cancel();
    expect(await handle.result()).toMatchObject({ phase: 'done', moves: { done: 2, skipped: 1 } });
    expect(moves.count('delete target 1')).toBe(1);
  });
});
