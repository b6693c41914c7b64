// The plan of a change: the smallest diff between the committed replicas and the target, written down as moves.
import { planMoves } from '../../shared/core/plan.js';
import { shardFilter } from '../../shared/core/topology.js';
import type { NewMove } from '../../shared/io/store.js';
import { moveIdOf, type ValidatedChange } from '../../workflows/messages.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

/** Plans against one epoch; again when the topology changed before the plan was saved. */
export async function planChange(
  deps: ActivityDeps,
  change: ValidatedChange,
  beat: Beat,
): Promise<{ moves: number; documents: number }> {
  // A change is planned once: what a dead worker planned stands, moves of it may be under way.
  const known = await deps.store.readChange(change.changeId);
  if (known !== null && known.plannedAt !== null)
    return { moves: known.plannedMoves, documents: known.plannedDocuments };
  for (const id of change.removed)
    await deps.store.setNodeState(id, 'draining', `change ${change.changeId} drains ${id}`);
  await demoteDead(deps, change);
  for (;;) {
    const topology = await deps.store.readTopology();
    const plan = planMoves({
      topology,
      desiredNodes: topology.nodes.filter((node) => node.state === 'active').map((node) => node.id),
      hash: deps.hash,
    });
    if (plan.refusal !== null) throw finalFailure('InvalidInput', plan.refusal);
    beat.report({ phase: 'planning', moves: plan.moves.length });
    const moves: NewMove[] = plan.moves.map((move, ordinal) => ({
      id: moveIdOf(change.changeId, ordinal),
      ...move,
    }));
    const documents = await countDocuments(deps, moves);
    if (await deps.store.planMoves(change.changeId, topology.epoch, moves, documents))
      return { moves: moves.length, documents };
    await beat.sleep(20);
    const planned = await deps.store.readChange(change.changeId);
    if (planned !== null && planned.plannedAt !== null)
      return { moves: planned.plannedMoves, documents: planned.plannedDocuments };
    if (planned !== null && planned.finishedAt !== null)
      throw finalFailure(
        'Conflict',
        `change ${change.changeId} is ${planned.status}: it is not planned any more`,
      );
  }
}

/** A node that leaves and does not answer is read from by nobody: its shards are copied from their other replicas. */
async function demoteDead(deps: ActivityDeps, change: ValidatedChange): Promise<void> {
  for (const id of change.removed) {
    const client = await deps.nodes.client(id);
    try {
      await client.request({ method: 'GET', path: '/health', headersTimeoutMs: 3_000 });
    } catch (error) {
      await deps.store.demoteNode(id, `change ${change.changeId}: ${(error as Error).message}`);
    }
  }
}

/** How many documents the moves have to bring, asked of the nodes that they are read from. */
async function countDocuments(deps: ActivityDeps, moves: readonly NewMove[]): Promise<number> {
  const topology = await deps.store.readTopology();
  let total = 0;
  for (const move of moves) {
    if (move.kind === 'drop') continue;
    const index = topology.indexes.find((candidate) => candidate.incarnation === move.incarnation);
    const name = index?.physicalNames[move.copyFrom];
    if (name === undefined) continue;
    const client = await deps.nodes.client(move.copyFrom);
    const answer = await client.json<{ total: number }>({
      method: 'POST',
      path: `/indexes/${name}/documents/fetch`,
      body: JSON.stringify({ limit: 0, filter: shardFilter([move.shard]) }),
    });
    total += answer.total;
  }
  return total;
}
