// Keeps one `deliver` workflow running for every node of the topology, and the one that watches their health; recreates
// what is missing.
import type { Client } from '@temporalio/client';
import type { Log } from '../activities/deps.js';
import type { NodeId } from '../shared/core/topology.js';
import type { Store } from '../shared/io/store.js';

export interface StreamKeeperOptions {
  store: Store;
  client: Client;
  log: Log;
  taskQueue: string;
  clusterId: string;
}

const LOOK_MS = 300;
/** How often a stream that was started is asked for again: Temporal may have lost it, or somebody ended it. */
const RENEW_MS = 5_000;

export function streamWorkflowId(clusterId: string, node: NodeId): string {
  return `miroir/deliver/${clusterId}/${node}`;
}

export class StreamKeeper {
  private readonly startedAtMs = new Map<NodeId, number>();
  private watchStartedMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;
  private ended = false;

  constructor(private readonly options: StreamKeeperOptions) {}

  begin(): void {
    const look = async () => {
      try {
        await this.keep();
      } catch (error) {
        this.options.log.warn({}, `could not look after the streams: ${(error as Error).message}`);
      }
      if (!this.ended) this.timer = setTimeout(look, LOOK_MS);
    };
    void look();
  }

  end(): void {
    this.ended = true;
    if (this.timer) clearTimeout(this.timer);
  }

  /** Starts the stream of a node; nothing happens when it runs. */
  async start(node: NodeId): Promise<void> {
    const { client, taskQueue, clusterId } = this.options;
    await client.workflow.start('deliver', {
      workflowId: streamWorkflowId(clusterId, node),
      taskQueue,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [node],
      staticSummary: `stream of node ${node}`,
    });
    this.startedAtMs.set(node, performance.now());
  }

  private async keep(): Promise<void> {
    await this.keepWatch();
    const streams = await this.options.store.readStreams();
    for (const { node } of streams) {
      const startedMs = this.startedAtMs.get(node);
      if (startedMs !== undefined && performance.now() - startedMs < RENEW_MS) continue;
      await this.start(node);
    }
  }

  private async keepWatch(): Promise<void> {
    if (performance.now() - this.watchStartedMs < RENEW_MS) return;
    const { client, taskQueue, clusterId } = this.options;
    await client.workflow.start('watchFleet', {
      workflowId: `miroir/heal/${clusterId}`,
      taskQueue,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [],
      staticSummary: 'watches the nodes and heals the fleet',
    });
    this.watchStartedMs = performance.now();
  }
}
