// The way back of one move: its source is compared with what the fleet has now, then becomes readable in one epoch.

import type { NodeId } from '../../shared/core/topology.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { awaitLeases } from './flip.js';
import { type Compared, compareReplicas } from './verify.js';

/** Compares the retained source with an in-sync replica: it may be read again only when it has the same documents. */
export async function compareSource(deps: ActivityDeps, moveId: string, beat: Beat): Promise<Compared> {
  const { store } = deps;
  const move = await store.beginRollback(moveId);
  if (move.rolledBackEpoch !== null) return { documents: 0, digest: '', rounds: 0 };
  await deps.faults.reach('rollback.begun');
  const compared = await compareReplicas(
    deps,
    move,
    { trusted: await chooseTrusted(deps, move), judged: move.sourceNode! },
    beat,
  );
  await deps.faults.reach('rollback.compared');
  await store.markRollbackVerified(moveId);
  await deps.faults.reach('rollback.verified');
  return compared;
}

/** The replica that the move has made; another in-sync one where that node has fallen behind. */
async function chooseTrusted(deps: ActivityDeps, move: MoveRow): Promise<NodeId> {
  const { indexes } = await deps.store.readTopology();
  const index = indexes.find((candidate) => candidate.incarnation === move.incarnation);
  const readable = (index?.shards[move.shard] ?? []).filter((replica) => replica.state === 'in-sync');
  const chosen = readable.find((replica) => replica.node === move.targetNode) ?? readable[0];
  return chosen?.node ?? move.targetNode;
}

export async function flipBack(deps: ActivityDeps, moveId: string, beat: Beat): Promise<{ epoch: number }> {
  for (;;) {
    beat.report({ phase: 'flip back' });
    await deps.faults.reach('rollback.flip');
    const answer = await deps.store.flipBack(moveId);
    if (answer.flipped) {
      await deps.faults.reach('rollback.flipped');
      await awaitLeases(deps.store, answer.epoch, beat);
      await deps.faults.reach('rollback.acknowledged');
      return { epoch: answer.epoch };
    }
    if (answer.reason === 'not-verified' || answer.reason === 'moved-on')
      throw finalFailure('StaleEpoch', `the move may not flip back: ${answer.reason}`);
    // Behind a task that has succeeded, in trouble, or beside another move of the shard: that passes, or the step ends.
    await beat.sleep(20);
  }
}
