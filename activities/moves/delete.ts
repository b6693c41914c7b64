// Delete: `deleting` is committed first, then the node's stream deletes the shard's documents, then the row goes.
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { awaitControl, requestControl } from './controls.js';

/** Deletes a move's source after its flip, or its target when the move is given up before. */
export async function deleteReplica(
  deps: ActivityDeps,
  moveId: string,
  side: 'source' | 'target',
  beat: Beat,
): Promise<{ deleted: number }> {
  const { store } = deps;
  for (;;) {
    beat.report({ phase: 'delete', side });
    if (await store.beginDelete(moveId, side)) break;
    // A proxy may still read it.
    await beat.sleep(20);
  }
  await deps.faults.reach('delete.committed');
  const move = await store.readMove(moveId);
  if (!move) throw new Error(`there is no move "${moveId}"`);
  const node = side === 'source' ? move.sourceNode : move.targetNode;
  const topology = await store.readTopology();
  const index = topology.indexes.find((candidate) => candidate.incarnation === move.incarnation);
  const row = node === null ? undefined : index?.shards[move.shard]?.find((replica) => replica.node === node);
  let deleted = 0;
  if (node !== null && row?.state === 'deleting' && row.moveId === moveId) {
    if (side === 'source') await store.updateMove(moveId, { phase: 'delete' });
    const id = await requestControl(store, {
      node,
      kind: 'delete',
      key: `${moveId}/${move.attempt}/delete/${side}`,
      moveId,
      incarnation: move.incarnation,
      shard: move.shard,
      args: {},
    });
    deleted = Number((await awaitControl(store, id, beat)).deleted ?? 0);
  }
  await deps.faults.reach('delete.deleted');
  await store.finishDelete(moveId, side);
  return { deleted };
}
