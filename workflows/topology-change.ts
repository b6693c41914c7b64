// One change of the topology, one at a time (`miroir/topology/<cluster>`): validate, clean up after dead runs, add,
// plan, move within a window, finish. A move that fails for good waits for an operator while the rest goes on.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { ChangeState, describeProgress } from './change-state.js';
import type { ChangeInput, ChangeProgress, ValidatedChange } from './messages.js';
import { failureType, moveShard } from './move-shard.js';
import { showPhase } from './search-attributes.js';
import { long, meta, moveSteps } from './steps.js';

export const progressQuery = defineQuery<ChangeProgress>('progress');
export const retryUpdate = defineUpdate<string, [{ moveId?: string }?]>('retry');
export const skipUpdate = defineUpdate<string, [{ moveId?: string }?]>('skip');
export const abortUpdate = defineUpdate<string, [{ moveId?: string }?]>('abort');

/** Children started a run: history stays small, continue-as-new carries on. */
const STARTS_A_RUN = 400;

/** Fails with the sentence that says why, not with "Activity task failed". */
export async function topologyChange(input: ChangeInput): Promise<ChangeProgress> {
  try {
    return await runChange(input);
  } catch (error) {
    if (failureType(error) === 'InvalidInput')
      throw ApplicationFailure.nonRetryable(rootMessage(error), 'InvalidInput');
    throw error;
  }
}

async function runChange(input: ChangeInput): Promise<ChangeProgress> {
  const info = workflowInfo();
  const state = new ChangeState(input);
  state.onChange = () => setCurrentDetails(describeProgress(state.progress()));
  registerHandlers(state);
  const { resume, ...plain } = input ?? ({} as ChangeInput);
  const changeId = resume?.changeId ?? info.firstExecutionRunId;
  state.setPhase('validating');
  const change = await meta.validateChange.executeWithOptions({ summary: 'validate the input' }, [
    { workflowId: info.workflowId, changeId, input: plain },
  ]);
  const moves = new CancellationScope();
  try {
    await moves.run(async () => {
      if (!resume) await prepare(state, change);
      await runMoves(state, change, plain);
    });
  } catch (error) {
    await CancellationScope.nonCancellable(async () => {
      const aborted = isCancellation(error) || state.abortRequested;
      await settleRunning(state);
      state.setPhase('aborted');
      await meta.abandonChange(changeId, change.removed, aborted ? 'aborted' : 'failed');
    });
    if (state.abortRequested) return state.progress();
    throw error;
  }
  state.setPhase('finishing');
  await meta.finishChange.executeWithOptions({ summary: 'finish' }, [change]);
  state.setPhase('done');
  await condition(allHandlersFinished);
  return state.progress();
}

async function prepare(state: ChangeState, change: ValidatedChange): Promise<void> {
  showPhase(change, 'planning');
  state.setPhase('cleaning up');
  const steps = moveSteps(change.options.stepDeadlineMs);
  for (const { moveId, side } of await meta.listLeftovers(change.changeId)) {
    await steps.deleteReplica.executeWithOptions({ summary: `clean up after ${moveId}` }, [moveId, side]);
    await meta.markMove(moveId, side === 'source' ? 'done' : 'aborted', null);
  }
  if (change.added.length > 0) {
    state.setPhase('adding nodes');
    const names = change.added.map((node) => node.id).join(', ');
    await long.addNodes.executeWithOptions({ summary: `add ${names}` }, [change.changeId, change.added]);
  }
  state.setPhase('planning');
  const plan = await long.planChange.executeWithOptions({ summary: 'plan' }, [change]);
  state.planned = plan.moves;
}

async function runMoves(state: ChangeState, change: ValidatedChange, plain: ChangeInput): Promise<void> {
  showPhase(change, 'moving');
  state.setPhase('moving');
  let started = 0;
  while (!state.abortRequested) {
    const info = workflowInfo();
    const full = info.continueAsNewSuggested || started >= STARTS_A_RUN;
    if (full && state.running.size === 0) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof topologyChange>({ ...plain, resume: state.toResume(change.changeId) });
    }
    const moveId =
      full || state.running.size >= change.options.concurrency ? null : state.takeNext(change.changeId);
    if (moveId !== null) {
      started += 1;
      void runMove(state, change, moveId);
      continue;
    }
    if (state.isComplete()) return;
    if (state.running.size === 0 && state.failed.size > 0 && !full) {
      await waitForOperator(state, change);
      continue;
    }
    const before = state.version;
    await condition(() => state.version !== before);
  }
  throw ApplicationFailure.nonRetryable('aborted by an operator', 'Aborted');
}

async function waitForOperator(state: ChangeState, change: ValidatedChange): Promise<void> {
  state.setPhase('needs-attention');
  showPhase(change, 'needs-attention');
  await meta.reportAttention(change.changeId, true);
  await condition(() => state.hasWork() || state.isComplete() || state.abortRequested);
  await meta.reportAttention(change.changeId, false);
  showPhase(change, 'moving');
  state.setPhase('moving');
}

/** Never throws: what becomes of a move is in the state. */
async function runMove(state: ChangeState, change: ValidatedChange, moveId: string): Promise<void> {
  const { retentionMs, stepDeadlineMs, copyChunkDocuments, copyDocumentsPerSecond } = change.options;
  try {
    const result = await executeChild(moveShard, {
      workflowId: `miroir/move/${moveId}`,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `move ${moveId}`,
      args: [{ moveId, retentionMs, stepDeadlineMs, copyChunkDocuments, copyDocumentsPerSecond }],
    });
    state.end(moveId, result.outcome);
  } catch (error) {
    if (isCancellation(error)) return state.end(moveId, 'cancelled');
    const message = rootMessage(error);
    await CancellationScope.nonCancellable(() => meta.markMove(moveId, 'failed', message));
    state.fail(moveId, message);
  }
}

async function settleRunning(state: ChangeState): Promise<void> {
  await condition(() => state.running.size === 0);
}

function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}

function registerHandlers(state: ChangeState): void {
  setHandler(progressQuery, () => state.progress(), { description: 'how far the change is' });
  const validator = (input?: { moveId?: string }) => state.requireFailed(input?.moveId);
  setHandler(retryUpdate, (input) => state.retry(input?.moveId), {
    validator,
    description: 'tries failed moves again from their snapshot',
  });
  setHandler(
    skipUpdate,
    async (input) => {
      const ids = state.takeFailed(input?.moveId);
      for (const moveId of ids) await giveUp(state, moveId);
      return `${ids.length} moves skipped: their shards stay where they were`;
    },
    { validator, description: 'gives failed moves up; their shards stay where they were' },
  );
  setHandler(
    abortUpdate,
    async (input) => {
      if (input?.moveId !== undefined) {
        for (const moveId of state.takeFailed(input.moveId)) await giveUp(state, moveId);
        return `move ${input.moveId} aborted`;
      }
      const ids = state.takeFailed(undefined);
      for (const moveId of ids) await giveUp(state, moveId);
      state.abort();
      return 'no further moves start; those that run are finished';
    },
    { description: 'ends the change: moves that run are finished, failed ones cleaned up' },
  );
}

/** Empties what a failed move left on its target, or finishes one that had flipped. */
async function giveUp(state: ChangeState, moveId: string): Promise<void> {
  const [leftover] = (await meta.listFailed([moveId])) ?? [];
  if (leftover) await moveSteps(600_000).deleteReplica(moveId, leftover.side);
  await meta.markMove(moveId, leftover?.side === 'source' ? 'done' : 'skipped', null);
  state.end(moveId, leftover?.side === 'source' ? 'done' : 'skipped');
}
