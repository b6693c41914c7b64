// The journal in the state store: numbers, conflicts, staged parts, positions, and when a task is finished.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EntryMeta } from '../../shared/core/entries.js';
import { meilisearchError } from '../../shared/core/errors.js';
import { IdKinds } from '../../shared/core/folded-ids.js';
import { StaleGeneration } from '../../shared/io/store.js';
import { ADDITION, DELETE_ALL, FAILED, StoreFleet, SUCCEEDED } from '../support/store-fleet.js';

const EVERYTHING = { entries: 100, bytes: 1_000_000 };

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b', 'c']);
});
afterEach(() => fleet.close());

describe('numbering', () => {
  it('begins at 0, leaves no gap, and a conflict takes no number', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const stale = { expected: { incarnation: 99, primaryKey: 'id' } };
    expect(await fleet.appendRaw('books', DELETE_ALL, stale)).toEqual({ ok: false, conflict: 'index' });
    expect(await fleet.write('books', 0)).toBe(1);
    expect(await fleet.write('books', 0)).toBe(2);
    expect((await fleet.store.readHead()).journalHead).toBe(2);
  });

  it('answers a repeated request with its first number, whatever happened since', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const first = await fleet.appendRaw('books', DELETE_ALL, { requestId: 'once' });
    await fleet.append('books', { kind: 'indexDeletion' });
    const again = await fleet.appendRaw('books', DELETE_ALL, {
      requestId: 'once',
      expected: { incarnation: 1, primaryKey: 'id' },
    });
    expect(again).toEqual(first);
    expect((await fleet.store.readHead()).journalHead).toBe(2);
  });

  it('changes the primary key of a quiet index only: nothing open, nothing numbered since', async () => {
    const incarnation = await fleet.createIndex('books', [['a', 'b']]);
    const created = (await fleet.store.readHead()).journalHead;
    const UPDATE: EntryMeta = { kind: 'indexUpdate', primaryKey: 'isbn' };
    const change = (quietSince: number) =>
      fleet.appendRaw('books', UPDATE, {
        expected: { incarnation, primaryKey: 'id', quietSince },
        setPrimaryKey: 'isbn',
      });
    const later = await fleet.append('books', DELETE_ALL);
    expect(await change(later)).toEqual({ ok: false, conflict: 'index' });
    await fleet.confirmAll(later);
    expect(await change(created)).toEqual({ ok: false, conflict: 'index' });
    expect((await fleet.find('books'))!.primaryKey).toBe('id');
    expect(await change(later)).toMatchObject({ ok: true });
    expect((await fleet.find('books'))!.primaryKey).toBe('isbn');
  });

  it('finishes a task that sets a primary key when every proxy knows the key', async () => {
    const incarnation = await fleet.createIndex('books', [['a', 'b']]);
    const { journalHead: quietSince } = await fleet.store.readHead();
    await fleet.lease('p1');
    const seq = await fleet.append(
      'books',
      { kind: 'indexUpdate', primaryKey: 'isbn' },
      { expected: { incarnation, primaryKey: 'id', quietSince }, setPrimaryKey: 'isbn' },
    );
    await fleet.confirmAll(seq);
    expect(await fleet.status(seq)).toBe('enqueued');
    await fleet.lease('p1');
    expect(await fleet.status(seq)).toBe('succeeded');
  });

  it('refuses an index, a primary key or an epoch that validation did not see', async () => {
    const { epoch } = await fleet.store.readTopology();
    const create = (at: number) => ({
      expected: { incarnation: null, primaryKey: null },
      createIndex: { epoch: at, primaryKey: null, assignment: [['a', 'b']] },
    });
    expect(await fleet.appendRaw('books', ADDITION, create(epoch - 1))).toEqual({
      ok: false,
      conflict: 'epoch',
    });
    await fleet.append('books', ADDITION, create(epoch));
    expect(await fleet.appendRaw('books', ADDITION, create(epoch + 1))).toEqual({
      ok: false,
      conflict: 'index',
    });
    await fleet.append('books', ADDITION, { setPrimaryKey: 'isbn' });
    const incarnation = (await fleet.find('books'))!.incarnation;
    const other = { expected: { incarnation, primaryKey: null }, setPrimaryKey: 'id' };
    expect(await fleet.appendRaw('books', ADDITION, other)).toEqual({ ok: false, conflict: 'primary-key' });
    expect((await fleet.find('books'))!.primaryKey).toBe('isbn');
  });

  it('tells every proxy of ids that nodes sort as one, once both kinds have come', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const kinds = (...ids: string[]) => {
      const read = new IdKinds();
      for (const id of ids) read.add(id);
      return read.bits;
    };
    const { epoch } = await fleet.store.readTopology();
    const state = async () => ({
      folds: (await fleet.find('books'))!.foldsIds,
      epochs: (await fleet.store.readTopology()).epoch - epoch,
    });
    await fleet.append('books', ADDITION, { idKinds: kinds('A1', 'B-2') });
    expect(await state()).toEqual({ folds: false, epochs: 0 });
    const failure = {
      message: 'bad',
      code: 'invalid_document_id',
      type: 'invalid_request',
      link: '',
    } as const;
    await fleet.append('books', ADDITION, { idKinds: kinds('a1'), failure });
    expect(await state()).toEqual({ folds: false, epochs: 0 });
    await fleet.append('books', ADDITION, { idKinds: kinds('a1', '7') });
    expect(await state()).toEqual({ folds: true, epochs: 1 });
    await fleet.append('books', ADDITION, { idKinds: kinds('aB') });
    expect(await state()).toEqual({ folds: true, epochs: 1 });
  });
});

describe('staged parts', () => {
  it('are claimed by their entry and read by the node that holds the shard', async () => {
    await fleet.createIndex('books', [
      ['a', 'b'],
      ['b', 'c'],
    ]);
    const seq = await fleet.write('books', 0, 1);
    const shardsOn = async (node: string) =>
      (await fleet.store.readGroup(node, fleet.generations[node]!, EVERYTHING))!.entries.flatMap((entry) =>
        entry.parts.map((part) => [entry.seq, part.shard, Buffer.from(part.payload).toString()]),
      );
    expect(await shardsOn('a')).toEqual([[seq, 0, '{"id":0}']]);
    expect(await shardsOn('b')).toEqual([
      [seq, 0, '{"id":0}'],
      [seq, 1, '{"id":1}'],
    ]);
    await fleet.store.dropStaging('staging-2');
    expect(await shardsOn('a')).toHaveLength(1);
  });

  it('are dropped with an entry that failed before delivery, which is only passed over', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    await fleet.store.stageParts('bad', [{ shard: 0, payload: Buffer.from('{}'), documentCount: 1 }]);
    const failure = meilisearchError('invalid_document_id', 'no id');
    const seq = await fleet.append('books', ADDITION, { stagingId: 'bad', failure });
    expect((await fleet.store.readHead()).journalPayloadBytes).toBe(0);
    const group = await fleet.store.readGroup('a', fleet.generations.a!, EVERYTHING);
    expect(group!.entries.map((entry) => [entry.seq, entry.skipped, entry.parts])).toEqual([[seq, true, []]]);
    await fleet.confirm('a', seq);
    expect(await fleet.store.readTask(seq)).toMatchObject({ status: 'failed', error: failure });
  });

  it('of a proxy that died are dropped after an hour, not before', async () => {
    await fleet.store.stageParts('orphan', [{ shard: 0, payload: Buffer.from('{}'), documentCount: 1 }]);
    fleet.nowMs += 3_599_000;
    expect(await fleet.store.collectGarbage()).toBe(0);
    fleet.nowMs += 2_000;
    expect(await fleet.store.collectGarbage()).toBe(1);
  });
});

describe('a stream', () => {
  it('is lost to a newer generation in every call that changes something', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const old = fleet.generations.a!;
    const seq = await fleet.write('books', 0);
    await fleet.takeOver('a');
    const { store } = fleet;
    const calls = [
      store.readGroup('a', old, EVERYTHING),
      store.confirmEntries('a', old, seq, [], true),
      store.reportStream('a', old, null),
      store.hasWork('a', old),
      store.setPhysicalName('a', old, 1, 'books--1-9'),
      store.setProvisioned('a', old),
      store.setUnclean('a', old, false),
      store.promoteNode('a', old, 'a test'),
      store.nextControls('a', old, 1),
      store.startControl('a', old, 1),
      store.finishControl('a', old, 1, 'done', null),
      store.readReplay('a', old, 1, 0, EVERYTHING),
      store.advanceReplay('a', old, 1, 0, seq, true),
      store.recordFilterMatches('a', old, seq, []),
    ];
    for (const call of await Promise.allSettled(calls))
      expect(call.status === 'rejected' && call.reason).toBeInstanceOf(StaleGeneration);
    expect((await store.readStreams())[0]).toMatchObject({ node: 'a', position: seq - 1 });
  });

  it('never goes back, and is unclean from reading a group until it is confirmed', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const seq = await fleet.write('books', 0);
    await fleet.store.readGroup('a', fleet.generations.a!, EVERYTHING);
    expect((await fleet.store.takeOverStream('a', 'next'))!.unclean).toBe(true);
    await fleet.takeOver('a');
    await fleet.confirm('a', seq);
    expect((await fleet.store.takeOverStream('a', 'next'))!.unclean).toBe(false);
    await fleet.takeOver('a');
    await expect(fleet.confirm('a', seq - 1)).rejects.toThrow(/would go back/);
  });

  it('gets a barrier alone, and nothing after it', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const first = await fleet.write('books', 0);
    await fleet.write('books', 0);
    const barrier = await fleet.append('books', DELETE_ALL);
    const last = await fleet.write('books', 0);
    const next = async () => {
      const group = await fleet.store.readGroup('a', fleet.generations.a!, EVERYTHING);
      const numbers = group!.entries.map((entry) => entry.seq);
      await fleet.confirm('a', numbers.at(-1)!);
      return numbers;
    };
    expect(await next()).toEqual([first, first + 1]);
    expect(await next()).toEqual([barrier]);
    expect(await next()).toEqual([last]);
    expect(await fleet.store.readGroup('a', fleet.generations.a!, EVERYTHING)).toBeNull();
  });
});

describe('a task', () => {
  it('succeeds when every in-sync replica of every shard that it touches has confirmed', async () => {
    await fleet.createIndex('books', [
      ['a', 'b'],
      ['b', 'c'],
    ]);
    const both = await fleet.write('books', 0, 1);
    const first = await fleet.write('books', 0);
    await fleet.confirm('a', first);
    await fleet.confirm('b', first);
    expect([await fleet.status(both), await fleet.status(first)]).toEqual(['enqueued', 'enqueued']);
    await fleet.confirm('c', both);
    expect([await fleet.status(both), await fleet.status(first)]).toEqual(['succeeded', 'succeeded']);
    expect(await fleet.store.readWatermark((await fleet.find('books'))!.incarnation)).toBe(first);
  });

  it('waits for earlier tasks of its index, not for those of another', async () => {
    await fleet.createIndex('books', [['a', 'b'], ['c']]);
    await fleet.createIndex('films', [['a']]);
    const slow = await fleet.write('books', 1);
    const behind = await fleet.write('books', 0);
    const other = await fleet.write('films', 0);
    await fleet.confirm('a', other);
    await fleet.confirm('b', other);
    expect([await fleet.status(behind), await fleet.status(other)]).toEqual(['enqueued', 'succeeded']);
    await fleet.confirm('c', slow);
    expect([await fleet.status(slow), await fleet.status(behind)]).toEqual(['succeeded', 'succeeded']);
  });

  it('keeps the outcome of the first node that confirms it, and shows it at the end only', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const seq = await fleet.write('books', 0);
    const error = meilisearchError('invalid_document_geo_field', 'bad');
    await fleet.confirm('a', seq, [{ seq, status: 'failed', error, details: null }]);
    expect(await fleet.store.readTask(seq)).toMatchObject({ status: 'enqueued', error: null });
    await fleet.confirm('b', seq, [FAILED(seq)]);
    expect(await fleet.store.readTask(seq)).toMatchObject({ status: 'failed', error });
  });

  it('of settings, creation and deletion waits until no proxy answers with an older epoch', async () => {
    await fleet.lease('p1');
    const incarnation = await fleet.createIndex('books', [['a', 'b']]);
    const visible = async () => (await fleet.find('books'))?.visible;
    expect([await visible(), await fleet.status(0)]).toEqual([true, 'enqueued']);
    // It serves new requests with the newest epoch, but one of before is still in flight.
    const before = (await fleet.store.readEpoch()) - 1;
    expect(await fleet.lease('p1', before)).toBe(true);
    expect(await fleet.status(0)).toBe('enqueued');
    await fleet.lease('p1');
    expect(await fleet.status(0)).toBe('succeeded');

    const patch = { kind: 'settingsUpdate' as const, patch: { stopWords: ['the'] }, isDeletion: false };
    const settings = await fleet.append('books', patch);
    await fleet.confirmAll(settings);
    expect([(await fleet.find('books'))!.settings, await fleet.status(settings)]).toEqual([
      { stopWords: ['the'] },
      'enqueued',
    ]);
    fleet.nowMs += 1_000;
    await fleet.store.advanceTasks();
    expect(await fleet.status(settings)).toBe('enqueued');
    // Expiry, then the grace in which it may still answer searches, then what clocks may differ by.
    fleet.nowMs += 1_501;
    await fleet.store.advanceTasks();
    expect(await fleet.status(settings)).toBe('succeeded');

    const deletion = await fleet.append('books', { kind: 'indexDeletion' });
    expect(await fleet.find('books')).toBeUndefined();
    await fleet.confirmAll(deletion);
    expect(await fleet.status(deletion)).toBe('succeeded');
    const { indexes } = await fleet.store.readTopology();
    expect(indexes.find((index) => index.incarnation === incarnation)!.shards).toEqual([[]]);
  });

  it('of settings that nodes refuse leaves the settings as they were, for later patches too', async () => {
    await fleet.createIndex('books', [['a', 'b']]);
    const patch = (value: unknown) => ({
      kind: 'settingsUpdate' as const,
      patch: value as Record<string, unknown>,
      isDeletion: false,
    });
    const refused = await fleet.append('books', patch({ stopWords: ['bad'] }));
    for (const node of ['a', 'b', 'c']) await fleet.confirm(node, refused, [FAILED(refused)]);
    const accepted = await fleet.append('books', patch({ synonyms: { a: ['b'] } }));
    for (const node of ['a', 'b', 'c']) await fleet.confirm(node, accepted, [SUCCEEDED(accepted)]);
    expect((await fleet.find('books'))!.settings).toEqual({ synonyms: { a: ['b'] } });
    const at = (seq: number) => fleet.store.readSettingsAt(1, seq);
    expect([await at(refused), await at(accepted)]).toEqual([{}, { synonyms: { a: ['b'] } }]);
  });
});

describe('a lease', () => {
  it('is granted at the current epoch only', async () => {
    const epoch = await fleet.store.readEpoch();
    await fleet.createIndex('books', [['a', 'b']]);
    const lease = { proxyId: 'p1', url: null, epoch, oldestEpoch: epoch, ttlMs: 1_000 };
    expect(await fleet.store.renewLease(lease)).toEqual({
      granted: false,
      epoch: await fleet.store.readEpoch(),
    });
    expect(await fleet.store.readLeases()).toEqual([]);
    expect(await fleet.lease('p1')).toBe(true);
  });
});
