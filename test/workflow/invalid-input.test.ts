// Whatever starts a change, the plain Temporal CLI too: bad input fails at once, with a sentence that says what is
// wrong, and nothing is touched.
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { validateChange } from '../../activities/changes/validate.js';
import type { ActivityDeps } from '../../activities/deps.js';
import { FakeMoves } from '../support/fake-moves.js';
import { StoreFleet } from '../support/store-fleet.js';
import { WorkflowWorker } from '../support/workflow-worker.js';

const DEFAULTS = { retentionMs: 0, concurrency: 2, stepDeadlineMs: 10_000, searchable: true };
const n4 = { id: 'n4', url: 'http://127.0.0.1:7704' };

let worker: WorkflowWorker;
let fleet: StoreFleet;
let moves: FakeMoves;
beforeAll(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
  moves = new FakeMoves();
  const deps = { store: fleet.store } as ActivityDeps;
  worker = await WorkflowWorker.start(
    inject('temporalAddress'),
    moves.activities({ validateChange: (run) => validateChange(deps, DEFAULTS, run) }),
  );
  // The store's cluster is "main".
  worker.clusterId = 'main';
});
afterAll(async () => {
  await worker.stop();
  await fleet.close();
});

const bad: [string, unknown, RegExp][] = [
  ['nothing at all', undefined, /expected object.*Expected \{"kind":"add"/is],
  ['a text', 'add n4', /expected object/i],
  ['an unknown kind', { kind: 'grow', nodes: [n4] }, /kind: .*Expected \{"kind":"add"/],
  ['an unknown option', { kind: 'rebalance', options: { speed: 9 } }, /options: .*"speed"/],
  ['no node', { kind: 'add', nodes: [] }, /nodes: /],
  ['a bad id', { kind: 'add', nodes: [{ ...n4, id: 'n 4' }] }, /nodes\.0\.id: .*letters, digits/],
  ['a bad URL', { kind: 'add', nodes: [{ id: 'n4', url: 'ftp://n4' }] }, /nodes\.0\.url: /],
  [
    'a known id',
    { kind: 'add', nodes: [{ ...n4, id: 'a' }] },
    /Node `a` is already in the fleet \(active, at/,
  ],
  [
    'a known URL',
    { kind: 'add', nodes: [{ id: 'n4', url: 'http://b.test:7700/' }] },
    /Nodes `b` and `n4` have the same URL/,
  ],
  [
    'an id twice',
    { kind: 'add', nodes: [n4, { id: 'n4', url: 'http://127.0.0.1:1' }] },
    /`n4` is named twice/,
  ],
  ['a URL twice', { kind: 'add', nodes: [n4, { id: 'n5', url: `${n4.url}/` }] }, /same URL/],
  ['an unknown node', { kind: 'drain', nodes: ['zz'] }, /no node `zz`.*nodes are: `a`, `b`, `c`/],
  ['too few nodes left', { kind: 'remove', nodes: ['a', 'b'] }, /1 active node would be left.*Add 1 more/],
  ['a node twice', { kind: 'remove', nodes: ['a', 'a'] }, /`a` is named twice/],
  ['an unknown node to replace', { kind: 'replace', nodes: [{ ...n4, replaces: 'zz' }] }, /no node `zz`/],
  ['no node to replace', { kind: 'replace', nodes: [n4] }, /nodes\.0\.replaces: /],
  ['a setting of nothing', { kind: 'set', nodes: [{ id: 'a' }] }, /must set `zone` or `weight`/],
  ['a bad weight', { kind: 'set', nodes: [{ id: 'a', weight: 0 }] }, /nodes\.0\.weight: /],
  [
    'an unknown index',
    { kind: 'set-replication', replication: [{ index: 'movies', factor: 2 }] },
    /no index `movies`.*indexes are: none/,
  ],
  [
    'more replicas than nodes',
    { kind: 'set-replication', replication: [{ index: null, factor: 4 }] },
    /3 active nodes would be left, and a new index keeps 4 replicas.*Add 1 more node first/,
  ],
  ['an unknown plan', { kind: 'rebalance', plan: 'p' }, /no plan `p`/],
  ['a plan with edits', { kind: 'rebalance', plan: 'p', edits: {} }, /a plan brings its own edits/],
  [
    'an edit of a node twice',
    { kind: 'rebalance', edits: { drain: ['a'], set: [{ id: 'a', weight: 2 }] } },
    /`a` is named twice/,
  ],
  ['what only a continued run may say', { kind: 'rebalance', resume: { change: {} } }, /"resume"/],
];

it.each(bad)('refuses %s', async (_name, input, sentence) => {
  const epoch = await fleet.store.readEpoch();
  const handle = await worker.change(input);
  const error = await handle.result().then(
    () => null,
    (thrown: WorkflowFailedError) => thrown,
  );
  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(error!.cause).toMatchObject({ type: 'InvalidInput', message: expect.stringMatching(sentence) });
  expect(await fleet.store.readEpoch()).toBe(epoch);
  expect(await fleet.store.readLatestChange()).toBeNull();
  expect(moves.calls).toEqual([]);
});

it('refuses another workflow id, under which two changes could run at once', async () => {
  const handle = await worker.change({ kind: 'rebalance' }, 'miroir/topology/other');
  await expect(handle.result()).rejects.toMatchObject({
    cause: { message: expect.stringContaining('the workflow id must be "miroir/topology/main"') },
  });
});

it('takes what is right, and is one change at a time', async () => {
  moves.hold('plan');
  const handle = await worker.change({ kind: 'add', nodes: [n4] });
  await moves.begun('plan');
  expect(await fleet.store.readLatestChange()).toMatchObject({ kind: 'add', status: 'running' });
  await expect(worker.change({ kind: 'rebalance' })).rejects.toThrow(/already/i);
  moves.release('plan');
  expect(await handle.result()).toMatchObject({ phase: 'done', kind: 'add' });
});
