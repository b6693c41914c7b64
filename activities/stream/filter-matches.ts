// A deletion by filter does not commute with a copy under way: the stream of the copy's source records which ids it
// matches, just before it applies it, and the target replays those ids.
import { shardFilter } from '../../shared/core/topology.js';
import { NodeRefusal } from '../../shared/io/node-client.js';
import type { DeliveryEntry } from '../../shared/io/store.js';
import type { PhysicalIndex, StreamContext } from './context.js';
import { fetchIds } from './shard-documents.js';

export async function recordMatches(
  context: StreamContext,
  entry: DeliveryEntry,
  index: PhysicalIndex,
): Promise<void> {
  if (entry.meta.kind !== 'documentDeletion' || entry.meta.filter === null || index.primaryKey === null)
    return;
  const shards = await context.store.readCopyingShards(context.node, entry.incarnation);
  if (shards.length === 0) return;
  const filter = JSON.parse(entry.meta.filter) as unknown;
  const matches: { shard: number; ids: string[] }[] = [];
  for (const shard of shards) {
    matches.push({ shard, ids: await readMatches(context, index, filter, shard) });
  }
  await context.store.recordFilterMatches(context.node, context.generation, entry.seq, matches);
}

async function readMatches(
  context: StreamContext,
  index: PhysicalIndex,
  filter: unknown,
  shard: number,
): Promise<string[]> {
  try {
    return await fetchIds(context.client, index.name, index.primaryKey!, {
      filter: [...(Array.isArray(filter) ? filter : [filter]), shardFilter([shard])],
      signal: context.signal,
    });
  } catch (error) {
    // A filter that the node refuses deletes nothing, on the target neither.
    if (error instanceof NodeRefusal && /filter/.test(error.code)) return [];
    throw error;
  }
}
