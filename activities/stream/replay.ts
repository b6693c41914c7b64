// Replay: the target's stream sends a held shard's entries after its snapshot, in order, until the shard has caught up
// with the stream itself and joins it. The stream cannot move on meanwhile, for it is the one that replays.
import { shardFilter } from '../../shared/core/topology.js';
import type { NodeTask } from '../../shared/io/node-client.js';
import type { Control, ReplayStep } from '../../shared/io/store.js';
import { enqueueTask, isTrouble, NodeTrouble, type PhysicalIndex, type StreamContext } from './context.js';
import { buildRequests, joinArray } from './requests.js';

type ReplayEntry = ReplayStep['entries'][number];

/** Steps before live deliveries get their turn again. */
const STEPS = 10;

/** Answers the control's result, or null when it must go on later. */
export async function replayShard(
  context: StreamContext,
  control: Control,
  index: PhysicalIndex,
): Promise<Record<string, unknown> | null> {
  const { node, generation, store } = context;
  const incarnation = control.incarnation!;
  const shard = control.shard!;
  for (let count = 0; count < STEPS; count += 1) {
    const limits = { entries: context.options.groupEntries, bytes: context.options.groupBytes };
    const step = await store.readReplay(node, generation, incarnation, shard, limits);
    // The snapshot was taken of a source that is ahead: what this stream has not come to yet is in the copy.
    if (step.streamPosition < step.shardPosition) return null;
    const ready = takeReady(step.entries);
    if (ready.length === 0) {
      if (step.restart && step.entries.length === 0) return { joined: false, restart: true };
      // The source has not come to the next deletion by filter yet, so that nobody knows what it matches.
      if (step.entries.length > 0) return null;
      // The copy was read from a source that may be ahead of this stream: up to its end it is of no one moment, and a
      // filter would match other documents than it did on the source.
      if (step.streamPosition < step.copyEnd) return null;
      const joined = await store.advanceReplay(
        node,
        generation,
        incarnation,
        shard,
        step.streamPosition,
        true,
      );
      if (joined) return { joined: true, restart: false, position: step.streamPosition };
      continue;
    }
    const decided = await sendReplay(context, index, shard, ready);
    await context.faults.reach('stream.replayed');
    const last = ready[decided - 1];
    if (last) await store.advanceReplay(node, generation, incarnation, shard, last.seq, false);
    if (decided < ready.length) return null;
  }
  return null;
}

function takeReady(entries: readonly ReplayEntry[]): ReplayEntry[] {
  const blocked = entries.findIndex(
    (entry) =>
      entry.meta.kind === 'documentDeletion' && entry.meta.mode === 'filter' && entry.recordedIds === null,
  );
  return blocked === -1 ? [...entries] : entries.slice(0, blocked);
}

/**
 * Answers how many of the entries the shard is past. One that fails here, and whose outcome nobody has fixed, stops it:
 * a replay decides nothing, for the copy may hold what came later. The source will say.
 */
async function sendReplay(
  context: StreamContext,
  index: PhysicalIndex,
  shard: number,
  entries: readonly ReplayEntry[],
): Promise<number> {
  const tasks: number[][] = [];
  for (const entry of entries) tasks.push(await sendEntry(context, index, shard, entry));
  for (const [position, uids] of tasks.entries()) {
    if (!(await anyFailed(context, uids))) continue;
    for (const later of tasks.slice(position + 1).flat())
      await context.client.waitTask(later, context.signal);
    // As in delivery: in order and alone.
    for (const [offset, entry] of entries.slice(position).entries()) {
      const failed = await anyFailed(context, await sendEntry(context, index, shard, entry));
      if (failed && entry.outcome === null) return position + offset;
    }
    break;
  }
  return entries.length;
}

async function anyFailed(context: StreamContext, uids: readonly number[]): Promise<boolean> {
  let failed = false;
  for (const uid of uids) {
    const task: NodeTask = await context.client.waitTask(uid, context.signal);
    if (task.status === 'succeeded') continue;
    if (isTrouble(task.error?.code))
      throw new NodeTrouble(
        context.node,
        task.error?.code ?? task.status,
        task.error?.message ?? 'no reason given',
      );
    failed = true;
  }
  return failed;
}

async function sendEntry(
  context: StreamContext,
  index: PhysicalIndex,
  shard: number,
  entry: ReplayEntry,
): Promise<number[]> {
  const meta = entry.meta;
  if (meta.kind === 'documentDeletion' && meta.mode !== 'ids') {
    const path = `/indexes/${index.name}/documents/`;
    const ids = entry.recordedIds ?? [];
    if (meta.mode === 'filter' && ids.length === 0) return [];
    const request =
      meta.mode === 'filter'
        ? { path: `${path}delete-batch`, body: joinArray(ids.map((id) => Buffer.from(JSON.stringify(id)))) }
        : { path: `${path}delete`, body: JSON.stringify({ filter: shardFilter([shard]) }) };
    return [await enqueueTask(context, { method: 'POST', ...request })];
  }
  const uids: number[] = [];
  for (const { request } of buildRequests(context, entry, index.name, index.primaryKey)) {
    context.signal.throwIfAborted();
    uids.push(await enqueueTask(context, request));
  }
  return uids;
}
