// What an operator decides about a running change, as updates, each written into its record; and the query that tells
// the truth. An update does at once what it can, and never waits for a move.
import {
  ApplicationFailure,
  defineQuery,
  defineUpdate,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ThrottleInput } from '../shared/core/change-control.js';
import { describeControl } from '../shared/core/change-control.js';
import type { ChangeState } from './change-state.js';
import { rootMessage } from './failure-text.js';
import { waitingSignal } from './gate.js';
import type { ChangeProgress } from './messages.js';
import { giveUp } from './run-move.js';
import { meta } from './steps.js';

/** `by` says who decides, for the record. */
export interface Decision {
  by?: string;
  moveId?: string;
}

type Input = Decision | undefined;

export const progressQuery = defineQuery<ChangeProgress>('progress');
export const DECISIONS = [
  'pause',
  'resume',
  'throttle',
  'approve',
  'retry',
  'skip',
  'abort',
  'rollback',
  'finish',
] as const;
type Action = (typeof DECISIONS)[number];

interface Handler {
  description: string;
  /** Throws a sentence for the operator; nothing has been changed then. */
  judge(input: Input): void;
  act(input: Input): string | Promise<string>;
}

export function registerDecisions(state: ChangeState): void {
  setHandler(progressQuery, () => state.progress(), { description: 'how far the change is' });
  setHandler(waitingSignal, (moveId, what) => state.wait(moveId, what), {
    description: 'a move waits before its flip, or goes on',
  });
  const handlers = describeDecisions(state);
  for (const action of DECISIONS) {
    const { description, judge, act } = handlers[action];
    setHandler(
      defineUpdate<string, [Input]>(action),
      async (input: Input) => {
        const answer = await act(input);
        await record(state, action, input);
        return answer;
      },
      { validator: (input: Input) => judge(input ?? undefined), description },
    );
  }
}

/** Keeps what was decided, and lets copies know how they may go on. */
async function record(state: ChangeState, action: Action, input: Input): Promise<void> {
  const { by, moveId, ...detail } = input ?? {};
  const decided = { action, by: by ?? 'temporal', moveId: moveId ?? null, detail };
  await meta.recordDecision(changeId(), decided, state.control);
}

function describeDecisions(state: ChangeState): Record<Action, Handler> {
  const failed = (input: Input) => state.requireFailed(input?.moveId);
  return {
    pause: {
      description: 'holds everything: no move starts, no chunk is copied, nothing flips',
      judge: () => state.requirePaused(false),
      act: () => {
        state.pause(true);
        return 'paused: no move starts, copies hold within a second, nothing flips';
      },
    },
    resume: {
      description: 'lets a paused change go on',
      judge: () => state.requirePaused(true),
      act: () => {
        state.pause(false);
        return 'the change goes on';
      },
    },
    throttle: {
      description:
        'sets moves at once (concurrency), a node (nodeConcurrency), and documentsPerSecond of all copies',
      judge: (input) => state.requireThrottle(input as ThrottleInput),
      act: (input) => {
        state.throttle(input as ThrottleInput);
        return describeControl(state.control);
      },
    },
    approve: {
      description: 'lets the first move flip, and all that follow',
      judge: () => state.requireApproval(),
      act: () => {
        state.approve();
        return state.control.paused
          ? 'approved: what is verified flips once the change is resumed'
          : 'approved: what is verified flips now';
      },
    },
    retry: {
      description: 'tries failed moves again from their snapshot',
      judge: failed,
      act: (input) => state.retry(input?.moveId),
    },
    skip: {
      description: 'gives failed moves up; their shards stay where they were',
      judge: failed,
      act: (input) => skip(state, input?.moveId),
    },
    abort: {
      description: 'ends the change: moves that run are finished, failed ones cleaned up',
      judge: (input) => (input?.moveId === undefined ? state.requireOpen() : failed(input)),
      act: (input) => {
        if (input?.moveId !== undefined) return skip(state, input.moveId);
        state.abort();
        return 'no further moves start; those that run are finished, held and failed ones are cleaned up';
      },
    },
    rollback: {
      description: 'takes one move back whose source is still kept: compared first, then one flip',
      judge: (input) => state.requireAtRest(input?.moveId),
      act: async (input) => {
        const moveId = input!.moveId!;
        await requireRetained(moveId);
        state.requireAtRest(moveId);
        state.takeBack(moveId);
        return `move ${moveId} is compared and then flipped back`;
      },
    },
    finish: {
      description: 'ends the retention of flipped moves now, or of one of them',
      judge: () => state.requireOpen(),
      act: async (input) => {
        const which = input?.moveId === undefined ? { changeId: changeId() } : { moveId: input.moveId };
        return `${await meta.endRetention(which)} sources are kept no longer`;
      },
    },
  };
}

/** Fails the update with the sentence that says why the move cannot be taken back. */
async function requireRetained(moveId: string): Promise<void> {
  try {
    await meta.requireRetained(changeId(), moveId);
  } catch (error) {
    throw ApplicationFailure.nonRetryable(rootMessage(error), 'Conflict');
  }
}

function changeId(): string {
  return workflowInfo().firstExecutionRunId;
}

async function skip(state: ChangeState, moveId: string | undefined): Promise<string> {
  const ids = state.takeFailed(moveId);
  const ends = await Promise.all(ids.map((id) => giveUp(state, id)));
  const left = ends.filter((end) => end === 'failed').length;
  const skipped = `${ids.length - left} moves skipped: their shards stay where they were`;
  return left === 0 ? skipped : `${skipped}; ${left} could not be cleaned up yet and stay failed`;
}
