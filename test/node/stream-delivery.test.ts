// A stream's deliveries on embedded engines over real HTTP: order, guilty entries, faults of the node, takeovers.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimNode } from '../../activities/claim.js';
import { StaleGeneration } from '../../shared/io/store.js';
import { Gate, StreamFleet } from '../support/stream-fleet.js';

let fleet: StreamFleet;
beforeEach(async () => {
  fleet = await StreamFleet.open(['a', 'b']);
  await fleet.createIndex('books', [['a', 'b'], ['a']]);
});
afterEach(() => fleet.close());

const everywhere = async (uid = 'books') => [
  await fleet.documents('a', uid),
  await fleet.documents('b', uid),
];

describe('deliveries', () => {
  it('bring each node its shards, in the order of the journal', async () => {
    await fleet.stopStreams();
    await fleet.write('books', 0, [{ id: 1, colour: 'red', size: 1 }]);
    await fleet.write('books', 1, [{ id: 2 }]);
    await fleet.write('books', 0, [{ id: 1, colour: 'blue' }], true);
    const last = await fleet.write('books', 0, [{ id: 3 }]);
    fleet.stream('a');
    fleet.stream('b');
    expect(await fleet.finish(last)).toBe('succeeded');
    const first = { id: 1, colour: 'blue', size: 1 };
    expect(await everywhere()).toEqual([
      [first, { id: 2 }, { id: 3 }],
      [first, { id: 3 }],
    ]);
  });

  it('keep barriers apart, and limit them to the shards that the node holds live', async () => {
    await fleet.stopStreams();
    await fleet.write('books', 0, [{ id: 1, colour: 'red' }]);
    await fleet.deleteByFilter('books', 'colour = red');
    await fleet.write('books', 0, [{ id: 2, colour: 'red' }]);
    const clear = { kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null } as const;
    await fleet.append('books', clear);
    const last = await fleet.write('books', 0, [{ id: 3, colour: 'red' }]);
    // Left on b by nobody knows whom: no entry of a shard that b does not hold may touch it.
    const client = fleet.admin('b');
    const name = (await fleet.index('books')).physicalNames.b!;
    const body = JSON.stringify([{ id: 9, colour: 'red', _miroir: '!!!#' }]);
    await client.waitTask(await client.enqueue({ method: 'POST', path: `/indexes/${name}/documents`, body }));
    await client.close();
    fleet.stream('a');
    fleet.stream('b');
    await fleet.finish(last);
    const third = { id: 3, colour: 'red' };
    expect(await everywhere()).toEqual([[third], [third, { id: 9, colour: 'red' }]]);
  });

  it('fail the guilty entry alone, with everything around it in order', async () => {
    await fleet.stopStreams();
    const numbers = [
      await fleet.write('books', 0, [{ id: 1, text: 'before' }]),
      await fleet.write('books', 0, [{ id: 'not an id!' }, { id: 2 }]),
      await fleet.write('books', 0, [{ id: 1, text: 'after' }]),
      await fleet.write('books', 0, [{ id: 1, size: 7 }], true),
    ];
    fleet.stream('a');
    fleet.stream('b');
    const ends = [];
    for (const seq of numbers) ends.push(await fleet.finish(seq));
    expect(ends).toEqual(['succeeded', 'failed', 'succeeded', 'succeeded']);
    expect((await fleet.store.readTask(numbers[1]!))!.error).toMatchObject({ code: 'invalid_document_id' });
    const whole = [{ id: 1, text: 'after', size: 7 }];
    expect(await everywhere()).toEqual([whole, whole]);
  });

  it('hide the names and the fields that nodes have of us', async () => {
    const seq = await fleet.deleteByFilter('books', 'weight = 3');
    expect(await fleet.finish(seq)).toBe('failed');
    const { error } = (await fleet.store.readTask(seq))!;
    expect(error!.code).toBe('invalid_document_filter');
    expect(error!.message).toContain('`weight`');
    expect(error!.message).not.toMatch(/_miroir|books--/);
  });

  it('never blame an entry for a full disk: it is tried again until it is in', async () => {
    await fleet.arm('b', { point: 'before-apply', action: 'fail-disk-full', times: 2 });
    const seq = await fleet.write('books', 0, [{ id: 1 }]);
    expect(await fleet.finish(seq)).toBe('succeeded');
    await fleet.until(async () => ((await fleet.position('b')).position >= seq ? true : null));
    expect(await fleet.documents('b', 'books')).toEqual([{ id: 1 }]);
  });
});

describe('a takeover', () => {
  it('fences what the last holder left in flight, and the last holder does nothing more', async () => {
    await fleet.stopStreams();
    fleet.stream('b');
    const gate = new Gate('deliver.sent');
    const asleep = fleet.stream('a', gate);
    const first = await fleet.write('books', 0, [{ id: 1, text: 'first' }]);
    await gate.arrived;
    const before = (await fleet.index('books')).physicalNames.a!;
    const next = fleet.stream('a');
    expect(await fleet.finish(first)).toBe('succeeded');
    const second = await fleet.write('books', 0, [{ id: 1, text: 'second' }]);
    expect(await fleet.finish(second)).toBe('succeeded');
    const after = (await fleet.index('books')).physicalNames.a!;
    expect(after).not.toBe(before);

    // A request of the sleeping holder that arrives only now, with the key that it had.
    const { a } = await fleet.store.readNodeSecrets();
    const { url } = fleet.engines.get('a')!;
    const headers = { authorization: `Bearer ${a!.dataKey}`, 'content-type': 'application/json' };
    const body = '[{"id":1,"text":"late","_miroir":"!!!!"}]';
    const late = await fetch(`${url}/indexes/${before}/documents`, { method: 'POST', headers, body });
    const client = fleet.admin('a');
    const task = await client.waitTask(((await late.json()) as { taskUid: number }).taskUid);
    expect([task.status, task.error?.code]).toEqual(['failed', 'index_not_found']);
    const { results } = await client.json<{ results: { uid: string }[] }>({
      method: 'GET',
      path: '/indexes',
    });
    expect(results.map(({ uid }) => uid)).toEqual([after]);
    await client.close();

    gate.release();
    expect(await asleep.ended).toBeInstanceOf(StaleGeneration);
    expect((await fleet.position('a')).position).toBe(second);
    expect(await fleet.documents('a', 'books')).toEqual([{ id: 1, text: 'second' }]);
    await next.stop();
  });

  it('fences whoever fell asleep between two entries that are sent again alone', async () => {
    await fleet.stopStreams();
    await fleet.write('books', 0, [{ id: 1 }]);
    await fleet.write('books', 0, [{ id: 'not an id!' }]);
    await fleet.write('books', 0, [{ id: 2 }]);
    await fleet.write('books', 0, [{ id: 3 }]);
    // Two entries are confirmed, and the third is about to be: the fourth will be sent without asking anybody.
    const gate = new Gate('deliver.answered', 3);
    const asleep = fleet.stream('a', gate);
    await gate.arrived;
    const takeover = await fleet.store.takeOverStream('a', 'the next holder');
    expect(takeover?.unclean).toBe(true);
    gate.release();
    expect(await asleep.ended).toBeInstanceOf(StaleGeneration);
  });

  it('finds the index of a holder that died between its renaming and the record of it', async () => {
    await fleet.stopStreams();
    const { running, url } = fleet.engines.get('a')!;
    await running.close();
    // Nothing is in flight, but after trouble a stream fences all the same.
    const gate = new Gate('fence.renamed');
    const dead = fleet.stream('a', gate);
    await fleet.until(async () => ((await fleet.position('a')).lastError ? true : null));
    await fleet.startEngine('a', 'a', url);
    await gate.arrived;
    expect((await fleet.store.takeOverStream('a', 'the next holder'))?.unclean).toBe(true);
    gate.release();
    expect(await dead.ended).toBeInstanceOf(StaleGeneration);
    fleet.stream('a');
    fleet.stream('b');
    expect(await fleet.finish(await fleet.write('books', 1, [{ id: 9 }]))).toBe('succeeded');
    expect(await fleet.documents('a', 'books')).toEqual([{ id: 9 }]);
  });

  it('finds the index that a sleeper has renamed after a hand-over in order, and has lost nothing', async () => {
    await fleet.finish(await fleet.write('books', 1, [{ id: 9 }]));
    await fleet.stopStreams();
    const name = (await fleet.index('books')).physicalNames.a!;
    const client = fleet.admin('a');
    const uid = name.replace(/\d+$/, (fence) => String(Number(fence) + 1));
    const body = JSON.stringify({ uid });
    await client.waitTask(
      await client.enqueue({ method: 'PATCH', path: `/indexes/${name}`, body, admin: true }),
    );
    await client.close();
    fleet.stream('a');
    fleet.stream('b');
    expect(await fleet.finish(await fleet.write('books', 1, [{ id: 10 }]))).toBe('succeeded');
    expect(await fleet.documents('a', 'books')).toEqual([{ id: 10 }, { id: 9 }]);
    expect((await fleet.index('books')).shards.flat().every(({ state }) => state === 'in-sync')).toBe(true);
  });

  it('says that its node is well again, though nothing is to be delivered', async () => {
    const { running, url } = fleet.engines.get('a')!;
    await fleet.stopStreams();
    await running.close();
    fleet.stream('a');
    await fleet.until(async () => ((await fleet.position('a')).lastError ? true : null));
    await fleet.startEngine('a', 'a', url);
    await fleet.until(async () => ((await fleet.position('a')).lastError === null ? true : null));
    expect((await fleet.position('a')).position).toBe((await fleet.store.readHead()).journalHead);
  });

  it('goes on where a holder died when it had dropped an index and not said so', async () => {
    await fleet.stopStreams();
    await fleet.append('books', { kind: 'indexDeletion' });
    const gate = new Gate('index.dropped');
    const dead = fleet.stream('a', gate);
    await gate.arrived;
    fleet.stream('a');
    fleet.stream('b');
    await fleet.createIndex('books', [['a']]);
    expect(await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]))).toBe('succeeded');
    gate.release();
    expect(await dead.ended).toBeInstanceOf(StaleGeneration);
  });

  it('of a stream that ended in order renames nothing', async () => {
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]));
    await fleet.until(async () =>
      (await fleet.store.readHead()).journalHead === (await fleet.position('a')).position ? true : null,
    );
    const before = (await fleet.index('books')).physicalNames;
    await fleet.stopStreams();
    fleet.stream('a');
    fleet.stream('b');
    await fleet.finish(await fleet.write('books', 0, [{ id: 2 }]));
    expect((await fleet.index('books')).physicalNames).toEqual(before);
  });

  it('comes after a lost answer: the request that was sent is fenced, the entry is in once', async () => {
    await fleet.arm('a', { point: 'drop-response', match: { type: 'documentAdditionOrUpdate' } });
    const before = (await fleet.index('books')).physicalNames.a!;
    const seq = await fleet.write('books', 1, [{ id: 1 }]);
    expect(await fleet.finish(seq)).toBe('succeeded');
    expect(await fleet.documents('a', 'books')).toEqual([{ id: 1 }]);
    expect((await fleet.index('books')).physicalNames.a).not.toBe(before);
  });
});

describe('a node that is not the one that was added', () => {
  const lost = (id: string) =>
    fleet.until(async () => {
      const { lastError } = await fleet.position(id);
      return lastError?.includes(`node ${id}`) ? lastError : null;
    });
  const statesOf = async (shard: number) =>
    (await fleet.index('books')).shards[shard]!.map(({ node, state }) => `${node}:${state}`);

  it('because it was wiped leaves in-sync, except where it is the last', async () => {
    const { url, running } = fleet.engines.get('a')!;
    await fleet.finish(await fleet.write('books', 0, [{ id: 1 }]));
    await running.close();
    await fleet.startEngine('a', 'a-empty', url);
    const seq = await fleet.write('books', 0, [{ id: 2 }]);
    expect(await lost('a')).toContain('bears no claim: it was wiped or replaced');
    await fleet.until(async () => ((await statesOf(0)).includes('a:joined') ? true : null));
    expect(await statesOf(1)).toEqual(['a:in-sync']);
    expect(await fleet.finish(seq)).toBe('succeeded');
    const client = fleet.admin('a');
    expect((await client.json<{ total: number }>({ method: 'GET', path: '/indexes' })).total).toBe(0);
    await client.close();

    // Shard 1 was nowhere else: an operator must give it up, and no task of it succeeds before.
    const waiting = await fleet.write('books', 1, [{ id: 3 }]);
    expect(await lost('a')).toContain('only in-sync replica of 1 shards of books');
    expect((await fleet.store.readTask(waiting))!.finishedAt).toBeNull();
    await expect(fleet.store.acceptLoss('b', false)).rejects.toThrow('node "b" has not lost what it held');
    expect(await fleet.store.acceptLoss('a', false)).toEqual([{ indexUid: 'books', shard: 1 }]);
    expect(await fleet.finish(waiting)).toBe('succeeded');
    expect((await fleet.position('a')).lastError).toBeNull();
    expect(await statesOf(1)).toEqual(['a:in-sync']);
    expect(await fleet.documents('a', 'books')).toEqual([{ id: 2 }, { id: 3 }]);
  });

  it.each(['empty', 'with an index that was made for a delivery'])(
    'because it came back %s is built anew, under names that nobody has seen, and waits to be copied anew',
    async (how) => {
      await fleet.createIndex('films', [
        ['a', 'b'],
        ['b', 'a'],
      ]);
      await fleet.finish(await fleet.write('films', 0, [{ id: 1 }]));
      const before = (await fleet.index('films')).physicalNames.a!;
      const { url, running } = fleet.engines.get('a')!;
      await running.close();
      await fleet.startEngine('a', 'a-anew', url);
      const client = fleet.admin('a');
      if (how !== 'empty') {
        const body = JSON.stringify({ uid: before });
        await client.waitTask(await client.enqueue({ method: 'POST', path: '/indexes', body }));
      }
      const seq = await fleet.write('films', 0, [{ id: 2 }]);
      await lost('a');
      await fleet.store.acceptLoss('a', true);
      expect(await fleet.finish(seq)).toBe('succeeded');
      await fleet.until(async () => ((await fleet.position('a')).position >= seq ? true : null));
      const films = await fleet.index('films');
      expect(films.physicalNames.a).not.toBe(before);
      expect(
        films.shards
          .flat()
          .filter(({ node }) => node === 'a')
          .map(({ moveId }) => moveId),
      ).toEqual(['diverged/lost', 'diverged/lost']);
      const settings = await client.json<{ filterableAttributes: string[] }>({
        method: 'GET',
        path: `/indexes/${films.physicalNames.a}/settings`,
      });
      expect(settings.filterableAttributes.sort()).toEqual(['_miroir', 'colour']);
      const { results } = await client.json<{ results: { uid: string }[] }>({
        method: 'GET',
        path: '/indexes',
      });
      expect(results.map(({ uid }) => uid)).not.toContain(before);
      // What is delivered meanwhile arrives, and is not read: the copy will clear it.
      expect(await fleet.documents('a', 'films')).toEqual([{ id: 2 }]);
      expect(await fleet.documents('b', 'films')).toEqual([{ id: 1 }, { id: 2 }]);
      await client.close();
    },
  );

  it('because somebody else has claimed it gets nothing', async () => {
    const { url, running } = fleet.engines.get('a')!;
    await running.close();
    await fleet.startEngine('a', 'a-stranger', url);
    const client = fleet.admin('a');
    await claimNode(client, { clusterId: 'other', node: 'x' });
    await fleet.write('books', 1, [{ id: 2 }]);
    expect(await lost('a')).toContain('claim of node "x" of cluster "other"');
    await client.close();
  });
});
