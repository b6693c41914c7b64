// One move: one replica of one shard from a source to a target. Every step is an activity that a crash repeats; until
// the flip everything can be undone, after it the move goes forward.
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  setCurrentDetails,
  sleep,
} from '@temporalio/workflow';
import type { MoveInput, MoveResult } from './messages.js';
import { meta, moveSteps } from './steps.js';

/** Copies that settings or index entries may interrupt before the move asks for attention. */
const MOST_COPIES = 20;

export async function moveShard(input: MoveInput): Promise<MoveResult> {
  const { moveId } = input;
  const steps = moveSteps(input.stepDeadlineMs);
  const say = (text: string) => setCurrentDetails(`Move ${moveId}: ${text}`);
  let flipped = false;
  try {
    const documents = await bringOver(input, steps, say);
    say('flipping: the target becomes readable once every proxy knows');
    await steps.flipShard.executeWithOptions({ summary: 'flip' }, [moveId]);
    flipped = true;
    if (input.retentionMs > 0) {
      say(`flipped; the source is kept for ${input.retentionMs} ms`);
      await sleep(input.retentionMs);
    }
    say('deleting the source');
    await steps.deleteReplica.executeWithOptions({ summary: 'delete the source' }, [moveId, 'source']);
    await meta.markMove(moveId, 'done', null);
    say('done');
    return { outcome: 'done', documents };
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => endCancelled(input, flipped));
      throw error;
    }
    if (failureType(error) === 'IndexDeleted') {
      await meta.markMove(moveId, 'skipped', 'the index has been deleted');
      return { outcome: 'skipped', documents: 0 };
    }
    throw error;
  }
}

/** Snapshot, copy, replay, join and verify; again from the snapshot where a settings entry came between. */
async function bringOver(
  input: MoveInput,
  steps: ReturnType<typeof moveSteps>,
  say: (text: string) => void,
): Promise<number> {
  const { moveId, copyChunkDocuments, copyDocumentsPerSecond } = input;
  for (let copy = 1; copy <= MOST_COPIES; copy += 1) {
    say('taking the snapshot');
    const snapshot = await steps.snapshotShard.executeWithOptions({ summary: 'snapshot' }, [moveId]);
    say(`copying ${snapshot.documents} documents`);
    await steps.copyShard.executeWithOptions({ summary: `copy ${snapshot.documents} documents` }, [
      moveId,
      { copyChunkDocuments, copyDocumentsPerSecond },
    ]);
    say('replaying what was written since the snapshot');
    const { joined } = await steps.joinShard.executeWithOptions({ summary: 'replay and join' }, [moveId]);
    if (!joined) continue;
    say('verifying');
    const verified = await steps.verifyShard.executeWithOptions({ summary: 'verify' }, [moveId]);
    return verified.documents;
  }
  throw ApplicationFailure.nonRetryable(
    `settings changed during each of ${MOST_COPIES} copies: retry when they are settled`,
    'Conflict',
  );
}

/** Before the flip the source stays as it was and the target is emptied; after it the source goes. */
async function endCancelled(input: MoveInput, flipped: boolean): Promise<void> {
  const steps = moveSteps(input.stepDeadlineMs);
  await steps.deleteReplica.executeWithOptions(
    { summary: flipped ? 'delete the source' : 'clean up the target' },
    [input.moveId, flipped ? 'source' : 'target'],
  );
  await meta.markMove(input.moveId, flipped ? 'done' : 'aborted', null);
}

export function failureType(error: unknown): string | null {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? (cause.type ?? null) : null;
}
