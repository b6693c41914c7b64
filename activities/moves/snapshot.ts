// Snapshot: the target's stream holds and clears the shard; then the source's position and its list of ids.
import { shardFilter } from '../../shared/core/topology.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { fetchIds } from '../stream/shard-documents.js';
import { awaitControl, requestControl } from './controls.js';
import { deleteReplica } from './delete.js';
import { readFromNode } from './shard-source.js';

/** Begins a copy (again): answers how many documents it has to bring. */
export async function snapshotShard(
  deps: ActivityDeps,
  moveId: string,
  beat: Beat,
): Promise<{ documents: number; position: number; attempt: number }> {
  const { store } = deps;
  await freeTarget(deps, moveId, beat);
  const move = await store.holdReplica(moveId);
  await deps.faults.reach('snapshot.held');
  beat.report({ phase: 'snapshot', shard: move.shard });
  const id = await requestControl(store, {
    node: move.targetNode,
    kind: 'clear',
    key: `${moveId}/${move.attempt}/clear`,
    moveId,
    incarnation: move.incarnation,
    shard: move.shard,
    args: { attempt: move.attempt },
  });
  await awaitControl(deps, id, beat);
  await deps.faults.reach('snapshot.cleared');

  // The position first: what the list misses came after it and will be replayed.
  const streams = await store.readStreams();
  const source = streams.find((stream) => stream.node === move.copyFrom);
  if (!source)
    throw finalFailure('Conflict', `node ${move.copyFrom} has left the topology while it was copied from`);
  const ids = await readFromNode(deps, move, move.copyFrom, async (client, name, index) =>
    index.primaryKey === null
      ? []
      : fetchIds(client, name, index.primaryKey, { filter: shardFilter([move.shard]), signal: beat.signal }),
  );
  await store.saveSnapshot(moveId, source.position, ids, move.attempt);
  await deps.faults.reach('snapshot.saved');
  return { documents: ids.length, position: source.position, attempt: move.attempt };
}

/** What an earlier move still keeps on the target goes first: the newer change has decided otherwise. */
async function freeTarget(deps: ActivityDeps, moveId: string, beat: Beat): Promise<void> {
  const { store } = deps;
  const move = await store.readMove(moveId);
  const { indexes } = await store.readTopology();
  const index = indexes.find((candidate) => candidate.incarnation === move?.incarnation);
  const row = index?.shards[move!.shard]?.find((replica) => replica.node === move!.targetNode);
  if (row?.moveId === null || row?.moveId === undefined || row.moveId === moveId) return;
  if (row.state !== 'retained' && row.state !== 'deleting') return;
  const owner = await store.readMove(row.moveId);
  if (owner?.flippedEpoch === null || owner === null) return;
  const side = owner.rolledBackEpoch === null ? 'source' : 'target';
  await deleteReplica(deps, owner.id, side, beat, true);
  await store.updateMove(owner.id, { phase: side === 'source' ? 'done' : 'rolled-back' });
}
