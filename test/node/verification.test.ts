// Verifications against engines behind real HTTP: what was changed behind Miroir's back is found, and nothing else.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVerification } from '../../activities/verify/open.js';
import { repairFindings } from '../../activities/verify/repair.js';
import { recheckFindings, runVerification } from '../../activities/verify/run.js';
import { isDiverged } from '../../shared/core/replica-states.js';
import type { VerificationItem } from '../../shared/io/store-verifications.js';
import { StreamFleet } from '../support/stream-fleet.js';

let fleet: StreamFleet;
let count = 0;
beforeAll(async () => {
  fleet = await StreamFleet.open(['n1', 'n2', 'n3']);
  await fleet.createIndex('birds', [
    ['n1', 'n2'],
    ['n2', 'n3'],
  ]);
  await fleet.createIndex('three', [['n1', 'n2', 'n3']]);
  for (const uid of ['birds', 'three']) await fleet.finish(await fleet.write(uid, 0, documents(uid, 0, 40)));
  await fleet.finish(await fleet.write('birds', 1, documents('other', 0, 30)));
});
afterAll(() => fleet.close());

function documents(name: string, first: number, count: number) {
  return Array.from({ length: count }, (_, at) => ({ id: `${name}-${first + at}`, colour: 'red' }));
}

async function verify(input: Record<string, unknown> = {}, writes?: () => Promise<void>) {
  count += 1;
  const verificationId = `v${count}`;
  await openVerification(fleet.deps(), { workflowId: 'miroir/verify/main', verificationId, input });
  await Promise.all([runVerification(fleet.deps(), verificationId, fleet.beat), writes?.()]);
  const found = await fleet.store.listVerificationItems(verificationId, ['different', 'unchecked'], 100);
  return { totals: (await fleet.store.readVerification(verificationId))!.totals, found };
}

/** Changes a node's own documents, as somebody would who does not know of Miroir. */
async function behind(
  node: string,
  uid: string,
  method: 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
) {
  const client = fleet.admin(node);
  const name = (await fleet.index(uid)).physicalNames[node]!;
  const task = await client.enqueue({
    method,
    path: `/indexes/${name}${path}`,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  expect((await client.waitTask(task)).status).toBe('succeeded');
  await client.close();
}

const shardOf = (found: VerificationItem[]) => found.filter((item) => item.kind === 'shard');

describe('a verification', () => {
  it('finds nothing where nothing differs, also while documents are written and deleted', async () => {
    const { totals, found } = await verify({}, async () => {
      for (let round = 0; round < 15; round += 1) {
        await fleet.write('birds', 0, documents('birds', round, 20));
        await fleet.deleteByFilter('birds', `id = birds-${round}`);
      }
    });
    expect(found).toEqual([]);
    expect(totals).toMatchObject({ items: 11, checked: 11, different: 0 });
    expect(totals.documents).toBeGreaterThan(80);
    const settled = await verify();
    expect(settled.found).toEqual([]);
  });

  it('names documents that are missing and does not guess between two equal claims', async () => {
    await behind('n2', 'birds', 'DELETE', '/documents/other-3');
    const { found, totals } = await verify({ index: 'birds' });
    expect(shardOf(found)).toMatchObject([
      {
        shard: 1,
        status: 'different',
        missing: 1,
        undecided: true,
        detail: { samples: [{ id: 'other-3' }] },
      },
    ]);
    expect(totals).toMatchObject({ different: 1, undecided: 1 });
    await repairFindings(fleet.deps(), `v${count}`, 1, fleet.beat);
    expect((await fleet.index('birds')).shards.flat().filter(isDiverged)).toEqual([]);
    const told = await verify({ index: 'birds', repair: true, from: 'n3' });
    expect(shardOf(told.found)).toMatchObject([
      { undecided: false, detail: { wrong: [{ node: 'n2', evidence: 'operator' }] } },
    ]);
    await fleet.finish(await fleet.write('birds', 1, documents('other', 3, 1)));
    expect((await verify({ index: 'birds' })).found).toEqual([]);
  });

  it('knows by the missing mark that nobody but the node itself can have written a document', async () => {
    await behind('n1', 'birds', 'POST', '/documents', [
      { id: 'birds-30', colour: 'forged' },
      { id: 'alien' },
    ]);
    const { found } = await verify({ index: 'birds' });
    expect(shardOf(found)).toMatchObject([
      {
        shard: 0,
        different: 1,
        undecided: false,
        detail: { wrong: [{ node: 'n1', evidence: 'foreign-mark' }] },
      },
    ]);
    const strays = found.filter((item) => item.kind === 'strays');
    expect(strays).toMatchObject([{ node: 'n1', extra: 2 }]);
    expect(strays[0]!.detail.samples!.map(({ id }) => id).sort()).toEqual(['alien', 'birds-30']);
  });

  it('deletes strays and marks the wrong replica, which stays out of in-sync until it is copied anew', async () => {
    const id = `v${count}`;
    expect(await repairFindings(fleet.deps(), id, 1, fleet.beat)).toEqual({ waiting: 1 });
    const { shards } = await fleet.index('birds');
    const states = shards[0]!.map((replica) => [replica.node, replica.state, isDiverged(replica)]);
    expect(states).toEqual([
      ['n1', 'joined', true],
      ['n2', 'in-sync', false],
    ]);
    expect((await fleet.documents('n1', 'birds')).map((one) => one.id)).not.toContain('alien');
    expect(await recheckFindings(fleet.deps(), id, fleet.beat)).toMatchObject({ different: 1 });
    const [left] = await fleet.store.listVerificationItems(id, ['different'], 10);
    expect(left).toMatchObject({ kind: 'shard', detail: { wrong: [{ node: 'n1', evidence: 'marked' }] } });
    const repaired = await fleet.store.listVerificationItems(id, ['repaired'], 10);
    expect(repaired).toMatchObject([{ kind: 'strays', extra: 2 }]);
  });

  it('lets two of three decide', async () => {
    const { _miroir } = { _miroir: '!!!!' };
    await behind('n2', 'three', 'POST', '/documents', [{ id: 'three-7', colour: 'blue', _miroir }]);
    const { found } = await verify({ index: 'three' });
    expect(shardOf(found)).toMatchObject([
      { different: 1, undecided: false, detail: { wrong: [{ node: 'n2', evidence: 'majority' }] } },
    ]);
  });

  it('sees settings that were changed on a node', async () => {
    await behind('n3', 'three', 'PATCH', '/settings', { stopWords: ['the'], rankingRules: ['words'] });
    const { found } = await verify({ index: 'three' });
    const [settings] = found.filter((item) => item.kind === 'settings');
    expect(settings!.detail.drift).toEqual({ n3: ['rankingRules', 'stopWords'] });
    const id = `v${count}`;
    await repairFindings(fleet.deps(), id, 1, fleet.beat);
    await recheckFindings(fleet.deps(), id, fleet.beat);
    const repaired = await fleet.store.listVerificationItems(id, ['repaired'], 10);
    expect(repaired.map((item) => item.kind)).toEqual(['settings']);
  });

  it('says of which node it could not tell', async () => {
    await fleet.engines.get('n3')!.running.close();
    const { found } = await verify({ index: 'birds' });
    expect(shardOf(found).find((item) => item.shard === 1)).toMatchObject({
      status: 'unchecked',
      detail: { unchecked: [{ node: 'n3' }] },
    });
  });

  it.each([
    [{ index: 'unknown' }, /there is no index "unknown"/],
    [{ from: 'n1' }, /set repair/],
    [{ repair: true, from: 'n9' }, /there is no node "n9"/],
    [{ fast: true }, /fast/],
  ])('refuses %j', async (input, message) => {
    const run = { workflowId: 'miroir/verify/main', verificationId: 'refused', input };
    await expect(openVerification(fleet.deps(), run)).rejects.toThrow(message);
    expect(await fleet.store.readVerification('refused')).toBeNull();
  });
});
