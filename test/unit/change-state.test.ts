// What a running change decides about its moves: the order, the window, nodes that are busy, and what it carries on.
import { describe, expect, it } from 'vitest';
import { ChangeState } from '../../workflows/change-state.js';
import type { MoveToStart, ValidatedChange } from '../../workflows/messages.js';

const OPTIONS = {
  retentionMs: 0,
  concurrency: 3,
  stepDeadlineMs: 1_000,
  approve: false,
  nodeConcurrency: null,
  copyChunkDocuments: null,
  copyDocumentsPerSecond: null,
};

/** A state with these moves known, each with the nodes that it uses. */
function begun(nodes: string[][], options: Partial<ValidatedChange['options']> = {}) {
  const state = new ChangeState('rebalance');
  state.planned = nodes.length;
  state.begin({ ...OPTIONS, ...options });
  state.know(0, page(nodes));
  return state;
}

const page = (nodes: string[][], first = 0): MoveToStart[] =>
  nodes.map((own, at) => ({ moveId: `m-${first + at}`, nodes: own }));
const startAll = (state: ChangeState) => {
  const started: string[] = [];
  for (let id = state.takeNext(); id !== null; id = state.takeNext()) started.push(id);
  return started;
};

describe('moves', () => {
  it('start in order within the window, and none while the change is paused', () => {
    const state = begun([[], [], [], []]);
    expect(startAll(state)).toEqual(['m-0', 'm-1', 'm-2']);
    state.pause(true);
    state.end('m-0', 'done');
    expect(startAll(state)).toEqual([]);
    state.pause(false);
    expect(startAll(state)).toEqual(['m-3']);
  });

  it('whose nodes are busy let others pass, and come first when they are free', () => {
    const state = begun(
      [
        ['a', 'x'],
        ['a', 'y'],
        ['b', 'x'],
        ['c', 'z'],
        ['d', 'w'],
      ],
      { nodeConcurrency: 1 },
    );
    expect(startAll(state)).toEqual(['m-0', 'm-3', 'm-4']);
    expect(state.hasWork()).toBe(true);
    state.end('m-0', 'done');
    expect(startAll(state)).toEqual(['m-1']);
    state.end('m-3', 'done');
    // m-2 writes to x, which is free; the window is not full.
    expect(startAll(state)).toEqual(['m-2']);
    for (const id of ['m-1', 'm-2', 'm-4']) state.end(id, 'done');
    expect(state.isComplete()).toBe(true);
    expect(state.done).toBe(5);
  });

  it('that were passed over, failed or are to be taken back are carried into the next run, with what was set', () => {
    const state = begun([['a'], ['a'], ['b'], []], { nodeConcurrency: 1, approve: true });
    expect(startAll(state)).toEqual(['m-0', 'm-2', 'm-3']);
    state.end('m-2', 'done');
    state.end('m-3', 'done');
    state.fail('m-0', 'it broke');
    state.takeBack('m-2');
    state.throttle({ documentsPerSecond: 9 });
    state.approve();
    const next = new ChangeState('rebalance', state.toResume({} as ValidatedChange));
    next.know(next.next, []);
    expect([next.approved, next.control]).toEqual([
      true,
      { paused: false, concurrency: 3, nodeConcurrency: 1, documentsPerSecond: 9 },
    ]);
    expect(next.progress()).toMatchObject({ moves: { planned: 4, done: 2, failed: 1 } });
    expect(startAll(next)).toEqual(['m-2', 'm-1']);
    expect(next.backward.has('m-2')).toBe(true);
    next.end('m-2', 'rolled-back');
    expect(next.progress()).toMatchObject({ moves: { done: 1, rolledBack: 1 } });
  });

  it('are looked at page by page', () => {
    const state = begun([[], []]);
    state.planned = 4;
    expect(startAll(state)).toEqual(['m-0', 'm-1']);
    expect(state.isPageOver()).toBe(true);
    state.know(2, page([[], []], 2));
    expect(startAll(state)).toEqual(['m-2']);
    expect(state.isPageOver()).toBe(false);
  });
});

describe('what an operator sets', () => {
  it('before the options of the change are known stands over them', () => {
    const state = new ChangeState('rebalance');
    state.throttle({ concurrency: 9 });
    state.pause(true);
    state.begin({ ...OPTIONS, nodeConcurrency: null });
    expect(state.control).toEqual({
      paused: true,
      concurrency: 9,
      nodeConcurrency: null,
      documentsPerSecond: null,
    });
  });

  it('is refused with a sentence once the change takes no more decisions', () => {
    const state = begun([[]]);
    state.close();
    for (const judge of [
      () => state.requirePaused(false),
      () => state.requireApproval(),
      () => state.requireThrottle({ concurrency: 1 }),
      () => state.requireAtRest('m-0'),
      () => state.requireFailed(undefined),
    ])
      expect(judge).toThrow(/nothing left to decide/);
  });

  it('leaves moves that were never begun alone when the change ends', () => {
    const state = begun([['a'], ['a'], []], { nodeConcurrency: 1 });
    startAll(state);
    state.fail('m-0', 'it broke');
    state.retry(undefined);
    state.close();
    expect(state.takeFailed(undefined)).toEqual(['m-0']);
    expect(state.hasWork()).toBe(false);
  });
});
