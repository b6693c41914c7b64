// Delete: `deleting` is committed first, then the node's stream deletes the shard's documents, then the row goes.
import { editsOf, releasedNodes } from '../../shared/core/change-edits.js';
import type { NodeId } from '../../shared/core/topology.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { awaitControl, ControlFailed, requestControl } from './controls.js';

/** Deletes a move's source after its flip, or its target when the move is given up before. */
export async function deleteReplica(
  deps: ActivityDeps,
  moveId: string,
  side: 'source' | 'target',
  beat: Beat,
  isPlaceWanted = false,
): Promise<{ deleted: number }> {
  const { store } = deps;
  for (;;) {
    beat.report({ phase: 'delete', side });
    if (await store.beginDelete(moveId, side, isPlaceWanted)) break;
    // A proxy may still read it, or it may be the last good copy.
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
    deleted = await awaitDeletion(deps, move, node, id, beat);
  }
  await deps.faults.reach('delete.deleted');
  await store.finishDelete(moveId, side);
  return { deleted };
}

const POLL_MS = 20;

/** A node that leaves the fleet and does not answer cannot delete, and need not: its indexes go with it. */
async function awaitDeletion(
  deps: ActivityDeps,
  move: MoveRow,
  node: NodeId,
  controlId: number,
  beat: Beat,
): Promise<number> {
  const change = await deps.store.readChange(move.changeId);
  const isLeaving = change !== null && releasedNodes(editsOf(change.input)).includes(node);
  if (!isLeaving) return Number((await awaitControl(deps, controlId, beat)).deleted ?? 0);
  for (;;) {
    const [control] = await deps.store.readControls([controlId]);
    if (control?.status === 'done') return Number(control.result?.deleted ?? 0);
    const streams = await deps.store.readStreams();
    if (streams.find((stream) => stream.node === node)?.lastError) return 0;
    if (control?.status === 'failed') throw new ControlFailed(control);
    await beat.sleep(POLL_MS);
  }
}
