// Has sources deleted whose retention is over: they are rows, and the workflow that deletes them runs only for that.
import type { Client } from '@temporalio/client';
import { listClosable } from '../activities/changes/retained.js';
import type { Log } from '../activities/deps.js';
import type { Store } from '../shared/io/store.js';

export interface RetentionKeeperOptions {
  store: Store;
  client: Client;
  log: Log;
  taskQueue: string;
  clusterId: string;
}

const LOOK_MS = 1_000;

export function retentionWorkflowId(clusterId: string): string {
  return `miroir/retention/${clusterId}`;
}

/** Looks for due sources until `stop` is called. */
export function keepRetention(options: RetentionKeeperOptions): { stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let isOver = false;
  const look = async () => {
    try {
      if (await isDue(options.store)) await startWorkflow(options);
    } catch (error) {
      if (!isOver) options.log.warn({}, `could not end a retention: ${(error as Error).message}`);
    }
    if (!isOver) timer = setTimeout(look, LOOK_MS);
  };
  void look();
  return {
    stop() {
      isOver = true;
      if (timer) clearTimeout(timer);
    },
  };
}

async function isDue(store: Store): Promise<boolean> {
  return (await store.listDueRetentions(1)).length > 0 || (await listClosable(store)).length > 0;
}

async function startWorkflow({ client, taskQueue, clusterId }: RetentionKeeperOptions): Promise<void> {
  await client.workflow.start('endRetention', {
    workflowId: retentionWorkflowId(clusterId),
    taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [],
    staticSummary: 'sources whose retention is over',
  });
}
