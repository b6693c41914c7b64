// Moves that only take a surplus replica away, on a real Temporal server: no copy, and nothing to clean up before the flip.
import { beforeEach, expect, it } from 'vitest';
import { useFakeFleet } from '../support/fake-fleet.js';
import type { FakeMoves } from '../support/fake-moves.js';
import type { WorkflowWorker } from '../support/workflow-worker.js';

let worker: WorkflowWorker;
let moves: FakeMoves;
useFakeFleet((fleet) => {
  ({ worker, moves } = fleet);
});
beforeEach(() => {
  moves.moves = 2;
  moves.drops.add(1);
});

const callsOf = (ordinal: number) => moves.calls.filter((call) => call.endsWith(` ${ordinal}`));

it('flip and delete without a copy', async () => {
  const handle = await worker.change({ kind: 'rebalance' });
  expect(await handle.result()).toMatchObject({ phase: 'done', moves: { done: 2 } });
  expect(callsOf(0)).toContain('copy 0');
  expect(callsOf(1)).toEqual(['flip 1', 'flipped 1', 'delete source 1', 'mark done 1']);
});

it('are left out where they cannot be made, and leave nothing to clean up', async () => {
  moves.break('flip 1', 'too few replicas would be left');
  const handle = await worker.change({ kind: 'rebalance' });
  await worker.until(({ phase }) => phase === 'needs-attention');
  expect(await worker.decide('skip')).toContain('1 moves skipped');
  expect(await handle.result()).toMatchObject({ phase: 'done', moves: { done: 1, skipped: 1 } });
  expect(callsOf(1).filter((call) => call.startsWith('delete'))).toEqual([]);
  expect(callsOf(1)).toContain('mark skipped 1');
});

it('are undone by a cancellation before their flip, which deletes nothing', async () => {
  moves.moves = 1;
  moves.drops.clear();
  moves.drops.add(0);
  moves.hold('flip 0');
  const handle = await worker.change({ kind: 'rebalance' });
  await moves.begun('flip 0');
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  // The step ends as if it had come to nothing: its answer reaches nobody.
  expect(callsOf(0).filter((call) => call.startsWith('delete target'))).toEqual([]);
  expect(moves.calls).toContain('abandon as aborted');
});
