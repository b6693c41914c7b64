// A worker for all tests of a file, and for each test a cluster and moves of its own.
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import type { Activities } from '../../activities/index.js';
import { FakeMoves, forwardTo } from './fake-moves.js';
import { WorkflowWorker } from './workflow-worker.js';

export interface FakeFleet {
  worker: WorkflowWorker;
  moves: FakeMoves;
  /** Another cluster with moves of its own, which are told like the first. */
  renew(): void;
}

/** Tells `take` before every test what there is to it; `more` are activities of the file's own. */
export function useFakeFleet(take: (fleet: FakeFleet) => void, more: Partial<Activities> = {}): void {
  let worker: WorkflowWorker;
  let moves: FakeMoves;
  beforeAll(async () => {
    const activities = { ...forwardTo(() => moves), ...more };
    worker = await WorkflowWorker.start(inject('temporalAddress'), activities);
  });
  const renew = () => {
    moves = new FakeMoves();
    worker.renew();
    take({ worker, moves, renew });
  };
  beforeEach(renew);
  afterAll(() => worker?.stop());
}
