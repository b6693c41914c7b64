// What a plan was made for: as long as this is the same, the plan may be run as it is. Epochs change with every
// setting and every lagging node; this changes only with what a plan depends on.
import type { Hash64 } from './placement.js';
import { isDemoted, isDiverged } from './replica-states.js';
import type { Topology, TopologyIndex } from './topology.js';

export interface PlanBasis {
  /** One line a node: everything of it that placement looks at. */
  nodes: Record<string, string>;
  /** By uid. */
  indexes: Record<string, { incarnation: number; replicationFactor: number; holders: string }>;
  replicationFactor: number;
}

export function basisOf(topology: Topology, hash: Hash64): PlanBasis {
  return {
    nodes: Object.fromEntries(
      topology.nodes.map(({ id, url, zone, weight, state, placementKey }) => [
        id,
        `${state}, weight ${weight}, zone ${zone ?? 'none'}, at ${url}${placementKey ? `, placed as ${placementKey}` : ''}`,
      ]),
    ),
    indexes: Object.fromEntries(
      topology.indexes
        .filter((index) => index.deletedSeq === null)
        .map((index) => [
          index.uid,
          {
            incarnation: index.incarnation,
            replicationFactor: index.replicationFactor,
            holders: hash(listHolders(index)).toString(16),
          },
        ]),
    ),
    replicationFactor: topology.replicationFactor,
  };
}

/** Who holds each shard, whether it keeps up at the moment or not; sources that wait for their deletion do not count. */
function listHolders(index: TopologyIndex): string {
  return index.shards
    .map((replicas) =>
      replicas
        .filter((replica) => replica.state === 'in-sync' || isDemoted(replica) || isDiverged(replica))
        .map((replica) => replica.node)
        .sort()
        .join(','),
    )
    .join(';');
}

/** What is different now, in sentences; empty when the plan still holds. */
export function describeBasisChange(planned: PlanBasis, now: PlanBasis): string[] {
  const changes = [...describeNodes(planned, now), ...describeHolders(planned, now)];
  const factor = (count: number) => `${count} ${count === 1 ? 'replica' : 'replicas'}`;
  for (const [uid, { replicationFactor }] of Object.entries(planned.indexes)) {
    const index = now.indexes[uid];
    if (index && index.replicationFactor !== replicationFactor)
      changes.push(
        `index \`${uid}\` kept ${factor(replicationFactor)}, and keeps ${factor(index.replicationFactor)}`,
      );
  }
  if (planned.replicationFactor !== now.replicationFactor)
    changes.push(
      `new indexes kept ${factor(planned.replicationFactor)}, and keep ${factor(now.replicationFactor)}`,
    );
  return changes;
}

function describeNodes(planned: PlanBasis, now: PlanBasis): string[] {
  const changes: string[] = [];
  for (const id of new Set([...Object.keys(planned.nodes), ...Object.keys(now.nodes)])) {
    const [before, after] = [planned.nodes[id], now.nodes[id]];
    if (before === after) continue;
    if (before === undefined) changes.push(`node \`${id}\` has come`);
    else if (after === undefined) changes.push(`node \`${id}\` has gone`);
    else changes.push(`node \`${id}\` was ${before}, and is ${after}`);
  }
  return changes;
}

/** Only where replicas are: a change that is under way has edited nodes and replication factors itself. */
export function describeHolders(planned: PlanBasis, now: PlanBasis): string[] {
  const changes: string[] = [];
  for (const uid of new Set([...Object.keys(planned.indexes), ...Object.keys(now.indexes)])) {
    const [before, after] = [planned.indexes[uid], now.indexes[uid]];
    if (before === undefined) changes.push(`index \`${uid}\` was created`);
    else if (after === undefined) changes.push(`index \`${uid}\` was deleted`);
    else if (before.incarnation !== after.incarnation) changes.push(`index \`${uid}\` was created anew`);
    else if (before.holders !== after.holders) changes.push(`replicas of index \`${uid}\` have moved`);
  }
  return changes;
}
