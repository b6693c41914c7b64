// Starts changes of the topology and acts on the running one, through Temporal. Connects on first use: a proxy
// starts and searches without Temporal, and hears within seconds that it is away.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Connection, WorkflowHandle } from '@temporalio/client';
import type { ThrottleInput } from '../core/change-control.js';
import { type ChangeRequest, describeEdits, editsOf } from '../core/change-edits.js';
import { ApiError } from '../core/errors.js';

export type ChangeInput = ChangeRequest;

export const CHANGE_ACTIONS = [
  'pause',
  'resume',
  'throttle',
  'approve',
  'retry',
  'skip',
  'abort',
  'rollback',
  'cancel',
] as const;
export type ChangeAction = (typeof CHANGE_ACTIONS)[number];

/** What goes with a decision: who decides, and what a throttle sets. */
export interface DecisionDetail extends ThrottleInput {
  by?: string;
}

export interface StartedChange {
  changeId: string;
  workflowId: string;
}

export interface ChangeStarter {
  /**
   * Starts a change, before which a healing one makes way; throws ApiError miroir_change_in_progress while any other one
   * runs.
   */
  start(input: ChangeInput): Promise<StartedChange>;
  /** Acts on one waiting move of the running change, or on all of them. */
  act(action: ChangeAction, moveId: string | null, detail?: DecisionDetail): Promise<unknown>;
  /** What the running workflow says of itself, or null when none runs. */
  progress(): Promise<unknown>;
  /** How the run of a change stands, or null when Temporal knows no such run. */
  outcome(changeId: string): Promise<ChangeOutcome | null>;
  close(): Promise<void>;
}

/** A run as Temporal sees it: the only trace of a change that was refused before it reached the store. */
export interface ChangeOutcome {
  status: 'running' | 'done' | 'failed' | 'aborted';
  startedAt: string;
  finishedAt: string | null;
  /** Why it failed. */
  message: string | null;
  /** Steps of the change itself that are not done, with what went wrong last. */
  pending: PendingStep[];
}

export interface PendingStep {
  step: string;
  attempt: number;
  lastError: string | null;
}

export interface TemporalTarget {
  address: string;
  namespace: string;
  taskQueue: string;
  clusterId: string;
  /** Within which Temporal must answer. */
  deadlineMs?: number;
  /** How long a new change waits for one that is ending: its last step may have been given to a worker that has died. */
  endingMs?: number;
}

/** Phases of a change that nothing more comes of; see ChangePhase of the workflows. */
const ENDING = new Set(['finishing', 'done', 'aborted', 'failed']);
/** Less than the command line waits for an answer. */
const ENDING_MS = 25_000;
/** How long after one change was cancelled to make way the next one may be. */
const CANCEL_AGAIN_MS = 5_000;

const MAKING_WAY =
  'The fleet heals itself, and that change is being cancelled to make way for yours; the nodes that it copies to take ' +
  'their time. Start yours again in a moment: it brings what is still missing too.';

interface Running {
  phase?: string;
  kind?: string;
}

const STATUSES: Record<string, ChangeOutcome['status']> = { COMPLETED: 'done', CANCELLED: 'aborted' };

/** The one workflow id that a cluster's changes may have. */
export function changeWorkflowId(clusterId: string): string {
  return `miroir/topology/${clusterId}`;
}

export class TemporalChanges implements ChangeStarter {
  private connecting: Promise<{ client: Client; connection: Connection }> | null = null;
  private readonly deadlineMs: number;
  private calls = 0;

  constructor(
    private readonly target: TemporalTarget,
    /** Whether the state store knows of no open change: asked when no worker may be there to ask. */
    private readonly isIdle: () => Promise<boolean> = async () => false,
  ) {
    this.deadlineMs = target.deadlineMs ?? 4_000;
  }

  async start(input: ChangeInput): Promise<StartedChange> {
    const begunMs = performance.now();
    let cancelledMs: number | null = null;
    for (;;) {
      try {
        return await this.startOnce(input);
      } catch (error) {
        const isBusy = error instanceof ApiError && error.code === 'miroir_change_in_progress';
        if (!isBusy) throw error;
        const nowMs = performance.now();
        if (nowMs - begunMs > (this.target.endingMs ?? ENDING_MS))
          throw cancelledMs === null ? error : new ApiError(error.code, MAKING_WAY);
        const running = await this.look();
        if (running === 'runs') throw error;
        if (running === 'heals' && nowMs - (cancelledMs ?? Number.NEGATIVE_INFINITY) > CANCEL_AGAIN_MS) {
          cancelledMs = nowMs;
          await this.cancelHealing().catch(ignoreEnded);
        }
        await sleep(100);
      }
    }
  }

  /** A change that is done in the store may take a moment more to end as a workflow; what heals makes way. */
  private async look(): Promise<'runs' | 'heals' | 'ends'> {
    if (await this.isIdle()) return 'ends';
    const progress = (await this.progress().catch(() => undefined)) as Running | null | undefined;
    if (progress === null || ENDING.has(progress?.phase ?? '')) return 'ends';
    return progress?.kind === 'heal' ? 'heals' : 'runs';
  }

  /** Of that one run, and no other that may have begun since it was looked at. */
  private async cancelHealing(): Promise<void> {
    const workflowId = changeWorkflowId(this.target.clusterId);
    await this.call(3 * this.deadlineMs, async (client) => {
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      const run = client.workflow.getHandle(workflowId, runId);
      const { kind } = await run.query<Running>('progress');
      if (kind === 'heal') await run.cancel();
    });
  }

  private async startOnce(input: ChangeInput): Promise<StartedChange> {
    const workflowId = changeWorkflowId(this.target.clusterId);
    const summary = input.plan === undefined ? describeEdits(editsOf(input)) : `plan ${input.plan}`;
    return this.call(this.deadlineMs, async (client) => {
      const handle = await client.workflow.start('topologyChange', {
        workflowId,
        taskQueue: this.target.taskQueue,
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        args: [input],
        staticSummary: (summary || input.kind).slice(0, 200),
      });
      return { changeId: handle.firstExecutionRunId, workflowId };
    });
  }

  async act(action: ChangeAction, moveId: string | null, detail: DecisionDetail = {}): Promise<unknown> {
    const input = moveId === null ? detail : { ...detail, moveId };
    return this.call(3 * this.deadlineMs, async (client) => {
      const handle = client.workflow.getHandle(changeWorkflowId(this.target.clusterId));
      if (action !== 'cancel')
        return handle.executeUpdate<unknown, [DecisionDetail & { moveId?: string }]>(action, {
          args: [input],
        });
      await cancelRunning(handle);
      return 'moves before their flip are undone, those that have flipped stay';
    });
  }

  async progress(): Promise<unknown> {
    try {
      return await this.call(this.deadlineMs, (client) =>
        client.workflow.getHandle(changeWorkflowId(this.target.clusterId)).query('progress'),
      );
    } catch (error) {
      if (error instanceof ApiError && error.code === 'miroir_change_not_found') return null;
      throw error;
    }
  }

  async outcome(changeId: string): Promise<ChangeOutcome | null> {
    // Temporal takes a run id that is no UUID for a broken request.
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(changeId)) return null;
    const workflowId = changeWorkflowId(this.target.clusterId);
    try {
      return await this.call(this.deadlineMs, async (client) => {
        const handle = client.workflow.getHandle(workflowId, changeId, { followRuns: false });
        const { status, startTime, closeTime, raw } = await handle.describe();
        const failed = ['FAILED', 'TERMINATED', 'TIMED_OUT'].includes(status.name);
        return {
          status: failed ? 'failed' : (STATUSES[status.name] ?? 'running'),
          startedAt: startTime.toISOString(),
          finishedAt: closeTime?.toISOString() ?? null,
          message: failed
            ? await handle.result().then(
                () => null,
                (error: unknown) => rootMessage(error),
              )
            : null,
          pending: (raw.pendingActivities ?? []).map((activity) => ({
            step: activity.activityType?.name ?? 'unknown',
            attempt: activity.attempt ?? 1,
            lastError: activity.lastFailure?.message ?? null,
          })),
        };
      });
    } catch (error) {
      if (error instanceof ApiError && error.code === 'miroir_change_not_found') return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    const connecting = this.connecting;
    this.connecting = null;
    const connected = await connecting?.catch(() => null);
    await connected?.connection.close();
  }

  /** Asks Temporal; throws ApiError for what is its or the caller's fault. */
  async call<T>(deadlineMs: number, use: (client: Client) => Promise<T>): Promise<T> {
    const temporal = await import('@temporalio/client');
    this.calls++;
    try {
      const { client, connection } = await this.connect(temporal);
      return await connection.withDeadline(Date.now() + deadlineMs, () => use(client));
    } catch (error) {
      throw this.explain(error, temporal);
    } finally {
      this.calls--;
      if (this.calls === 0) await this.endCallContext();
    }
  }

  /** A context that was used once costs every promise of the process from then on: a search a twentieth of its time. */
  private async endCallContext(): Promise<void> {
    const connected = await this.connecting?.catch(() => null);
    if (this.calls === 0) connected?.connection.callContextStorage.disable();
  }

  /** One connection for all; a failed attempt is forgotten, so that the next call tries again. */
  private connect(temporal: typeof import('@temporalio/client')) {
    this.connecting ??= temporal.Connection.connect({
      address: this.target.address,
      connectTimeout: this.deadlineMs,
    }).then(
      (connection) => ({
        connection,
        client: new temporal.Client({ connection, namespace: this.target.namespace }),
      }),
      (error: unknown) => {
        this.connecting = null;
        throw error;
      },
    );
    return this.connecting;
  }

  private explain(error: unknown, temporal: typeof import('@temporalio/client')): unknown {
    if (error instanceof temporal.WorkflowExecutionAlreadyStartedError) {
      return new ApiError(
        'miroir_change_in_progress',
        'A change of the topology is in progress, and there can be only one. ' +
          'Follow it with `miroir-ctl rebalance status --watch`, or end it with `miroir-ctl rebalance abort`.',
      );
    }
    if (error instanceof temporal.WorkflowNotFoundError) {
      return new ApiError('miroir_change_not_found', 'No change of the topology is in progress.');
    }
    if (error instanceof temporal.WorkflowUpdateFailedError) {
      return new ApiError('miroir_invalid_change', error.cause?.message ?? error.message);
    }
    if (error instanceof temporal.NamespaceNotFoundError) {
      return this.unavailable(`has no namespace \`${this.target.namespace}\``);
    }
    const slow =
      error instanceof temporal.WorkflowUpdateRPCTimeoutOrCancelledError || isDeadline(error, temporal);
    if (slow) return this.unavailable('does not answer in time, or no worker does');
    if (
      error instanceof temporal.ServiceError ||
      temporal.isGrpcServiceError(error) ||
      isConnectFailure(error)
    ) {
      return this.unavailable(`does not answer (${rootMessage(error)})`);
    }
    return error;
  }

  private unavailable(what: string): ApiError {
    return new ApiError(
      'miroir_temporal_unavailable',
      `Temporal at ${this.target.address} ${what}. Nothing was changed by this proxy. Check that the Temporal server ` +
        'and a worker (`miroir worker`) run and that TEMPORAL_ADDRESS is right, then look with `miroir-ctl status` ' +
        'whether the request arrived before you repeat it. Searches and writes go on meanwhile.',
    );
  }
}

/** Cancels a run; Temporal takes a cancellation of one that is over, and says nothing. */
export async function cancelRunning(handle: Pick<WorkflowHandle, 'describe' | 'cancel'>): Promise<void> {
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING')
    throw new ApiError('miroir_change_not_found', 'No change of the topology is in progress.');
  await handle.cancel();
}

function isDeadline(error: unknown, temporal: typeof import('@temporalio/client')): boolean {
  return (
    temporal.isGrpcDeadlineError(error) ||
    (error instanceof Error && error.cause !== undefined && temporal.isGrpcDeadlineError(error.cause))
  );
}

/** Connection.connect throws a plain Error when the server does not answer in time. */
function isConnectFailure(error: unknown): boolean {
  return error instanceof Error && /connect|ECONNREFUSED|UNAVAILABLE|deadline/i.test(error.message);
}

function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 'miroir_change_not_found')) throw error;
}
