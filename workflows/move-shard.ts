// One move: one replica of one shard from a source to a target. Every step is an activity that a crash repeats; until
// the flip everything can be undone, after it the move goes forward.
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { failureType } from './failure-text.js';
import { gateSignal, waitForGate } from './gate.js';
import type { MoveInput, MoveResult } from './messages.js';
import { copy, meta, moveSteps } from './steps.js';

/** Copies that settings or index entries may interrupt before the move asks for attention. */
const MOST_COPIES = 20;

export async function moveShard(input: MoveInput): Promise<MoveResult> {
  const { moveId } = input;
  const steps = moveSteps(input.stepDeadlineMs);
  const say = (text: string) => setCurrentDetails(`Move ${moveId}: ${text}`);
  let { gate } = input;
  setHandler(gateSignal, (next) => {
    gate = next;
  });
  let documents = 0;
  try {
    // One that is tried again may have flipped before it failed.
    const side = await meta.sideToDelete(moveId);
    // A source that is lost or diverges before the flip spoils the copy.
    for (let again = side !== 'source'; again; ) {
      if (side === 'target') documents = await bringOver(input, steps, say);
      if ((await waitForGate(moveId, () => gate, say)) && side === 'target') {
        say('verifying again after the wait');
        const { again: isSpoiled } = await steps.verifyShard.executeWithOptions({ summary: 'verify again' }, [
          moveId,
        ]);
        if (isSpoiled) continue;
      }
      say(side === 'none' ? 'taking a surplus replica away' : 'flipping: the target becomes readable');
      const flip = await steps.flipShard.executeWithOptions({ summary: 'flip' }, [moveId, input.retentionMs]);
      again = flip.again === true;
    }
    if (input.retentionMs > 0) {
      await meta.markMove(moveId, 'retain', null);
      say('flipped; the source is kept for a rollback, and deleted by the workflow `endRetention`');
      return { outcome: 'done', documents };
    }
    say('deleting the source');
    await steps.deleteReplica.executeWithOptions({ summary: 'delete the source' }, [moveId, 'source']);
    await meta.markMove(moveId, 'done', null);
    say('done');
    return { outcome: 'done', documents };
  } catch (error) {
    // A step whose worker died reports its timeout, not the cancellation.
    if (isCancellation(error) || CancellationScope.current().consideredCancelled) {
      say('cancelled: cleaning up');
      const side = await CancellationScope.nonCancellable(() =>
        settleMove(moveId, input.stepDeadlineMs, 'aborted'),
      );
      if (side === 'source') return { outcome: 'done', documents };
      throw isCancellation(error) ? error : new CancelledFailure('the move was cancelled');
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
  const { moveId, copyChunkDocuments, stepDeadlineMs } = input;
  for (let count = 1; count <= MOST_COPIES; count += 1) {
    say('taking the snapshot');
    const snapshot = await steps.snapshotShard.executeWithOptions({ summary: 'snapshot' }, [moveId]);
    say(`copying ${snapshot.documents} documents`);
    await copy.copyShard.executeWithOptions({ summary: `copy ${snapshot.documents} documents` }, [
      moveId,
      { copyChunkDocuments, stepDeadlineMs },
    ]);
    say('replaying what was written since the snapshot');
    const { joined } = await steps.joinShard.executeWithOptions({ summary: 'replay and join' }, [moveId]);
    if (!joined) continue;
    say('verifying');
    const verified = await steps.verifyShard.executeWithOptions({ summary: 'verify' }, [moveId]);
    if (verified.again) continue;
    return verified.documents;
  }
  throw ApplicationFailure.nonRetryable(
    `settings or sources changed during each of ${MOST_COPIES} copies: retry when they are settled`,
    'Conflict',
  );
}

/**
 * Ends a move that does not go on: before its flip the target is emptied and the source stays as it was; after it the
 * source is kept as long as it was to be. Answers which of the two goes (of a drop perhaps none); the store knows,
 * whatever became of the flip's answer.
 */
export async function settleMove(
  moveId: string,
  deadlineMs: number,
  undone: 'aborted' | 'skipped',
): Promise<'source' | 'target' | 'none'> {
  let side = await meta.sideToDelete(moveId);
  if (side === 'target') {
    const steps = moveSteps(deadlineMs);
    await steps.deleteReplica.executeWithOptions({ summary: 'clean up the target' }, [moveId, 'target']);
    // A flip that was under way may have come first; then the target has been left alone.
    side = await meta.sideToDelete(moveId);
  }
  if (side === 'none') {
    // A drop that is over can flip no more; one that flipped before goes on.
    await meta.markMove(moveId, undone, null);
    side = await meta.sideToDelete(moveId);
  }
  await meta.markMove(moveId, side === 'source' ? 'retain' : undone, null);
  return side;
}
