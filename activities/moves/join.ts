// Replay and join: the target's stream catches up with what was written since the snapshot.
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { awaitControl, requestControl } from './controls.js';

/** Answers whether the shard joined; false when a settings or index entry came between and the copy must begin again. */
export async function joinShard(
  deps: ActivityDeps,
  moveId: string,
  beat: Beat,
): Promise<{ joined: boolean }> {
  const { store } = deps;
  const move = await store.updateMove(moveId, { phase: 'replay' });
  beat.report({ phase: 'replay', shard: move.shard });
  const id = await requestControl(store, {
    node: move.targetNode,
    kind: 'replay',
    key: `${moveId}/${move.attempt}/replay`,
    moveId,
    incarnation: move.incarnation,
    shard: move.shard,
    args: { attempt: move.attempt },
  });
  await deps.faults.reach('join.requested');
  const result = await awaitControl(deps, id, beat);
  await deps.faults.reach('join.done');
  return { joined: result.joined === true };
}
