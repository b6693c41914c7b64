// Deletes what flipped moves have kept long enough (`miroir/retention/<cluster>`). Nothing waits here: a worker starts it
// whenever something is due. With a change or a move as input it ends their retention first.
import { setCurrentDetails } from '@temporalio/workflow';
import { rootMessage } from './failure-text.js';
import { closing, meta, moveSteps } from './steps.js';

/** Deletions at the same time. */
const WINDOW = 8;
/** A replica that cannot be deleted within it is left to the next run. */
const DELETE_MS = 60_000;
const SHOWN_ERRORS = 10;

export async function endRetention(which?: { changeId?: string; moveId?: string } | null): Promise<string> {
  if (which?.changeId !== undefined || which?.moveId !== undefined) await meta.endRetention(which);
  const due = await meta.listDueRetentions();
  const errors: string[] = [];
  const total = due.length;
  let ended = 0;
  const say = () =>
    setCurrentDetails(
      [`${ended} of ${total} replicas deleted`, ...errors.slice(0, SHOWN_ERRORS)].join('\n- '),
    );
  say();
  const steps = moveSteps(DELETE_MS);
  const deleteNext = async () => {
    for (let next = due.shift(); next !== undefined; next = due.shift()) {
      const { moveId, side } = next;
      try {
        await steps.deleteReplica.executeWithOptions({ summary: `delete ${side} of ${moveId}` }, [
          moveId,
          side,
        ]);
        await meta.markMove(moveId, side === 'source' ? 'done' : 'rolled-back', null);
        ended += 1;
      } catch (error) {
        errors.push(`${moveId}: ${rootMessage(error)}`);
      }
      say();
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, deleteNext));
  const closed = await closing.closeRetained();
  return `${ended} of ${total} replicas deleted, ${closed} changes closed`;
}
