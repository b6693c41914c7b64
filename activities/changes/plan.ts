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
  for (const id of change.removed)
    await deps.store.setNodeState(id, 'draining', `change ${change.changeId} drains ${id}`);
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
  }
}

/** How many documents the moves have to bring, asked of the nodes that they are read from. */
async function countDocuments(deps: ActivityDeps, moves: readonly NewMove[]): Promise<number> {
  const bySource = new Map<string, { incarnation: number; node: string; shards: number[] }>();
  for (const move of moves) {
    const key = `${move.incarnation}/${move.copyFrom}`;
    const group = bySource.get(key) ?? { incarnation: move.incarnation, node: move.copyFrom, shards: [] };
    group.shards.push(move.shard);
    bySource.set(key, group);
  }
  const topology = await deps.store.readTopology();
  let total = 0;
  for (const { incarnation, node, shards } of bySource.values()) {
    const index = topology.indexes.find((candidate) => candidate.incarnation === incarnation);
    const name = index?.physicalNames[node];
    if (name === undefined) continue;
    // A shard that is in several moves is brought to several nodes.
    for (const shard of shards) {
      const client = await deps.nodes.client(node);
      const answer = await client.json<{ total: number }>({
        method: 'POST',
        path: `/indexes/${name}/documents/fetch`,
        body: JSON.stringify({ limit: 0, filter: shardFilter([shard]) }),
      });
      total += answer.total;
    }
  }
  return total;
}
