// A change of very many moves: over several runs each move is made once, and no history grows large. Forty moves in
// `npm test`; MIROIR_TEST_MOVES=5000 for the long one, which prints its figures.
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startTemporal, type TemporalServer } from '../../shared/io/temporal-server.js';
import { FakeMoves } from '../support/fake-moves.js';
import { WorkflowWorker } from '../support/workflow-worker.js';

const { TEMPORAL_ADDRESS: _ignored, ...env } = process.env;
const asked = process.env.MIROIR_TEST_MOVES;
const MOVES = Number(asked ?? 40);
/** Few moves need a small limit to need several runs; many meet the server's own. */
const SUGGESTED_EVENTS = 150;

let server: TemporalServer;
beforeAll(async () => {
  const extraArgs = asked
    ? []
    : ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${SUGGESTED_EVENTS}`];
  server = await startTemporal({ dbFile: null, uiPort: null, env, extraArgs });
});
afterAll(() => server?.stop());

it(`makes ${MOVES} moves once each, over several runs`, { timeout: 7_200_000 }, async () => {
  const moves = new FakeMoves();
  moves.moves = MOVES;
  moves.options = { retentionMs: 3_600_000, concurrency: 16, nodeConcurrency: 4 };
  moves.nodes = (ordinal) => [`n${ordinal % 10}`, `n${10 + (ordinal % 7)}`];
  const worker = await WorkflowWorker.start(server.address, moves.activities());
  onTestFinished(() => worker.stop());
  const watch = asked ? watchRun(moves) : undefined;
  onTestFinished(() => clearInterval(watch));
  worker.renew();
  const begunMs = performance.now();
  const change = await worker.change({ kind: 'rebalance' });
  // Pausing in the middle must not be forgotten from run to run.
  await worker.until((progress) => progress.moves.done > MOVES / 3);
  await worker.decide('pause');
  await worker.until((progress) => progress.running.every(({ phase }) => phase === 'paused'));
  await worker.decide('throttle', { concurrency: 12 });
  await worker.decide('resume');
  const result = await change.result();
  const seconds = (performance.now() - begunMs) / 1_000;
  expect(result).toMatchObject({
    phase: 'done',
    moves: { planned: MOVES, done: MOVES, failed: 0, skipped: 0 },
    control: { concurrency: 12, nodeConcurrency: 4 },
  });
  const flips = (calls: string[]) => calls.filter((call) => call.startsWith('flip '));
  expect(new Set(flips(moves.calls)).size).toBe(MOVES);
  // A step that a busy machine was late with is given again; a move is not.
  expect(flips(moves.calls).length - flips(moves.repeated).length).toBe(MOVES);

  const { workflowId } = change;
  const runs = await expectRuns(worker, workflowId);
  const longest = Math.max(...runs.map(({ events }) => events));
  const all = runs.reduce((sum, { events }) => sum + events, 0);
  const kilobytes = Math.max(...runs.map(({ sizeBytes }) => sizeBytes)) / 1_000;
  // Room for what still ran when the end of a run was suggested: how many events that needs depends on how tasks fall.
  expect(longest).toBeLessThan(asked ? 5_000 : SUGGESTED_EVENTS + 16 * 20);
  expect(runs.length).toBeGreaterThan(1);
  if (asked)
    process.stdout.write(
      `${MOVES} moves: ${seconds.toFixed(0)} s, ${runs.length} runs, at most ${longest} events and ${kilobytes.toFixed(0)} kB a run, ${all} events in all\n`,
    );
});

/** Tells every minute how far a long run is, and what the worker's process takes: neither may grow worse. */
function watchRun(moves: FakeMoves): NodeJS.Timeout {
  const begunMs = performance.now();
  return setInterval(() => {
    const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
    const { rss, heapUsed } = process.memoryUsage();
    const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(0);
    process.stdout.write(
      `${minutes} min: ${moves.flipped.size} flipped, ${megabytes(rss)} MB resident, ${megabytes(heapUsed)} MB of heap\n`,
    );
  }, 60_000);
}

/** How long each run's history is, once the server lists all of them as closed. */
async function expectRuns(
  worker: WorkflowWorker,
  workflowId: string,
): Promise<{ events: number; sizeBytes: number }[]> {
  let lengths: { events: number; sizeBytes: number }[] = [];
  await expect
    .poll(
      async () => {
        const states: string[] = [];
        lengths = [];
        for await (const run of worker.client.workflow.list({ query: `WorkflowId="${workflowId}"` })) {
          states.push(run.status.name);
          lengths.push({ events: run.historyLength ?? 0, sizeBytes: run.historySize ?? 0 });
        }
        return states.filter((state) => state === 'COMPLETED').length === 1 && !states.includes('RUNNING');
      },
      { timeout: 60_000 },
    )
    .toBe(true);
  return lengths;
}
