// Flip: the target becomes readable in one epoch; the step ends when no proxy can answer with an older one.
import type { Store } from '../../shared/io/store.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

export async function flipShard(deps: ActivityDeps, moveId: string, beat: Beat): Promise<{ epoch: number }> {
  const { store } = deps;
  await store.updateMove(moveId, { phase: 'flip' });
  for (;;) {
    beat.report({ phase: 'flip' });
    await deps.faults.reach('flip.begin');
    const answer = await store.flipMove(moveId);
    if (answer.flipped) {
      await deps.faults.reach('flip.committed');
      await awaitLeases(store, answer.epoch, beat);
      await deps.faults.reach('flip.acknowledged');
      return { epoch: answer.epoch };
    }
    if (answer.reason === 'index-deleted') throw finalFailure('IndexDeleted', 'the index has been deleted');
    if (answer.reason !== 'below-watermark')
      throw finalFailure('StaleEpoch', `the move may not flip: ${answer.reason ?? 'no reason given'}`);
    // The target's stream is behind a task that has succeeded: readable now, it would hide that task.
    await beat.sleep(20);
  }
}

/** Waits until every live lease has left all epochs before `epoch`, or has expired and its grace is over. */
export async function awaitLeases(store: Store, epoch: number, beat: Beat): Promise<void> {
  for (;;) {
    const leases = await store.readLeases();
    if (leases.every((lease) => lease.oldestEpoch >= epoch)) return;
    await beat.sleep(20);
  }
}
