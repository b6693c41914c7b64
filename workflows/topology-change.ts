// One change of the topology, one at a time (`miroir/topology/<cluster>`): validate, clean up after dead runs, add,
// plan, move within a window, finish. A move that fails for good waits for an operator while the rest goes on.
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  ContinueAsNew,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { describeProgress } from './change-details.js';
import { ChangeState } from './change-state.js';
import { registerDecisions } from './decisions.js';
import { failureType, rootMessage } from './failure-text.js';
import type { ChangeInput, ChangePhase, ChangeProgress, ValidatedChange } from './messages.js';
import { settleMove } from './move-shard.js';
import { giveUp, MoveRunner } from './run-move.js';
import { showPhase } from './search-attributes.js';
import { closing, long, meta } from './steps.js';

/** Children started a run: history stays small, continue-as-new carries on. */
const STARTS_A_RUN = 400;

/** Fails with the sentence that says why, not with "Activity task failed". */
export async function topologyChange(input: ChangeInput): Promise<ChangeProgress> {
  try {
    return await runChange(input);
  } catch (error) {
    if (error instanceof ActivityFailure && !isCancellation(error))
      throw ApplicationFailure.nonRetryable(rootMessage(error), failureType(error) ?? 'ChangeFailed');
    throw error;
  }
}

async function runChange(input: ChangeInput): Promise<ChangeProgress> {
  const info = workflowInfo();
  // Whoever starts a change cannot skip its validation: only a continued run carries on.
  const resume = info.continuedFromExecutionRunId === undefined ? undefined : input.resume;
  const state = new ChangeState(input?.kind ?? 'unknown', resume);
  state.onChange = () => setCurrentDetails(describeProgress(state.progress()));
  const preparing = new CancellationScope();
  state.onAbort = () => preparing.cancel();
  registerDecisions(state);
  state.setPhase('validating');
  const change =
    resume?.change ??
    (await meta.validateChange.executeWithOptions({ summary: 'validate the input' }, [
      { workflowId: info.workflowId, changeId: info.firstExecutionRunId, input },
    ]));
  try {
    if (!resume) {
      await preparing.run(() => prepare(state, change));
      await meta.saveControl(change.changeId, state.control);
    }
    await runMoves(state, change, input);
    await CancellationScope.nonCancellable(() => finish(state, change));
    return state.progress();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await CancellationScope.nonCancellable(() => abandon(state, change, error));
    if (state.abortRequested) return state.progress();
    throw error;
  }
}

async function prepare(state: ChangeState, change: ValidatedChange): Promise<void> {
  showPhase(change, 'planning');
  state.setPhase('cleaning up');
  for (const { moveId } of await meta.listLeftovers(change.changeId))
    await settleMove(moveId, change.options.stepDeadlineMs, 'aborted');
  if (change.added.length > 0) {
    state.setPhase('adding nodes');
    const names = change.added.map((node) => node.id).join(', ');
    await long.addNodes.executeWithOptions({ summary: `add ${names}` }, [change.changeId, change.added]);
  }
  state.setPhase('planning');
  const plan = await long.planChange.executeWithOptions({ summary: 'plan' }, [change]);
  state.planned = plan.moves;
  state.begin(change.options);
}

async function runMoves(state: ChangeState, change: ValidatedChange, input: ChangeInput): Promise<void> {
  const runner = new MoveRunner(state, change);
  state.onAbort = () => runner.cancelHeld();
  state.know(
    state.next,
    await meta.listMovesToStart.executeWithOptions({ summary: `moves from ${state.next} on` }, [
      change.changeId,
      state.next,
      STARTS_A_RUN,
    ]),
  );
  showPhase(change, 'moving');
  state.setPhase('moving');
  let started = 0;
  while (!state.abortRequested) {
    // History is long enough: start nothing more, let what runs end, carry on in a new run.
    const full = workflowInfo().continueAsNewSuggested || started >= STARTS_A_RUN || state.isPageOver();
    if (full && state.isIdle()) {
      await condition(allHandlersFinished);
      // A decision may have come meanwhile; from here on nothing can come between.
      if (state.abortRequested || !state.isIdle()) continue;
      if (!state.isComplete()) await continueAsNew({ ...input, resume: state.toResume(change) });
    }
    const moveId = full ? null : state.takeNext();
    if (moveId !== null) {
      started += 1;
      void runner.run(moveId);
      continue;
    }
    if (state.isComplete()) return;
    const before = state.version;
    await showStanding(state, change, full ? 'moving' : state.standing());
    await condition(() => state.version !== before);
  }
  throw ApplicationFailure.nonRetryable('aborted by an operator', 'Aborted');
}

/** Says where the moves stand: to the query, to the search attributes, to the store. */
async function showStanding(state: ChangeState, change: ValidatedChange, phase: ChangePhase): Promise<void> {
  if (state.phase === phase) return;
  state.setPhase(phase);
  showPhase(change, phase);
  await meta.reportStanding(change.changeId, phase === 'moving' ? 'running' : (phase as 'paused'));
}

/** Past this point a cancellation is too late: what was moved is moved. */
async function finish(state: ChangeState, change: ValidatedChange): Promise<void> {
  state.close();
  state.setPhase('finishing');
  await closing.finishChange.executeWithOptions({ summary: 'finish' }, [change]);
  showPhase(change, 'done');
  state.setPhase('done');
  await condition(allHandlersFinished);
}

/** Ends a change that does not go on: waits for what runs, cleans up what failed, puts the nodes back. */
async function abandon(state: ChangeState, change: ValidatedChange, error: unknown): Promise<void> {
  state.close();
  const status = isCancellation(error) || state.abortRequested ? 'aborted' : 'failed';
  const ended = isCancellation(error) ? 'cancelled' : rootMessage(error);
  const reason = state.abortRequested ? 'aborted by an operator' : ended;
  await condition(() => state.isIdle());
  await Promise.all(state.takeFailed(undefined).map((moveId) => giveUp(state, moveId)));
  await meta.abandonChange(change, status, reason);
  showPhase(change, status);
  state.setPhase(status);
  await condition(allHandlersFinished);
}
