// Asking a node's stream for a step and waiting until it has done it.
import type { Control, Store } from '../../shared/io/store.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

export type NewControl = Omit<Control, 'id' | 'status' | 'result' | 'key'> & { key: string };

const POLL_MS = 10;

/** The stream could not do the step; a later attempt may. */
export class ControlFailed extends Error {
  constructor(control: Control) {
    super(
      `node ${control.node} could not ${control.kind} shard ${control.shard}: ${String(control.result?.message ?? 'no reason given')}`,
    );
    this.name = 'ControlFailed';
  }
}

/**
 * Enqueues a control. A key that failed before gets the next number behind it, so that a retry is a new request while
 * a restart after a crash finds the one that is already there.
 */
export async function requestControl(store: Store, control: NewControl): Promise<number> {
  for (let count = 0; ; count += 1) {
    const id = await store.enqueueControl({ ...control, key: `${control.key}#${count}` });
    const [known] = await store.readControls([id]);
    if (known?.status !== 'failed') return id;
  }
}

/**
 * Waits for a control; throws ControlFailed when the stream gave up on it, and finally when the stream has not come
 * to it at `untilMs` of the monotonic clock.
 */
export async function awaitControl(
  deps: Pick<ActivityDeps, 'store' | 'clock'>,
  id: number,
  beat: Beat,
  untilMs = Number.POSITIVE_INFINITY,
): Promise<Record<string, unknown>> {
  for (;;) {
    const [control] = await deps.store.readControls([id]);
    if (!control) throw new Error('the step was dropped: its node has left the topology');
    if (control.status === 'failed') throw new ControlFailed(control);
    if (control.status === 'done') return control.result ?? {};
    if (deps.clock.nowMs() > untilMs)
      throw finalFailure('Stalled', `the stream of node ${control.node} does not come to ${control.kind}`);
    await beat.sleep(POLL_MS);
  }
}
