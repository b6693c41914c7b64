// Decisions about a change, the way back and the record, through the admin API and through miroir-ctl.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decider } from '../../ctl/decider.js';
import { EXIT } from '../../ctl/exit.js';
import { runCtl } from '../../ctl/program.js';
import { type AdminServer, silentNodes, startAdminServer } from '../support/admin-server.js';
import { appendInput } from '../support/append-input.js';
import { fakeTerminal } from '../support/terminal.js';

const nodes = silentNodes('a', 'b', 'c');

let server: AdminServer;
beforeEach(async () => {
  server = await startAdminServer({ nodes });
});
afterEach(() => server.close());

const call: AdminServer['call'] = (...request) => server.call(...request);

async function ctl(...args: string[]) {
  const terminal = fakeTerminal({});
  const exitCode = await runCtl(args, { ...terminal, env: { ...terminal.env, MIROIR_URL: server.url } });
  return { exitCode, ...terminal.text() };
}

/** A change whose one move has flipped from a to c, its source kept for an hour. */
async function retained(
  status: 'retaining' | 'running' = 'retaining',
  sourceNode: string | null = 'a',
): Promise<void> {
  const { store } = server;
  const { epoch } = await store.readTopology();
  const createIndex = { epoch, primaryKey: 'id', assignment: [['a', 'b']] };
  await store.appendEntry(
    appendInput('r1', 'books', { kind: 'indexCreation', primaryKey: 'id' }, undefined, { createIndex }),
  );
  const generations: Record<string, number> = {};
  for (const { id } of nodes) {
    generations[id] = (await store.takeOverStream(id, 'test'))!.generation;
    await store.confirmEntries(id, generations[id]!, 0, [], true);
  }
  await store.openChange({ id: 'c1', kind: 'rebalance', input: {}, runId: 'c1' });
  const { indexes } = await store.readTopology();
  const { incarnation } = indexes[0]!;
  const move = { indexUid: 'books', incarnation, shard: 0, sourceNode, copyFrom: 'a', targetNode: 'c' };
  const planned = await store.planMoves('c1', await store.readEpoch(), [{ id: 'm1', ...move }], 0);
  if (!planned) throw new Error('not planned');
  const { attempt } = await store.holdReplica('m1');
  await store.saveSnapshot('m1', 0, [], attempt);
  await store.endCopy('m1', attempt);
  await store.advanceReplay('c', generations.c!, incarnation, 0, 0, true);
  await store.markVerified('m1');
  if (!(await store.flipMove('m1', 3_600_000)).flipped) throw new Error('not flipped');
  await store.recordStep({
    moveId: 'm1',
    step: 'verify',
    attempt: 1,
    at: 'now',
    durationMs: 5,
    detail: { digest: 'd1' },
  });
  await store.setChangeStatus('c1', status);
}

describe('decisions', () => {
  it('go to the running change, with who decides', async () => {
    expect((await call('POST', '/rebalance/pause', { by: 'ann' })).body.action).toBe('pause');
    await call('POST', '/rebalance/resume');
    await call('POST', '/rebalance/throttle', { nodeConcurrency: null, documentsPerSecond: 50 });
    expect(await ctl('rebalance', 'throttle', '--concurrency', '3', '--rate', 'none')).toMatchObject({
      exitCode: EXIT.done,
      stderr: '',
    });
    expect(server.changes.acted.map(([action]) => action)).toEqual([
      'pause',
      'resume',
      'throttle',
      'throttle',
    ]);
    expect(server.changes.details).toEqual([
      { by: 'ann' },
      { by: 'admin API' },
      { by: 'admin API', nodeConcurrency: null, documentsPerSecond: 50 },
      { by: expect.stringContaining('@'), concurrency: 3, documentsPerSecond: null },
    ]);
  });

  it('are refused where they make no sense', async () => {
    const wrong = await call('POST', '/rebalance/throttle', { concurrency: 0 });
    expect([wrong.status, wrong.body.code]).toEqual([400, 'miroir_invalid_change']);
    expect((await call('POST', '/rebalance/pause', { until: 'noon' })).status).toBe(400);
    expect((await ctl('rebalance', 'throttle', '--per-node', 'few')).exitCode).toBe(EXIT.usage);
    expect(server.changes.acted).toEqual([]);
  });

  it('starts changes with a gate and a limit for each node', async () => {
    await ctl('rebalance', 'start', '--approve', '--per-node', '1');
    expect(server.changes.started).toEqual([
      { kind: 'rebalance', nodes: [], options: { approve: true, nodeConcurrency: 1 }, by: decider() },
    ]);
    await call('DELETE', '/nodes/c?approve=true');
    expect(server.changes.started[1]).toMatchObject({ kind: 'remove', options: { approve: true } });
  });

  it('to cancel are written into the record: nobody else hears of them', async () => {
    await retained('running');
    await call('POST', '/rebalance/cancel', { by: 'ann' });
    expect(server.changes.acted).toEqual([['cancel', null]]);
    expect(await server.store.listEvents('c1')).toMatchObject([{ event: 'cancel', by: 'ann' }]);
  });
});

describe('the way back', () => {
  it('is open until the retention ends, and says until when', async () => {
    await retained();
    const { until } = await server.store.readRetention('c1');
    const shown = await ctl('rebalance', 'status', 'c1');
    expect(shown.stdout).toContain(`1 sources are kept: rollback is possible until ${until}`);
    expect((await ctl('rebalance', 'list')).stdout).toContain(until!);

    expect((await ctl('rebalance', 'rollback')).exitCode).toBe(EXIT.usage);
    expect(await ctl('rebalance', 'rollback', '--yes')).toMatchObject({ exitCode: EXIT.done, stderr: '' });
    expect(await ctl('rebalance', 'rollback', '--move', 'm1', '--yes')).toMatchObject({
      exitCode: EXIT.done,
      stderr: '',
    });
    expect(server.changes.started).toEqual([
      { kind: 'rollback', nodes: [], change: 'c1', by: decider() },
      { kind: 'rollback', nodes: [], move: 'm1', by: decider() },
    ]);

    const finished = await ctl('rebalance', 'finish', 'c1', '--yes');
    expect(finished.stdout).toContain('1 sources of change c1 are kept no longer');
    expect((await server.store.listDueRetentions(10)).map(({ id }) => id)).toEqual(['m1']);
    expect((await server.store.listEvents('c1')).map(({ event }) => event)).toEqual([
      'rollback',
      'rollback',
      'finish',
    ]);
  });

  it('counts a move as done while its source is deleted, and offers the way back of what was given up', async () => {
    await retained();
    await server.store.updateMove('m1', { phase: 'delete' });
    expect((await call('GET', '/rebalance/c1')).body.progress).toMatchObject({
      movesDone: 1,
      movesRunning: 0,
    });
    await server.store.updateMove('m1', { phase: 'retain' });
    await server.store.setChangeStatus('c1', 'aborted');
    const { stdout } = await ctl('rebalance', 'status');
    expect(stdout).toContain('  miroir-ctl rebalance start\n  miroir-ctl rebalance rollback c1\n');
  });

  it('is closed once the source is gone', async () => {
    await retained();
    await server.store.beginDelete('m1', 'source');
    await server.store.finishDelete('m1', 'source');
    await server.store.updateMove('m1', { phase: 'done' });
    for (const body of [{ changeId: 'c1' }, { moveId: 'm1' }]) {
      const answer = await call('POST', '/rebalance/rollback', body);
      expect([answer.status, answer.body.code]).toEqual([400, 'miroir_invalid_change']);
      expect(answer.body.message).toContain('no source of it is kept any more');
    }
    expect(server.changes.started).toEqual([]);
  });

  it('is not there where replicas were only added, and says what to do instead', async () => {
    await retained('retaining', null);
    for (const body of [{ changeId: 'c1' }, { moveId: 'm1' }]) {
      const answer = await call('POST', '/rebalance/rollback', body);
      expect([answer.status, answer.body.code]).toEqual([400, 'miroir_invalid_change']);
      expect(answer.body.message).toContain('took none away');
      expect(answer.body.message).toContain('the replication factor as it was');
    }
    expect(server.changes.started).toEqual([]);
  });

  it('of a change that runs goes move by move, through the change itself', async () => {
    await retained('running');
    server.changes.running = { phase: 'moving' };
    const whole = await call('POST', '/rebalance/rollback', {});
    expect([whole.status, whole.body.code]).toEqual([409, 'miroir_change_in_progress']);
    await call('POST', '/rebalance/rollback', { moveId: 'm1', by: 'ann' });
    expect(server.changes.acted).toEqual([['rollback', 'm1']]);
    expect(server.changes.started).toEqual([]);
  });

  it('is open for a change whose run was terminated', async () => {
    await retained('running');
    expect((await call('POST', '/rebalance/rollback', {})).status).toBe(202);
    expect(server.changes.started).toEqual([{ kind: 'rollback', nodes: [], change: 'c1' }]);
  });

  it('of what is not there says so', async () => {
    for (const body of [{}, { changeId: 'nope' }, { moveId: 'nope' }])
      expect((await call('POST', '/rebalance/rollback', body)).body.code).toBe('miroir_change_not_found');
    expect((await call('GET', '/rebalance/nope/audit')).status).toBe(404);
  });
});

describe('the record', () => {
  it('shows decisions and every step, page by page', async () => {
    await retained();
    await server.store.recordEvent({
      changeId: 'c1',
      event: 'pause',
      moveId: null,
      by: 'ann',
      detail: { for: 'lunch' },
    });
    const { stdout, exitCode } = await ctl('rebalance', 'show', 'c1');
    expect(exitCode).toBe(EXIT.done);
    for (const text of ['pause', 'ann', 'for=lunch', 'moves 1 to 1 of 1', 'verify', 'digest=d1'])
      expect(stdout).toContain(text);
    const json = JSON.parse((await ctl('rebalance', 'show', 'c1', '-o', 'json')).stdout);
    expect(json).toMatchObject({
      movesTotal: 1,
      moves: [{ id: 'm1', phase: 'retain', steps: [{ step: 'verify' }] }],
    });
    expect(json.nextSteps).toEqual(['miroir-ctl rebalance rollback c1']);
    expect((await call('GET', '/rebalance/c1/audit?from=1')).body.moves).toEqual([]);
    expect((await call('GET', '/rebalance/c1/audit?from=-1')).status).toBe(400);
  });

  it('is empty before the first change', async () => {
    expect((await ctl('rebalance', 'list')).stdout).toContain('no change of the topology so far');
  });
});

describe('the record', () => {
  it('says why a change has failed, without Temporal', async () => {
    await retained();
    const detail = { reason: 'node "n4" asks for its master key' };
    await server.store.recordEvent({ changeId: 'c1', event: 'failed', moveId: null, by: null, detail });
    await server.store.setChangeStatus('c1', 'failed');
    for (const args of [
      ['rebalance', 'status'],
      ['rebalance', 'status', 'c1'],
      ['rebalance', 'show', 'c1'],
      ['status'],
    ])
      expect((await ctl(...args)).stdout, args.join(' ')).toContain(detail.reason);
  });

  it('shows one move, on whatever page it is, and says when the change has no such move', async () => {
    await retained();
    const { stdout } = await ctl('rebalance', 'show', 'c1', '--move', 'm1', '--from', '900');
    expect(stdout).toContain('digest=d1');
    const { exitCode, stderr } = await ctl('rebalance', 'show', 'c1', '--move', 'm2');
    expect([exitCode, stderr]).toEqual([
      EXIT.failed,
      expect.stringContaining('Change `c1` has no move `m2`'),
    ]);
  });
});
