// Records the histories under test/replay, from runs on a real fleet where nodes matter. Runs only when asked to:
// `MIROIR_RECORD_HISTORIES=1 npx vitest run test/workflow/record-histories.test.ts`. Record again only with code that
// is released: a history is worth something because it is older than the code that replays it.
import { Client, Connection } from '@temporalio/client';
import { describe, expect, inject, it } from 'vitest';
import { startTemporal } from '../../shared/io/temporal-server.js';
import { moveIdOf } from '../../workflows/messages.js';
import { startCluster } from '../support/cluster.js';
import { FakeMoves } from '../support/fake-moves.js';
import { recordHistory } from '../support/histories.js';
import { WorkflowWorker } from '../support/workflow-worker.js';

const asked = (process.env.MIROIR_RECORD_HISTORIES ?? '') !== '';

describe.runIf(asked)('recording', () => {
  it('a fleet: nodes added with moves, a node removed, a stream', async () => {
    const address = inject('temporalAddress');
    const cluster = await startCluster({ nodes: 2, replicationFactor: 1, shardCount: 4 });
    const connection = await Connection.connect({ address });
    try {
      const client = new Client({ connection });
      const documents = Array.from({ length: 200 }, (_, id) => ({ id, text: `document ${id}` }));
      await cluster.write('/indexes/books/documents', { body: documents });
      await cluster.spawnNode();
      const record = async (name: string) => {
        const workflowId = `miroir/topology/${cluster.id}`;
        const { runId } = await client.workflow.getHandle(workflowId).describe();
        await recordHistory(address, name, { workflowId, runId });
        await recordHistory(address, `${name}-move`, { workflowId: `miroir/move/${moveIdOf(runId, 0)}` });
      };
      await cluster.addNodeWith(['node-3'], { retentionMs: 200 }, 300_000);
      await record('add-node');
      await cluster.removeNode('node-3', { retentionMs: 0 });
      await record('remove-node');
      const workflowId = `miroir/deliver/${cluster.id}/node-3`;
      await client.workflow.getHandle(workflowId).result();
      await recordHistory(address, 'deliver-removed', { workflowId });
    } finally {
      await connection.close();
      await cluster.stop();
    }
  }, 600_000);

  it('decisions: attention, retry, skip, abort, cancellation', async () => {
    const address = inject('temporalAddress');
    const moves = new FakeMoves();
    let worker = await WorkflowWorker.start(address, moves.activities());
    try {
      worker.renew();
      moves.break('verify 0', '1 documents differ', 'VerifyFailed');
      moves.break('copy 1', 'the source is gone');
      const change = await worker.change({ kind: 'rebalance' });
      await worker.until(({ phase }) => phase === 'needs-attention');
      moves.mend('verify 0');
      await worker.decide('retry', moveIdOf(moves.changeId, 0));
      await worker.until((progress) => progress.moves.done === 2);
      await worker.decide('skip');
      await change.result();
      await recordHistory(address, 'retry-and-skip', { workflowId: change.workflowId });

      worker.renew();
      const aborted = await worker.change({ kind: 'rebalance' });
      await worker.until(({ phase }) => phase === 'needs-attention');
      await recordHistory(address, 'failed-move', {
        workflowId: `miroir/move/${moveIdOf(moves.changeId, 1)}`,
      });
      await worker.decide('abort');
      await aborted.result();
      await recordHistory(address, 'abort', { workflowId: aborted.workflowId });

      await worker.stop();
      const held = new FakeMoves();
      held.hold('copy');
      worker = await WorkflowWorker.start(address, held.activities());
      worker.renew();
      const cancelled = await worker.change({ kind: 'rebalance' });
      await held.begun('copy 1');
      await cancelled.cancel();
      await expect(cancelled.result()).rejects.toThrow();
      await recordHistory(address, 'cancel', { workflowId: cancelled.workflowId });
      await recordHistory(address, 'cancelled-move', {
        workflowId: `miroir/move/${moveIdOf(held.changeId, 0)}`,
      });
    } finally {
      await worker.stop();
    }
  }, 120_000);

  it('control: pause and approval of a change, a rollback, the end of retentions', async () => {
    const address = inject('temporalAddress');
    const moves = new FakeMoves();
    moves.options = { approve: true, retentionMs: 3_600_000 };
    const worker = await WorkflowWorker.start(address, moves.activities());
    try {
      worker.renew();
      const change = await worker.change({ kind: 'rebalance' });
      await worker.until(({ phase }) => phase === 'awaiting-approval');
      await worker.decide('pause', { by: 'ann' });
      await worker.decide('throttle', { nodeConcurrency: 1, documentsPerSecond: 10 });
      await worker.decide('approve', { by: 'ann' });
      await worker.decide('resume', { by: 'ann' });
      await change.result();
      await recordHistory(address, 'steered', { workflowId: change.workflowId });
      await recordHistory(address, 'steered-move', {
        workflowId: `miroir/move/${moveIdOf(moves.changeId, 0)}`,
      });

      worker.renew();
      moves.options = {};
      moves.rollback = { changeId: 'before', moveId: null };
      const back = await worker.change({ kind: 'rollback', change: 'before' });
      await back.result();
      await recordHistory(address, 'rollback', { workflowId: back.workflowId });
      await recordHistory(address, 'rollback-move', {
        workflowId: `miroir/rollback/${moveIdOf(moves.changeId, 0)}`,
      });

      moves.due = [{ moveId: 'x-1', side: 'source' }];
      const workflowId = `miroir/retention/${worker.clusterId}`;
      const ending = await worker.client.workflow.start('endRetention', {
        workflowId,
        taskQueue: worker.taskQueue,
        args: [],
      });
      await ending.result();
      await recordHistory(address, 'end-retention', { workflowId });
    } finally {
      await worker.stop();
    }
  }, 120_000);

  it('runs that continue: a change, a stream', async () => {
    const { TEMPORAL_ADDRESS: _ignored, ...env } = process.env;
    const extraArgs = ['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=45'];
    const server = await startTemporal({ dbFile: null, uiPort: null, env, extraArgs });
    const moves = new FakeMoves();
    moves.moves = 8;
    moves.break('verify 1', '1 documents differ', 'VerifyFailed');
    let left = 2;
    const activities = moves.activities({ deliver: async () => (left-- > 1 ? 'over' : 'removed') });
    const worker = await WorkflowWorker.start(server.address, activities);
    try {
      worker.renew();
      const change = await worker.change({ kind: 'rebalance' });
      const first = change.firstExecutionRunId;
      await worker.until(({ phase }) => phase === 'needs-attention');
      moves.mend('verify 1');
      await worker.decide('retry');
      await change.result();
      await recordHistory(server.address, 'continued-change-begin', {
        workflowId: change.workflowId,
        runId: first,
      });
      await recordHistory(server.address, 'continued-change-end', { workflowId: change.workflowId });
      const workflowId = `miroir/deliver/${worker.clusterId}/n1`;
      const stream = await worker.client.workflow.start('deliver', {
        workflowId,
        taskQueue: worker.taskQueue,
        args: ['n1'],
      });
      await stream.result();
      await recordHistory(server.address, 'deliver-continued', {
        workflowId,
        runId: stream.firstExecutionRunId,
      });
    } finally {
      await worker.stop();
      await server.stop();
    }
  }, 120_000);
});
