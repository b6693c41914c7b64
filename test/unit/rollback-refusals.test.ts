// A change that takes a node out of the fleet is taken back as a whole or not at all, while it runs and afterwards.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDecisionActivities } from '../../activities/changes/decisions.js';
import { requireRollback } from '../../activities/changes/rollback.js';
import type { ActivityDeps } from '../../activities/deps.js';
import type { ChangeRequest } from '../../shared/core/change-edits.js';
import { StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
let deps: ActivityDeps;
let incarnation: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  incarnation = await fleet.createIndex('books', [['a', 'b']]);
  deps = { store: fleet.store } as unknown as ActivityDeps;
});
afterEach(() => fleet.close());

/** A change whose one move has brought the shard from a to c. */
async function moved(input: ChangeRequest): Promise<void> {
  const { store } = fleet;
  await store.openChange({ id: 'change', kind: input.kind, input, runId: 'change' });
  const move = { indexUid: 'books', incarnation, shard: 0, sourceNode: 'a', copyFrom: 'a', targetNode: 'c' };
  expect(await store.planMoves('change', await store.readEpoch(), [{ id: 'move', ...move }], 0)).toBe(true);
  await fleet.verifyMove('move');
  await store.flipMove('move', 60_000);
  await store.updateMove('move', { phase: 'retain' });
}

it('refuses one move of a change that removes a node, running or over', async () => {
  await moved({ kind: 'remove', nodes: ['a'] });
  const { requireRetained } = createDecisionActivities(deps);
  const why = 'change change removes a, which cannot keep the shard of move move alone';
  await expect(requireRetained('change', 'move')).rejects.toThrow(why);
  await expect(requireRollback(deps, { move: 'move' })).rejects.toThrow(why);
  expect(await requireRollback(deps, { change: 'change' })).toEqual({ changeId: 'change', moveId: null });
});

it('takes one move of a change back that keeps its nodes', async () => {
  await moved({ kind: 'drain', nodes: ['a'] });
  await createDecisionActivities(deps).requireRetained('change', 'move');
  expect(await requireRollback(deps, { move: 'move' })).toEqual({ changeId: 'change', moveId: 'move' });
});
