// Verify: count and digest of the shard on both nodes, then document by document. A difference counts only if it
// persists while both positions are past it; writes that are under way come and go.

import type { NodeId } from '../../shared/core/topology.js';
import { StateConflict } from '../../shared/io/store.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { hasEmbedders } from '../stream/controls.js';
import { fetchDocuments } from '../stream/shard-documents.js';
import { differingIds, digestDocuments, type ShardDigest } from './document-digests.js';
import { requireKnownTasks } from './known-tasks.js';
import { readFromNode } from './shard-source.js';

export interface Compared {
  documents: number;
  digest: string;
  rounds: number;
  /** The source was lost or has diverged: the copy begins again from another replica. */
  again?: boolean;
}

/** How often one document must differ in the same way before it counts as a difference. */
const PERSISTENT_ROUNDS = 3;
const MOST_ROUNDS = 100;

/** Which replica is judged, by which. */
interface Pair {
  trusted: NodeId;
  judged: NodeId;
}

export async function verifyShard(deps: ActivityDeps, moveId: string, beat: Beat): Promise<Compared> {
  const move = await deps.store.updateMove(moveId, { phase: 'verify' });
  const compared = await compareReplicas(
    deps,
    move,
    { trusted: move.copyFrom, judged: move.targetNode },
    beat,
    async () => (await deps.store.readCopy(moveId))?.spoiled != null,
  );
  if (compared.again) return compared;
  await deps.faults.reach('verify.compared');
  try {
    await deps.store.markVerified(moveId);
  } catch (error) {
    // Spoiled just now.
    if (error instanceof StateConflict && error.code === 'copy_spoiled') return { ...compared, again: true };
    throw error;
  }
  await deps.faults.reach('verify.done');
  return compared;
}

/**
 * Answers what both replicas of the move's shard hold, or `again` where the trusted one is spoiled. Throws VerifyFailed,
 * with the documents that differ.
 */
export async function compareReplicas(
  deps: ActivityDeps,
  move: MoveRow,
  pair: Pair,
  beat: Beat,
  isSpoiled: () => Promise<boolean> = async () => false,
): Promise<Compared> {
  const seen = new Map<string, Seen>();
  beat.report({ phase: 'verify', shard: move.shard, round: 1 });
  let [left, right] = await digestBoth(deps, move, pair, null, beat);
  const whole = right;
  for (let round = 1; ; round += 1) {
    const differing = differingIds(left, right);
    const persistent = countPersistent(seen, left, right, differing);
    // After the reads: a source that was restored while it was copied from is like its copy, and neither is the journal's.
    if (differing.length === 0 || persistent.length > 0)
      for (const node of [pair.trusted, pair.judged]) await requireKnownTasks(deps, node);
    // What is compared with a source that is not what it was says nothing.
    if ((differing.length === 0 || persistent.length > 0) && (await isSpoiled()))
      return { documents: whole.count, digest: whole.digest, rounds: round, again: true };
    if (differing.length === 0) return { documents: whole.count, digest: whole.digest, rounds: round };
    if (persistent.length > 0) {
      throw finalFailure(
        'VerifyFailed',
        `shard ${move.shard} of ${move.indexUid}: ${persistent.length} documents differ between ${pair.trusted} and ${pair.judged}, among them ${persistent.slice(0, 10).join(', ')}`,
        { differing: persistent.slice(0, 100) },
      );
    }
    if (round >= MOST_ROUNDS)
      throw new Error(`shard ${move.shard} of ${move.indexUid} is written to faster than it can be compared`);
    await catchUp(deps, pair, beat);
    // A document that was once the same gets the same entries on both nodes: only the others are looked at again.
    beat.report({ phase: 'verify', shard: move.shard, round: round + 1, differing: differing.length });
    [left, right] = await digestBoth(deps, move, pair, differing, beat);
  }
}

/** The digests of both, of the whole shard or of these ids. */
function digestBoth(
  deps: ActivityDeps,
  move: MoveRow,
  pair: Pair,
  ids: readonly string[] | null,
  beat: Beat,
): Promise<[ShardDigest, ShardDigest]> {
  return Promise.all([
    digestOn(deps, move, pair.trusted, ids, beat),
    digestOn(deps, move, pair.judged, ids, beat),
  ]);
}

async function digestOn(
  deps: ActivityDeps,
  move: MoveRow,
  node: string,
  ids: readonly string[] | null,
  beat: Beat,
): Promise<ShardDigest> {
  return readFromNode(deps, move, node, async (client, name, index) => {
    const which = ids === null ? { shard: move.shard } : { ids };
    const query = { ...which, withVectors: hasEmbedders(index.settings) };
    const { results } = await fetchDocuments(client, name, query, beat.signal);
    return digestDocuments(results, index.primaryKey ?? '', deps.hash);
  });
}

interface Seen {
  left: bigint | undefined;
  right: bigint | undefined;
  rounds: number;
}

/** A write between the reads changes a document's digest, which begins its count anew. */
function countPersistent(
  seen: Map<string, Seen>,
  left: ShardDigest,
  right: ShardDigest,
  differing: readonly string[],
): string[] {
  const still = new Set(differing);
  for (const id of seen.keys()) if (!still.has(id)) seen.delete(id);
  const persistent: string[] = [];
  for (const id of differing) {
    const now = { left: left.documents.get(id), right: right.documents.get(id) };
    const before = seen.get(id);
    const same = before !== undefined && before.left === now.left && before.right === now.right;
    const rounds = same ? before.rounds + 1 : 1;
    seen.set(id, { ...now, rounds });
    if (rounds >= PERSISTENT_ROUNDS) persistent.push(id);
  }
  return persistent;
}

/** Waits until both streams have passed what the journal held when the difference was seen. */
async function catchUp(deps: ActivityDeps, pair: Pair, beat: Beat): Promise<void> {
  const { journalHead } = await deps.store.readHead();
  for (;;) {
    const streams = await deps.store.readStreams();
    const behind = streams.some(
      (stream) =>
        (stream.node === pair.trusted || stream.node === pair.judged) && stream.position < journalHead,
    );
    if (!behind) return;
    await beat.sleep(20);
  }
}
