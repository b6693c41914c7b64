// Verifications on a real Temporal server: one at a time, started again as soon as the store says that the last is over,
// repaired through the one change workflow, and scheduled once however many workers there are.
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { TemporalChanges } from '../../shared/io/changes.js';
import { TemporalVerifications } from '../../shared/io/verifications.js';
import { keepSchedule, scheduleId } from '../../worker/schedule.js';
import { FakeMoves } from '../support/fake-moves.js';
import { WorkflowWorker } from '../support/workflow-worker.js';

const address = inject('temporalAddress');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

let worker: WorkflowWorker;
let changes: TemporalChanges;
let verifications: TemporalVerifications;
/** What the store would say. */
let running = false;
let calls: string[] = [];
let waiting = 0;
let hold: Promise<void> = Promise.resolve();

beforeAll(async () => {
  const moves = new FakeMoves();
  worker = await WorkflowWorker.start(
    address,
    moves.activities({
      openVerification: async ({ input }) => {
        running = true;
        calls.push('open');
        return input as never;
      },
      runVerification: async () => {
        calls.push('compare');
        await hold;
        return { items: 3, different: waiting > 0 ? 1 : 0 };
      },
      repairFindings: async () => {
        calls.push('repair');
        return { waiting };
      },
      recheckFindings: async () => {
        calls.push('compare again');
        return { items: 3, different: 0 };
      },
      closeVerification: async (_id, status) => {
        running = false;
        calls.push(status);
      },
    }),
  );
});
beforeEach(() => {
  calls = [];
  waiting = 0;
  hold = Promise.resolve();
  worker.renew();
  const target = { address, namespace: 'default', taskQueue: worker.taskQueue, clusterId: worker.clusterId };
  changes = new TemporalChanges(target);
  verifications = new TemporalVerifications(changes, target, async () => running);
});
afterAll(() => worker.stop());

const result = () =>
  worker.client.workflow.getHandle(`miroir/verify/${worker.clusterId}`).result() as Promise<unknown>;

describe('a verification', () => {
  it('runs one at a time, and again as soon as the store says that the last is over', async () => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    await verifications.start({});
    await expect.poll(() => calls, { timeout: 60_000 }).toContain('compare');
    await expect(verifications.start({})).rejects.toMatchObject({ code: 'miroir_verification_in_progress' });
    // As between the last write to the store and the end of the workflow.
    running = false;
    const second = verifications.start({});
    release();
    const { verificationId } = await second;
    expect(await result()).toEqual({ verificationId, items: 3, different: 0 });
    await changes.close();
  });

  it('repairs through a change of the topology, and compares again', async () => {
    waiting = 2;
    const { verificationId } = await verifications.start({ repair: true });
    expect(await result()).toEqual({ verificationId, items: 3, different: 0 });
    expect(calls).toEqual(['open', 'compare', 'repair', 'compare again', 'done']);
    const change = await worker.client.workflow.getHandle(worker.changeWorkflowId).describe();
    expect(change).toMatchObject({ type: 'topologyChange', status: { name: 'COMPLETED' } });
    await changes.close();
  });

  it('touches nothing where it was not asked to repair', async () => {
    waiting = 2;
    await verifications.start({});
    await result();
    expect(calls).toEqual(['open', 'compare', 'done']);
    await changes.close();
  });

  it('ends when it is aborted', async () => {
    await expect(verifications.abort()).rejects.toMatchObject({ code: 'miroir_verification_not_found' });
    await changes.close();
  });
});

describe('the schedule', () => {
  it('is there once, follows the configuration, and goes when it is switched off', async () => {
    const connection = await Connection.connect({ address });
    const client = new Client({ connection });
    const config = {
      clusterId: `s${randomUUID().slice(0, 8)}`,
      taskQueue: 'nobody',
      verifyEveryMs: 3_600_000,
    };
    const describeIt = () => client.schedule.getHandle(scheduleId(config.clusterId)).describe();
    await Promise.all([keepSchedule(client, config, log), keepSchedule(client, config, log)]);
    const created = await describeIt();
    expect(created.policies.overlap).toBe('SKIP');
    expect(created.spec.intervals).toMatchObject([{ every: 3_600_000 }]);
    expect(created.action).toMatchObject({ workflowType: 'scheduledVerify', taskQueue: 'nobody' });
    await keepSchedule(client, { ...config, verifyEveryMs: 7_200_000 }, log);
    expect((await describeIt()).spec.intervals).toMatchObject([{ every: 7_200_000 }]);
    await keepSchedule(client, { ...config, verifyEveryMs: 0 }, log);
    await expect(describeIt()).rejects.toThrow(/not found/i);
    await keepSchedule(client, { ...config, verifyEveryMs: 0 }, log);
    await connection.close();
  });
});
