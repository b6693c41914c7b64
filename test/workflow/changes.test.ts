// Starting changes through a real Temporal server, without a worker: what is refused, and what is said when nobody
// answers.
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ApiError } from '../../shared/core/errors.js';
import { changeWorkflowId, TemporalChanges } from '../../shared/io/changes.js';

const address = inject('temporalAddress');
const clusterId = `changes-${randomUUID().slice(0, 8)}`;
const target = {
  address,
  namespace: 'default',
  taskQueue: `nobody-${clusterId}`,
  clusterId,
  deadlineMs: 1_500,
};

let connection: Connection;
let client: Client;
let changes: TemporalChanges;
beforeAll(async () => {
  connection = await Connection.connect({ address });
  client = new Client({ connection });
  changes = new TemporalChanges(target);
});
afterAll(async () => {
  await changes.close();
  await connection.close();
});

async function refusal(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('TemporalChanges', () => {
  it('has nothing to act on before the first change', async () => {
    expect((await refusal(changes.act('retry', null))).code).toBe('miroir_change_not_found');
    expect(await changes.progress()).toBeNull();
    expect(await changes.outcome(randomUUID())).toBeNull();
    expect(await changes.outcome('not a run id')).toBeNull();
  });

  it('starts one change at a time, and says how its run stands', async () => {
    const input = { kind: 'drain' as const, nodes: ['n3'], options: { retentionMs: 0 } };
    const { changeId, workflowId } = await changes.start(input);
    expect(workflowId).toBe(changeWorkflowId(clusterId));
    const handle = client.workflow.getHandle(workflowId);
    const description = await handle.describe();
    expect(description.runId).toBe(changeId);
    expect(description.type).toBe('topologyChange');
    expect(description.taskQueue).toBe(target.taskQueue);
    expect(await changes.outcome(changeId)).toMatchObject({
      status: 'running',
      finishedAt: null,
      message: null,
    });

    expect((await refusal(changes.start(input))).code).toBe('miroir_change_in_progress');

    await handle.terminate('the test is over');
    expect(await changes.outcome(changeId)).toMatchObject({ status: 'failed', message: 'the test is over' });
    const again = await changes.start(input);
    expect(again.changeId).not.toBe(changeId);
    await handle.terminate('the test is over');
  });

  it('waits for the end of a run whose change is over in the store, though no worker answers', async () => {
    let asked = () => {};
    const refused = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const patient = new TemporalChanges(target, async () => {
      asked();
      return true;
    });
    const input = { kind: 'rebalance' as const, nodes: [] };
    const first = await patient.start(input);
    const next = patient.start(input);
    await refused;
    await client.workflow.getHandle(first.workflowId).terminate('its last step');
    expect((await next).changeId).not.toBe(first.changeId);
    await client.workflow.getHandle(first.workflowId).terminate('the test is over');
    await patient.close();
  });

  it('says so when no worker answers', async () => {
    const { workflowId } = await changes.start({ kind: 'rebalance', nodes: [] });
    const error = await refusal(changes.act('abort', null));
    expect(error.code).toBe('miroir_temporal_unavailable');
    expect(error.message).toContain('miroir worker');
    await client.workflow.getHandle(workflowId).terminate('the test is over');
  });

  it('says so when Temporal or its namespace is not there', async () => {
    const away = new TemporalChanges({ ...target, address: '127.0.0.1:1' });
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await refusal(away.start({ kind: 'rebalance', nodes: [] }));
      expect(error.code).toBe('miroir_temporal_unavailable');
      expect(error.status).toBe(503);
      expect(error.message).toContain('Temporal at 127.0.0.1:1');
    }
    await away.close();
    const unknown = new TemporalChanges({ ...target, namespace: 'no-such-namespace' });
    expect((await refusal(unknown.start({ kind: 'rebalance', nodes: [] }))).message).toContain(
      'no-such-namespace',
    );
    await unknown.close();
  });
});
