// Runs one move of a change as its child, or takes one back. Never throws: what becomes of the move is in the state.
import {
  CancellationScope,
  type ChildWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  sleep,
  startChild,
  type Workflow,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { ChangeState } from './change-state.js';
import { rootMessage } from './failure-text.js';
import { gateSignal } from './gate.js';
import type { MoveResult, ValidatedChange } from './messages.js';
import { moveShard, settleMove } from './move-shard.js';
import { rollbackMove, settleRollback } from './rollback-move.js';
import { meta } from './steps.js';

/** Within which a move that is given up must be cleaned up; if not, it stays failed. */
const CLEAN_UP_MS = 60_000;

interface Child {
  handle: ChildWorkflowHandle<Workflow> | null;
  scope: CancellationScope;
}

export class MoveRunner {
  /** Of moves that run: how to tell them that the gate has moved, and how to end them. */
  private readonly children = new Map<string, Child>();

  constructor(
    private readonly state: ChangeState,
    private readonly change: ValidatedChange,
  ) {
    state.onGate = () => {
      for (const { handle } of this.children.values()) this.tellGate(handle);
    };
  }

  /** Ends the moves that are held before their flip: they would wait for ever once nobody decides any more. */
  cancelHeld(): void {
    const { paused, approved } = this.state.gate;
    if (paused || !approved) for (const { scope } of this.children.values()) scope.cancel();
  }

  async run(moveId: string): Promise<void> {
    const { state } = this;
    const scope = new CancellationScope();
    this.children.set(moveId, { handle: null, scope });
    try {
      const result = await scope.run(() => this.execute(moveId, scope));
      state.end(moveId, result.outcome);
    } catch (error) {
      if (isCancellation(error)) {
        // Without the change being ended, an operator has cancelled this move alone.
        const isEnding = state.abortRequested || CancellationScope.current().consideredCancelled;
        return state.end(moveId, isEnding ? 'cancelled' : 'skipped');
      }
      const message = rootMessage(error);
      await CancellationScope.nonCancellable(() => meta.markMove(moveId, 'failed', message));
      state.fail(moveId, message);
    } finally {
      this.children.delete(moveId);
    }
  }

  private isBackward(moveId: string): boolean {
    return this.change.rollback !== null || this.state.backward.has(moveId);
  }

  private async execute(moveId: string, scope: CancellationScope): Promise<MoveResult> {
    const { retentionMs, stepDeadlineMs, copyChunkDocuments } = this.change.options;
    const gate = this.state.gate;
    const handle = this.isBackward(moveId)
      ? await startWhenFree(rollbackMove, `miroir/rollback/${moveId}`, `roll back ${moveId}`, [
          { moveId, stepDeadlineMs, gate },
        ])
      : await startWhenFree(moveShard, `miroir/move/${moveId}`, `move ${moveId}`, [
          { moveId, retentionMs, stepDeadlineMs, copyChunkDocuments, gate },
        ]);
    this.children.set(moveId, { handle, scope });
    // An operator may have decided while it was being started.
    if (gate.paused !== this.state.gate.paused || gate.approved !== this.state.gate.approved)
      this.tellGate(handle);
    return handle.result() as Promise<MoveResult>;
  }

  /** One that has just ended needs to know nothing. */
  private tellGate(handle: Child['handle']): void {
    void handle?.signal(gateSignal, this.state.gate).catch(() => undefined);
  }
}

/** A child of a run that was reset or replaced may still be at it: wait for its end, then begin. */
async function startWhenFree<T extends Workflow>(
  workflow: T,
  workflowId: string,
  staticSummary: string,
  args: Parameters<T>,
): Promise<ChildWorkflowHandle<Workflow>> {
  for (;;) {
    try {
      return await startChild(workflow as Workflow, {
        workflowId,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary,
        args,
      });
    } catch (error) {
      // The class is not exported to workflows.
      if ((error as Error).name !== 'WorkflowExecutionAlreadyStartedError') throw error;
      await sleep('1s');
    }
  }
}

/**
 * Cleans up after a failed move that was taken out for it. Never throws: one that cannot be cleaned up is failed
 * again and says why.
 */
export async function giveUp(state: ChangeState, moveId: string): Promise<'ended' | 'failed'> {
  try {
    const backward = state.isRollback || state.backward.has(moveId);
    const end = await CancellationScope.nonCancellable(async () => {
      if (backward)
        return (await settleRollback(moveId, CLEAN_UP_MS))
          ? 'rolled-back'
          : state.isRollback
            ? 'skipped'
            : 'kept';
      return (await settleMove(moveId, CLEAN_UP_MS, 'skipped')) === 'source' ? 'done' : 'skipped';
    });
    if (end === 'kept') state.backward.delete(moveId);
    state.end(moveId, end);
    return 'ended';
  } catch (error) {
    state.fail(moveId, `could not be cleaned up: ${rootMessage(error)}`);
    return 'failed';
  }
}
