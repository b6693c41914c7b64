// The gate before a flip: closed while the change is paused, or not approved. A move waits there in its own workflow.
import {
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import type { Gate } from './messages.js';

/** Tells a move whether it may flip. */
export const gateSignal = defineSignal<[Gate]>('gate');
/** Tells the change what a move waits for before its flip, or that it goes on. */
export const waitingSignal = defineSignal<[string, string]>('waiting');

/** Waits, for days if need be, until the move may flip; answers whether it had to. */
export async function waitForGate(
  moveId: string,
  gate: () => Gate,
  say: (text: string) => void,
): Promise<boolean> {
  const isOpen = () => !gate().paused && gate().approved;
  if (isOpen()) return false;
  while (!isOpen()) {
    const what = gate().paused ? 'paused' : 'awaiting-approval';
    say(what === 'paused' ? 'verified; paused before the flip' : 'verified; the flip waits for an approval');
    await tellParent(moveId, what);
    await condition(() => isOpen() || (what === 'paused') !== gate().paused);
  }
  await tellParent(moveId, 'running');
  return true;
}

/** A change that has ended meanwhile needs to know nothing. */
async function tellParent(moveId: string, what: string): Promise<void> {
  const { parent } = workflowInfo();
  if (!parent) return;
  try {
    await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal(waitingSignal, moveId, what);
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}
