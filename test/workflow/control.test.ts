// Steering a change that runs, on a real Temporal server: pause, throttle, approval, and the way back.
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { moveIdOf } from '../../workflows/messages.js';
import { useFakeFleet } from '../support/fake-fleet.js';
import type { FakeMoves } from '../support/fake-moves.js';
import type { WorkflowWorker } from '../support/workflow-worker.js';

const REBALANCE = { kind: 'rebalance', nodes: [] };

let worker: WorkflowWorker;
let moves: FakeMoves;
let renew: () => void;
useFakeFleet((fleet) => {
  ({ worker, moves, renew } = fleet);
});

const idOf = (ordinal: number) => moveIdOf(moves.changeId, ordinal);
const phase = (wanted: string) => worker.until((progress) => progress.phase === wanted);

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError)
    return (error.cause as Error).message;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

describe('pause', () => {
  it('holds moves before their flip and starts none, until resume; both are on record', async () => {
    moves.moves = 4;
    moves.hold('verify');
    const handle = await worker.change(REBALANCE);
    await moves.begun('verify 1');
    expect(await worker.decide('pause', { by: 'ann' })).toContain('paused');
    expect(await refusal(worker.decide('pause'))).toBe('the change is paused already');
    moves.release('verify');
    const held = await worker.until(({ running }) => running.every((move) => move.phase === 'paused'));
    expect(held).toMatchObject({
      phase: 'paused',
      control: { paused: true },
      moves: { done: 0, running: 2 },
    });
    await moves.begun('paused');
    expect(moves.calls.filter((call) => call.startsWith('flip') || call === 'snapshot 2')).toEqual([]);
    expect(moves.control).toMatchObject({ paused: true });
    await worker.decide('resume', { by: 'ben' });
    expect(await handle.result()).toMatchObject({ phase: 'done', moves: { done: 4 } });
    // What has waited is verified once more.
    expect([moves.count('verify 0'), moves.count('verify 2')]).toEqual([2, 1]);
    expect(moves.decisions).toEqual([
      { action: 'pause', by: 'ann', detail: {} },
      { action: 'resume', by: 'ben', detail: {} },
    ]);
    expect(moves.control).toMatchObject({ paused: false });
  });

  it('before the plan is made holds the first move, and is shown', async () => {
    moves.hold('plan');
    const handle = await worker.change(REBALANCE);
    await moves.begun('plan');
    await worker.decide('pause');
    moves.release('plan');
    await phase('paused');
    const query = `WorkflowId="${handle.workflowId}" AND MiroirPhase="paused"`;
    await expect
      .poll(async () => (await worker.client.workflow.count(query)).count, { timeout: 20_000 })
      .toBe(1);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('miroir-ctl rebalance resume');
    expect(moves.count('snapshot 0')).toBe(0);
    expect(moves.decisions).toMatchObject([{ by: 'temporal' }]);
    await worker.decide('resume');
    expect((await handle.result()).moves.done).toBe(3);
  });

  it('does not keep an abort waiting: moves that are held are cleaned up', async () => {
    moves.hold('verify');
    const handle = await worker.change(REBALANCE);
    await moves.begun('verify 1');
    await worker.decide('pause');
    moves.release('verify');
    await worker.until(({ running }) => running.every((move) => move.phase === 'paused'));
    await worker.decide('abort');
    expect(await handle.result()).toMatchObject({ phase: 'aborted', moves: { done: 0, running: 0 } });
    expect([moves.count('delete target 0'), moves.count('delete target 1')]).toEqual([1, 1]);
    expect(moves.calls.filter((call) => call.startsWith('flip'))).toEqual([]);
  });
});

describe('throttle', () => {
  it('sets how many moves run, at once', async () => {
    moves.moves = 6;
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    await worker.until((progress) => progress.moves.running === 2);
    await worker.decide('throttle', { concurrency: 5, documentsPerSecond: 7 });
    await worker.until((progress) => progress.moves.running === 5);
    expect(moves.control).toMatchObject({ concurrency: 5, documentsPerSecond: 7 });
    await worker.decide('throttle', { documentsPerSecond: null });
    expect((await worker.progress()).control).toMatchObject({ concurrency: 5, documentsPerSecond: null });
    moves.release('copy');
    expect((await handle.result()).moves.done).toBe(6);
  });

  it('sets how many moves use one node: others go first', async () => {
    moves.moves = 4;
    moves.options = { concurrency: 4, nodeConcurrency: 1 };
    // The first three all write to one node.
    moves.nodes = (ordinal) => (ordinal < 3 ? [`from-${ordinal}`, 'to'] : ['from-3', 'to-3']);
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    const running = await worker.until((progress) => progress.moves.running === 2);
    expect(running.running.map(({ moveId }) => moveId)).toEqual([idOf(0), idOf(3)]);
    await worker.decide('throttle', { nodeConcurrency: 2 });
    await worker.until((progress) => progress.moves.running === 3);
    await worker.decide('throttle', { nodeConcurrency: null });
    await worker.until((progress) => progress.moves.running === 4);
    moves.release('copy');
    expect((await handle.result()).moves.done).toBe(4);
    for (const ordinal of [0, 1, 2, 3]) expect(moves.count(`flip ${ordinal}`)).toBe(1);
  });

  it.each([
    [{}, 'give at least one'],
    [{ concurrency: 0 }, 'concurrency must be'],
    [{ nodeConcurrency: 1.5 }, 'nodeConcurrency must be'],
    [{ documentsPerSecond: -1 }, 'documentsPerSecond must be'],
  ])('refuses %j and changes nothing', async (input, message) => {
    moves.hold('plan');
    const handle = await worker.change(REBALANCE);
    await moves.begun('plan');
    expect(await refusal(worker.decide('throttle', input))).toContain(message);
    expect(moves.decisions).toEqual([]);
    await worker.decide('abort');
    await handle.result();
  });
});

describe('an approval', () => {
  it('is waited for once moves are verified; then they flip, and those that follow', async () => {
    moves.moves = 4;
    moves.options = { approve: true };
    const handle = await worker.change(REBALANCE);
    const waiting = await phase('awaiting-approval');
    expect(waiting).toMatchObject({ approved: false, moves: { done: 0 } });
    await moves.begun('awaiting-approval');
    await worker.until(
      ({ running }) => running.filter((move) => move.phase === 'awaiting-approval').length === 2,
    );
    expect(moves.calls.filter((call) => call.startsWith('flip'))).toEqual([]);
    await worker.decide('approve', { by: 'ann' });
    expect(await handle.result()).toMatchObject({ phase: 'done', approved: true, moves: { done: 4 } });
    expect(moves.count('verify 3')).toBe(1);
  });

  it('that nobody asked for is refused, and cancelling instead leaves everything as it was', async () => {
    moves.hold('copy');
    const handle = await worker.change(REBALANCE);
    await moves.begun('copy 1');
    expect(await refusal(worker.decide('approve'))).toContain('does not wait for an approval');
    await handle.cancel();
    await refusal(handle.result());

    renew();
    moves.options = { approve: true };
    const gated = await worker.change(REBALANCE);
    await worker.until(
      ({ running }) => running.filter((move) => move.phase === 'awaiting-approval').length === 2,
    );
    await gated.cancel();
    await refusal(gated.result());
    expect(moves.calls.filter((call) => call.startsWith('flip'))).toEqual([]);
    expect([moves.count('delete target 0'), moves.count('delete target 1')]).toEqual([1, 1]);
  });
});

describe('a rollback', () => {
  const rollBack = () => {
    moves.rollback = { changeId: 'before', moveId: null };
    return worker.change({ kind: 'rollback', change: 'before' });
  };

  it('of a change compares, flips back and deletes each of its moves', async () => {
    const handle = await rollBack();
    expect(await handle.result()).toMatchObject({
      phase: 'done',
      moves: { planned: 3, rolledBack: 3, done: 0 },
    });
    for (const ordinal of [0, 1, 2]) {
      const own = moves.calls.filter((call) => call.endsWith(` ${ordinal}`));
      expect(own).toEqual([
        `compare ${ordinal}`,
        `flip back ${ordinal}`,
        `flipped back ${ordinal}`,
        `delete target ${ordinal}`,
        `mark rolled-back ${ordinal}`,
      ]);
    }
  });

  it('whose source differs waits for an operator, and leaves it alone when it is skipped', async () => {
    moves.break('compare 1', '2 documents differ', 'VerifyFailed');
    const handle = await rollBack();
    await phase('needs-attention');
    await worker.decide('retry');
    await phase('needs-attention');
    await worker.decide('skip');
    expect((await handle.result()).moves).toMatchObject({ rolledBack: 2, skipped: 1, failed: 0 });
    expect(moves.count('cancel rollback 1')).toBe(1);
    expect(moves.count('delete target 1')).toBe(0);
  });

  it('that is cancelled before it flips back leaves everything as it was', async () => {
    moves.hold('compare');
    const handle = await rollBack();
    await moves.begun('compare 1');
    await handle.cancel();
    await refusal(handle.result());
    expect([moves.count('cancel rollback 0'), moves.count('cancel rollback 1')]).toEqual([1, 1]);
    expect(moves.calls.filter((call) => call.startsWith('delete'))).toEqual([]);
    expect(moves.calls.at(-1)).toBe('abandon as aborted');
  });

  it('that is cancelled while it flips back goes forward', async () => {
    moves.moves = 1;
    moves.hold('flipped back 0');
    const handle = await rollBack();
    await moves.begun('flipped back 0');
    await handle.cancel();
    // Whether it then ends as done or as cancelled is all one.
    await handle.result().catch((error: WorkflowFailedError) => error);
    expect([moves.count('delete target 0'), moves.count('mark rolled-back 0')]).toEqual([1, 1]);
  });

  it('of one move of a change that goes on: the others are made', async () => {
    moves.options = { retentionMs: 3_600_000, concurrency: 1 };
    moves.hold('copy 2');
    const handle = await worker.change(REBALANCE);
    await moves.begun('copy 2');
    expect(await refusal(worker.decide('rollback'))).toContain('name the move');
    expect(await refusal(worker.decide('rollback', { moveId: idOf(2) }))).toContain('is under way');
    await worker.decide('rollback', { moveId: idOf(0), by: 'ann' });
    moves.release('copy 2');
    expect(await handle.result()).toMatchObject({
      phase: 'done',
      moves: { planned: 3, done: 2, rolledBack: 1, failed: 0 },
    });
    expect([moves.count('compare 0'), moves.count('compare 1')]).toEqual([1, 0]);
    expect(moves.decisions).toEqual([{ action: 'rollback', by: 'ann', detail: {} }]);
  });

  it('of one move that fails is given up: it stays moved', async () => {
    moves.options = { retentionMs: 3_600_000 };
    moves.moves = 2;
    moves.hold('copy 1');
    moves.break('compare 0', 'its source is kept no longer');
    const handle = await worker.change(REBALANCE);
    await worker.until((progress) => progress.moves.done === 1);
    await worker.decide('rollback', { moveId: idOf(0) });
    await worker.until((progress) => progress.moves.failed === 1);
    moves.release('copy 1');
    await worker.decide('skip');
    expect(await handle.result()).toMatchObject({
      phase: 'done',
      moves: { done: 2, rolledBack: 0, skipped: 0 },
    });
  });
});

describe('the end of the retention', () => {
  it('deletes what is due, in a workflow of its own that anybody may start', async () => {
    const due = [
      { moveId: 'x-1', side: 'source' as const },
      { moveId: 'x-2', side: 'target' as const },
      { moveId: 'x-3', side: 'source' as const },
    ];
    moves.due = due;
    moves.break('delete source 3', 'the node does not answer');
    const handle = await worker.client.workflow.start('endRetention', {
      workflowId: `miroir/retention/${worker.clusterId}`,
      taskQueue: worker.taskQueue,
      args: [{ changeId: 'before' }],
    });
    expect(await handle.result()).toBe('2 of 3 replicas deleted, 0 changes closed');
    expect(moves.calls).toEqual(
      expect.arrayContaining([
        'end retention',
        'delete source 1',
        'mark done 1',
        'delete target 2',
        'mark rolled-back 2',
      ]),
    );
    expect(moves.count('mark done 3')).toBe(0);
  });
});
