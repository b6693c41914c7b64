// The watch over the fleet and healing changes, on a real Temporal server: what heals begins by itself, one change at a
// time, and makes way for what an operator starts.
import { describe, expect, inject, it } from 'vitest';
import { TemporalChanges } from '../../shared/io/changes.js';
import { useFakeFleet } from '../support/fake-fleet.js';
import type { FakeMoves } from '../support/fake-moves.js';
import type { WorkflowWorker } from '../support/workflow-worker.js';

const HEAL = { kind: 'heal', nodes: [], cause: 'node n2 is lost' } as const;
const LIMIT = { timeout: 180_000 };
const POLL = { timeout: 90_000 };

let moves: FakeMoves;
let worker: WorkflowWorker;
let changes: TemporalChanges;
/** What the watch finds, look by look; nothing afterwards. */
let findings: { cause: string; lost: string[] }[] = [];
let looks = 0;
let noted: string[][] = [];

useFakeFleet(
  (fleet) => {
    ({ worker, moves } = fleet);
    findings = [];
    looks = 0;
    noted = [];
    const { taskQueue, clusterId } = worker;
    const address = inject('temporalAddress');
    // A busy machine takes its time; in reality the operator is told to start again.
    const patience = { deadlineMs: 30_000, endingMs: 120_000 };
    changes = new TemporalChanges({ address, namespace: 'default', taskQueue, clusterId, ...patience });
  },
  {
    watchHealth: async () => {
      looks += 1;
      return findings.shift() ?? null;
    },
    noteHealing: async (lost) => {
      noted.push(lost);
    },
    openVerification: async ({ input }) => input as never,
    runVerification: async () => ({ items: 3, different: 1 }),
    repairFindings: async () => ({ waiting: 1 }),
    recheckFindings: async () => ({ items: 3, different: 0 }),
    closeVerification: async () => undefined,
  },
);

const start = (workflow: string, workflowId: string, ...args: unknown[]) =>
  worker.client.workflow.start(workflow, { workflowId, taskQueue: worker.taskQueue, args });
const runningKind = async () => (await worker.progress()).kind;

describe('the watch over the fleet', () => {
  const watch = () => start('watchFleet', `miroir/heal/${worker.clusterId}`);

  it('says whose replicas are copied away, heals, and watches on', LIMIT, async () => {
    findings = [{ cause: 'node n2 is lost', lost: ['n2'] }];
    const handle = await watch();
    // Not there before the watch has found something.
    await expect.poll(() => runningKind().catch(() => null), POLL).toBe('heal');
    await worker.until((progress) => progress.phase === 'done');
    expect(noted).toEqual([['n2']]);
    await expect.poll(() => looks, POLL).toBeGreaterThan(2);
    await worker.client.workflow.getHandle(handle.workflowId).terminate('the test is over');
    await changes.close();
  });

  it('leaves the fleet to a change that runs already', LIMIT, async () => {
    moves.hold('plan');
    const change = await worker.change({ kind: 'rebalance' });
    await moves.begun('plan');
    findings = [{ cause: 'node n2 is lost', lost: ['n2'] }];
    const handle = await watch();
    await expect.poll(() => looks, POLL).toBeGreaterThan(2);
    expect(await runningKind()).toBe('rebalance');
    await worker.client.workflow.getHandle(handle.workflowId).terminate('the test is over');
    moves.release('plan');
    expect(await change.result()).toMatchObject({ kind: 'rebalance', phase: 'done' });
    await changes.close();
  });
});

describe('a healing change', () => {
  it('makes way for what an operator starts', LIMIT, async () => {
    moves.hold('copy');
    const healing = await worker.change(HEAL);
    await moves.begun('copy');
    const started = changes.start({ kind: 'drain', nodes: ['n3'] });
    await expect(healing.result()).rejects.toThrow(/cancel/i);
    // Its copies are undone before the next change plans.
    expect(moves.calls).toContain('delete target 0');
    moves.release('copy');
    const { changeId } = await started;
    expect(changeId).not.toBe(healing.firstExecutionRunId);
    const next = worker.client.workflow.getHandle(worker.changeWorkflowId, changeId);
    expect(await next.result()).toMatchObject({ kind: 'drain', phase: 'done' });
    await changes.close();
  });

  it('is the only one that does: two operators get in each other’s way', LIMIT, async () => {
    moves.hold('copy');
    const first = await worker.change({ kind: 'rebalance' });
    await moves.begun('copy');
    await expect(changes.start({ kind: 'drain', nodes: ['n3'] })).rejects.toMatchObject({
      code: 'miroir_change_in_progress',
    });
    moves.release('copy');
    expect(await first.result()).toMatchObject({ kind: 'rebalance', phase: 'done' });
    await changes.close();
  });

  it('that a verification waits for is begun again after it had to make way', LIMIT, async () => {
    moves.hold('copy');
    const verification = await start('verifyCluster', `miroir/verify/${worker.clusterId}`, { repair: true });
    await moves.begun('copy');
    const { changeId } = await changes.start({ kind: 'drain', nodes: ['n3'] });
    moves.release('copy');
    await worker.client.workflow.getHandle(worker.changeWorkflowId, changeId).result();
    expect(await verification.result()).toMatchObject({ different: 0 });
    expect(await worker.progress()).toMatchObject({ kind: 'heal', phase: 'done' });
    await changes.close();
  });
});
