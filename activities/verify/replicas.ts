// Which replicas of a shard can be compared now, and waiting until their streams are past what the journal holds.
import { isDemoted, isDiverged } from '../../shared/core/replica-states.js';
import type { NodeId, Replica, Topology, TopologyIndex } from '../../shared/core/topology.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';

/** Replicas that have all of their shard and are nobody's target; one that is marked is known to be wrong. */
export function comparableReplicas(index: TopologyIndex, shard: number): Replica[] {
  return (index.shards[shard] ?? []).filter(
    (replica) => replica.state === 'in-sync' || replica.state === 'retained' || isDemoted(replica),
  );
}

export function divergedNodes(index: TopologyIndex, shard: number): NodeId[] {
  return (index.shards[shard] ?? []).filter(isDiverged).map((replica) => replica.node);
}

/** The index while it lives; null once it is deleted. */
export function liveIndex(topology: Topology, incarnation: number): TopologyIndex | null {
  const index = topology.indexes.find((candidate) => candidate.incarnation === incarnation);
  return index === undefined || index.deletedSeq !== null ? null : index;
}

/** What a comparison relies on: as long as it is the same, the replicas have received the same entries. */
export function fingerprint(replicas: readonly Replica[]): string {
  return replicas.map(({ node, state, sinceEpoch }) => `${node} ${state} ${sinceEpoch}`).join('\n');
}

/** For so long a stream may stand still before its node is left out. */
const BEHIND_MS = 10_000;
const POLL_MS = 20;

/** Waits until the nodes' streams have passed `head`. Answers those that do not get there, with the reason. */
export async function awaitPositions(
  deps: ActivityDeps,
  nodes: readonly NodeId[],
  head: number,
  beat: Beat,
): Promise<{ node: NodeId; reason: string }[]> {
  let seen = '';
  let sinceMs = deps.clock.nowMs();
  for (;;) {
    const streams = await deps.store.readStreams();
    const late = nodes.flatMap((node) => {
      const stream = streams.find((candidate) => candidate.node === node);
      return stream === undefined || stream.position < head ? [{ node, stream }] : [];
    });
    if (late.length === 0) return [];
    const positions = late.map(({ stream }) => stream?.position).join(' ');
    if (positions !== seen) sinceMs = deps.clock.nowMs();
    seen = positions;
    const isStuck = late.every(({ stream }) => stream === undefined || stream.lastError !== null);
    if (isStuck || deps.clock.nowMs() - sinceMs > BEHIND_MS)
      return late.map(({ node, stream }) => ({
        node,
        reason:
          stream?.lastError ??
          `its stream stands at ${stream?.position ?? 'nothing'}, the journal at ${head}`,
      }));
    await beat.sleep(POLL_MS);
  }
}
