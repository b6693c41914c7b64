// Strays: documents on a node that belong to none of the shards it holds. Searches never ask for them; they take room.
import { heldShards, strayFilter } from '../../shared/core/strays.js';
import { NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import type { ItemOutcome, VerificationItem } from '../../shared/io/store-verifications.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { readFromNode } from '../moves/shard-source.js';
import { fetchIds } from '../stream/shard-documents.js';
import { liveIndex } from './replicas.js';
import { EQUAL } from './shard.js';

const SAMPLES = 20;

export async function findStrays(
  deps: ActivityDeps,
  item: VerificationItem,
  beat: Beat,
): Promise<ItemOutcome> {
  const node = item.node!;
  for (;;) {
    const before = liveIndex(await deps.store.readTopology(), item.incarnation);
    if (before?.physicalNames[node] === undefined)
      return { ...EQUAL, status: 'skipped', detail: { reason: 'the node does not have the index any more' } };
    const held = heldShards(before, node);
    let ids: string[];
    try {
      ids = await readFromNode(deps, item, node, async (client, name, index) =>
        index.primaryKey === null
          ? []
          : fetchIds(client, name, index.primaryKey, { filter: strayFilter(held), signal: beat.signal }),
      );
    } catch (error) {
      if (!(error instanceof NodeUnreachable || error instanceof NodeRefusal)) throw error;
      return { ...EQUAL, status: 'unchecked', detail: { unchecked: [{ node, reason: error.message }] } };
    }
    if (ids.length === 0) return EQUAL;
    // A shard that arrived or left while the node was asked: ask again.
    const after = liveIndex(await deps.store.readTopology(), item.incarnation);
    if (after !== null && heldShards(after, node).join() !== held.join()) continue;
    return {
      ...EQUAL,
      status: 'different',
      extra: ids.length,
      detail: {
        reason: `node ${node} has ${ids.length} documents of shards that it does not hold`,
        samples: ids.slice(0, SAMPLES).map((id) => ({ id, on: { [node]: 'stray' } })),
      },
    };
  }
}
