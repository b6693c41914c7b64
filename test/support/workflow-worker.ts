// A Temporal worker in the test's own process: the built workflows, activities of the test's choice.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  Client,
  Connection,
  isGrpcDeadlineError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../activities/index.js';
import { WORKFLOW_CODE_LIMIT } from '../../worker/bundle.js';
import type { DECISIONS } from '../../workflows/decisions.js';
import type { ChangeProgress } from '../../workflows/messages.js';
import type { topologyChange } from '../../workflows/topology-change.js';

const BUNDLE = resolve(import.meta.dirname, '../../dist/workflow-bundle.js');

export const workflowBundle = { codePath: BUNDLE };

export type ChangeHandle = WorkflowHandleWithFirstExecutionRunId<typeof topologyChange>;

let installed = false;
/** Once a process; the default logger tells every failed activity. */
export function quietRuntime(): void {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR') });
  installed = true;
}

export class WorkflowWorker {
  /** Which cluster's changes are meant; every test takes one of its own. */
  clusterId = 'none';
  readonly taskQueue = `workflows-${randomUUID()}`;
  private running: Promise<void> = Promise.resolve();
  private worker: Worker | null = null;

  private constructor(
    private readonly native: NativeConnection,
    private readonly connection: Connection,
    readonly client: Client,
  ) {}

  static async start(address: string, activities: Activities): Promise<WorkflowWorker> {
    quietRuntime();
    if (!existsSync(BUNDLE)) throw new Error('dist is not built: run `npm run build`');
    const native = await NativeConnection.connect({ address });
    const connection = await Connection.connect({ address });
    const started = new WorkflowWorker(native, connection, new Client({ connection }));
    started.worker = await Worker.create({
      connection: native,
      taskQueue: started.taskQueue,
      activities,
      workflowBundle,
      ...WORKFLOW_CODE_LIMIT,
      maxHeartbeatThrottleInterval: 100,
      defaultHeartbeatThrottleInterval: 100,
      shutdownForceTime: 5_000,
    });
    // An option that the SDK's types do not know must not be lost unnoticed.
    if (started.worker.options.isolateExecutionTimeoutMs !== 60_000)
      throw new Error('the SDK does not take WORKFLOW_CODE_LIMIT any more');
    started.running = started.worker.run();
    return started;
  }

  renew(): void {
    this.clusterId = `w${randomUUID().slice(0, 8)}`;
  }

  get changeWorkflowId(): string {
    return `miroir/topology/${this.clusterId}`;
  }

  /** Starts a change as any client could. */
  async change(input: unknown, workflowId = this.changeWorkflowId): Promise<ChangeHandle> {
    return this.client.workflow.start<typeof topologyChange>('topologyChange', {
      workflowId,
      taskQueue: this.taskQueue,
      args: [input as never],
    });
  }

  async progress(): Promise<ChangeProgress> {
    return this.client.workflow.getHandle(this.changeWorkflowId).query<ChangeProgress>('progress');
  }

  /** Waits until the change says of itself what is wanted; ever more seldom, for asking takes from its worker too. */
  async until(wanted: (progress: ChangeProgress) => boolean): Promise<ChangeProgress> {
    for (let delayMs = 30; ; delayMs = Math.min(delayMs * 1.1, 1_000)) {
      const progress = await this.progress().catch(passLateAnswer);
      if (progress !== null && wanted(progress)) return progress;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  /** Decides as any client could; a move by its id, or an input. */
  async decide(
    update: (typeof DECISIONS)[number],
    input: string | Record<string, unknown> = {},
  ): Promise<string> {
    return this.client.workflow
      .getHandle(this.changeWorkflowId)
      .executeUpdate<string, [Record<string, unknown>]>(update, {
        args: [typeof input === 'string' ? { moveId: input } : input],
      });
  }

  async stop(): Promise<void> {
    this.worker?.shutdown();
    await this.running;
    await this.connection.close();
    await this.native.close();
  }
}

/**
 * The server waits ten seconds for the answer to a query, and for the end of a workflow task, which it then gives again;
 * a worker on a busy machine may be later than that.
 */
function passLateAnswer(error: unknown): null {
  const isTaskGivenAgain =
    error instanceof Error && /Workflow Task in failed state/.test(String(error.cause));
  if (isTaskGivenAgain || isGrpcDeadlineError(error)) return null;
  throw error;
}
