// Long changes and streams go on in a new run when their history has grown: nothing is done twice, nothing forgotten.
// The server suggests it after so few events that a few moves need several runs.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { TemporalServer } from '../../shared/io/temporal-server.js';
import { startTemporal } from '../../shared/io/temporal-server.js';
import { moveIdOf } from '../../workflows/messages.js';
import { FakeMoves } from '../support/fake-moves.js';
import { WorkflowWorker } from '../support/workflow-worker.js';

const { TEMPORAL_ADDRESS: _ignored, ...env } = process.env;
const MOVES = 9;

let server: TemporalServer;
let worker: WorkflowWorker | null = null;
beforeAll(async () => {
  server = await startTemporal({
    dbFile: null,
    uiPort: null,
    env,
    extraArgs: ['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=45'],
  });
});
afterEach(async () => {
  await worker?.stop();
  worker = null;
});
afterAll(() => server?.stop());

async function start(moves: FakeMoves): Promise<WorkflowWorker> {
  worker = await WorkflowWorker.start(server.address, moves.activities());
  worker.renew();
  return worker;
}

/** How many runs a workflow id has had. */
async function runs(workflowId: string): Promise<number> {
  let count = 0;
  for await (const _run of worker!.client.workflow.list({ query: `WorkflowId="${workflowId}"` })) count += 1;
  return count;
}

it('makes every move once over several runs, and validates once', async () => {
  const moves = new FakeMoves();
  moves.moves = MOVES;
  const change = await (await start(moves)).change({ kind: 'rebalance' });
  const result = await change.result();
  expect(result).toMatchObject({ phase: 'done', moves: { planned: MOVES, done: MOVES, failed: 0 } });
  for (let ordinal = 0; ordinal < MOVES; ordinal += 1) expect(moves.count(`flip ${ordinal}`)).toBe(1);
  expect([moves.count('validate'), moves.count('plan'), moves.count('finish')]).toEqual([1, 1, 1]);
  expect(moves.calls.filter((call) => call.startsWith('abandon'))).toEqual([]);
  await expect.poll(() => runs(change.workflowId), { timeout: 20_000 }).toBeGreaterThan(1);
});

it('carries failed moves with their reasons, and what an operator decides about them', async () => {
  const moves = new FakeMoves();
  moves.moves = MOVES;
  moves.break('verify 0', '1 documents differ', 'VerifyFailed');
  moves.break('verify 1', '2 documents differ', 'VerifyFailed');
  const running = await start(moves);
  const change = await running.change({ kind: 'rebalance' });
  const progress = await running.until(({ phase }) => phase === 'needs-attention');
  expect(progress).toMatchObject({
    moves: { planned: MOVES, done: MOVES - 2, failed: 2 },
  });
  // Which of two that run side by side fails first is chance.
  expect(progress.failed.map(({ moveId, error }) => `${moveId} ${error}`).sort()).toEqual([
    `${moveIdOf(moves.changeId, 0)} 1 documents differ`,
    `${moveIdOf(moves.changeId, 1)} 2 documents differ`,
  ]);
  moves.mend('verify 0');
  await running.decide('retry', moveIdOf(moves.changeId, 0));
  await running.until(({ moves: { failed, running: now } }) => failed === 1 && now === 0);
  await running.decide('skip');
  expect(await change.result()).toMatchObject({
    phase: 'done',
    moves: { planned: MOVES, done: MOVES - 1, skipped: 1, failed: 0 },
  });
});

it('forgets no decision that comes while a run is about to end', async () => {
  const moves = new FakeMoves();
  moves.moves = MOVES;
  moves.break('verify 0', '1 documents differ', 'VerifyFailed');
  const running = await start(moves);
  const change = await running.change({ kind: 'rebalance' });
  // At any moment of its several runs the move is failed: each retry may meet the end of one.
  let retries = 0;
  for (;;) {
    const progress = await running.progress();
    if (progress.phase === 'needs-attention') break;
    if (progress.moves.failed > 0) {
      await running.decide('retry').then(
        () => {
          retries += 1;
        },
        () => undefined,
      );
    }
  }
  expect(retries).toBeGreaterThan(0);
  moves.mend('verify 0');
  await running.decide('retry');
  expect((await change.result()).moves).toMatchObject({ planned: MOVES, done: MOVES, failed: 0 });
});

it('keeps the stream of a node going, run after run, until the node has left', async () => {
  const moves = new FakeMoves();
  let left = 4;
  const activities = moves.activities({ deliver: async () => (left-- > 1 ? 'over' : 'removed') });
  worker = await WorkflowWorker.start(server.address, activities);
  worker.renew();
  const workflowId = `miroir/deliver/${worker.clusterId}/n1`;
  const handle = await worker.client.workflow.start('deliver', {
    workflowId,
    taskQueue: worker.taskQueue,
    args: ['n1'],
  });
  expect(await handle.result()).toBe('node n1 has left the topology');
  await expect.poll(() => runs(workflowId), { timeout: 20_000 }).toBe(4);
});
