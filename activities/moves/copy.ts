// Copy: the snapshot's ids in chunks, each read and written by the target's stream. Goes on in the list after a crash.
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { awaitControl, ControlFailed, requestControl } from './controls.js';
import { CopyPace } from './pace.js';

export interface CopyOptions {
  chunkDocuments: number | null;
  /** Gives up when no chunk has arrived for so long; a copy that gets on may take as long as it needs. */
  stallMs: number;
}

/**
 * Chunks asked for at a time, so that the node always has the next one while it indexes: Meilisearch indexes those that
 * wait together. Fewer of large documents, for all of them may be in memory at once.
 */
const AHEAD = { first: 3, least: 2, most: 6, bytes: 64 * 1024 * 1024 };
/** Pause before a chunk that failed is asked for again. */
const RETRY_MS = 200;

export async function copyShard(
  deps: ActivityDeps,
  moveId: string,
  options: CopyOptions,
  beat: Beat,
): Promise<{ documents: number; bytes: number }> {
  const { store } = deps;
  const move = await store.readMove(moveId);
  if (!move) throw new Error(`there is no move "${moveId}"`);
  const size = options.chunkDocuments ?? deps.options.copyChunkDocuments;
  let copied = move.documentsCopied;
  let bytes = move.bytesCopied;
  const waiting: { id: number; first: number; count: number }[] = [];
  let next = copied;
  let arrivedMs = deps.clock.nowMs();
  const pace = new CopyPace(store, deps.clock, move.changeId);
  const progress = () => ({
    phase: 'copy',
    shard: move.shard,
    documents: copied,
    of: move.documentsTotal,
    bytes,
  });
  beat.report(progress());

  while (copied < move.documentsTotal) {
    while (waiting.length < chunksAhead(copied, bytes, size) && next < move.documentsTotal) {
      // With a limit, one chunk at a time, so that none waits for its turn behind another.
      if (waiting.length > 0 && (await pace.isLimited())) break;
      const allowed = await pace.take(size, beat);
      if (waiting.length === 0) arrivedMs = deps.clock.nowMs();
      const ids = await store.readSnapshotIds(moveId, next, allowed);
      const id = await requestControl(store, {
        node: move.targetNode,
        kind: 'copy',
        key: `${moveId}/${move.attempt}/copy/${next}+${ids.length}`,
        moveId,
        incarnation: move.incarnation,
        shard: move.shard,
        args: { sourceNode: move.copyFrom, ids, attempt: move.attempt },
      });
      waiting.push({ id, first: next, count: ids.length });
      next += ids.length;
    }
    const chunk = waiting.shift()!;
    let result: Record<string, unknown>;
    try {
      result = await awaitControl(deps, chunk.id, beat, arrivedMs + options.stallMs);
    } catch (error) {
      if (!(error instanceof ControlFailed)) throw error;
      if (deps.clock.nowMs() - arrivedMs >= options.stallMs) throw finalFailure('Stalled', error.message);
      // Its source is gone, and another replica is there to copy from.
      if ((await store.readCopy(moveId))?.spoiled != null) return { documents: copied, bytes };
      await store.updateMove(moveId, { lastError: error.message });
      waiting.length = 0;
      next = copied;
      await beat.sleep(RETRY_MS);
      continue;
    }
    arrivedMs = deps.clock.nowMs();
    copied = chunk.first + chunk.count;
    bytes += Number(result.bytes ?? 0);
    await store.recordCopied(moveId, move.attempt, copied, bytes);
    await deps.faults.reach('copy.chunk');
    beat.report(progress());
  }
  await store.endCopy(moveId, move.attempt);
  return { documents: copied, bytes };
}

function chunksAhead(copied: number, bytes: number, chunkDocuments: number): number {
  if (copied === 0) return AHEAD.first;
  const fitting = Math.floor(AHEAD.bytes / ((bytes / copied) * chunkDocuments));
  return Math.max(AHEAD.least, Math.min(AHEAD.most, fitting));
}
