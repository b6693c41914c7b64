// A rollback as a change of its own: which moves it takes back, and what becomes of the nodes.
import { editsOf, releasedNodes } from '../../shared/core/change-edits.js';
import { describeNoWayBack } from '../../shared/core/rollback-refusal.js';
import type { ChangeRow } from '../../shared/io/store-changes.js';
import type { ValidatedChange } from '../../workflows/messages.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

type Rollback = NonNullable<ValidatedChange['rollback']>;

/** Judges what is to be taken back. Throws InvalidInput with what to do instead. */
export async function requireRollback(
  { store }: ActivityDeps,
  input: { change?: string; move?: string },
): Promise<Rollback> {
  if ((input.change === undefined) === (input.move === undefined))
    throw finalFailure(
      'InvalidInput',
      'a rollback names one change, or one move: {"kind":"rollback","change":"…"}',
    );
  const moveId = input.move ?? null;
  const move = moveId === null ? null : await store.readMove(moveId);
  if (moveId !== null && move === null) throw finalFailure('InvalidInput', `there is no move "${moveId}"`);
  const changeId = move?.changeId ?? input.change!;
  const change = await store.readChange(changeId);
  if (change === null) throw finalFailure('InvalidInput', `there is no change "${changeId}"`);
  if (move !== null) requireNobodyLeaves(change, move.id);
  const { sources } = await store.readRetention(changeId);
  if (sources === 0 || move?.sourceNode === null)
    throw finalFailure(
      'InvalidInput',
      `${move === null ? `change ${changeId}` : `move ${move.id}`} cannot be rolled back: ` +
        describeNoWayBack(move === null ? await store.listMoves(changeId) : [move]),
    );
  return { changeId, moveId };
}

/** A node that leaves the fleet cannot keep one shard: such a change is taken back as a whole, or not at all. */
export function requireNobodyLeaves(change: ChangeRow, moveId: string): void {
  const leaving = releasedNodes(editsOf(change.input));
  if (leaving.length === 0) return;
  throw finalFailure(
    'InvalidInput',
    `change ${change.id} removes ${leaving.join(', ')}, which cannot keep the shard of move ${moveId} alone: roll the ` +
      'whole change back once it has ended',
  );
}

/** Gives a rollback its moves, and makes nodes that were leaving members again. */
export async function planRollback(
  deps: ActivityDeps,
  change: ValidatedChange,
  rollback: Rollback,
): Promise<{ moves: number; documents: number }> {
  const { store } = deps;
  const which = rollback.moveId === null ? { changeId: rollback.changeId } : { moveId: rollback.moveId };
  const moves = await store.planRollback(change.changeId, which);
  if (moves === 0)
    throw finalFailure(
      'InvalidInput',
      'what was to be rolled back is kept no longer: its retention has just ended',
    );
  if (rollback.moveId === null) await store.takeBackEdits(rollback.changeId);
  return { moves, documents: 0 };
}

/** A rollback that took nothing back leaves the change that it was about as it was. */
export async function abandonRollback(
  deps: ActivityDeps,
  change: ValidatedChange,
  rollback: Rollback,
): Promise<void> {
  const { store } = deps;
  await store.closeRollback(change.changeId);
  if ((await store.readChange(rollback.changeId))?.status === 'rolled-back') return;
  if (rollback.moveId === null) await store.makeEditsAgain(rollback.changeId);
}

/**
 * Nodes that the change had added hold nothing now: they get nothing new until an operator says so. Where nothing was
 * taken back, the change stands as long as it keeps something; else (its index was deleted meanwhile) it is over, and
 * the nodes that were leaving stay.
 */
export async function finishRollback(
  deps: ActivityDeps,
  change: ValidatedChange,
  rollback: Rollback,
): Promise<void> {
  const { store } = deps;
  await store.closeRollback(change.changeId);
  const taken = rollback.moveId === null ? await store.readChange(rollback.changeId) : null;
  if (taken === null) return;
  if (taken.status !== 'rolled-back') {
    if ((await store.readRetention(taken.id)).sources > 0) return store.makeEditsAgain(taken.id);
    await store.setChangeStatus(taken.id, 'rolled-back');
  }
  const edits = editsOf(taken.input);
  for (const { id } of edits.add)
    if ((await store.countReplicas([id])).serving === 0)
      await store.setNodeState(id, 'drained', `change ${change.changeId} rolled ${taken.id} back`);
}
