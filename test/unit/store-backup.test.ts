// Backup and restore of the state store, on both drivers: the same rows, of one moment, counted on; a restored store is
// used by nobody before it is accepted.
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { meilisearchError } from '../../shared/core/errors.js';
import { restoreBackup, writeBackup } from '../../shared/io/backup.js';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';
import type { RestoreDecision } from '../../shared/io/store-restored.js';
import { StoreFleet } from '../support/store-fleet.js';
import { createEmptyStore, type EmptyStore } from '../support/test-store.js';

let folder: string;
let fleet: StoreFleet;
let target: EmptyStore;
let restored: Store | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'miroir-backup-'));
  fleet = await StoreFleet.open(['a', 'b']);
  target = await createEmptyStore();
});
afterEach(async () => {
  await restored?.close();
  restored = null;
  await fleet?.close();
  await target?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const file = () => join(folder, 'backup');
const EVERYTHING = { entries: 100, bytes: 1_000_000 };
const ASSIGNMENT = [
  ['a', 'b'],
  ['b', 'a'],
];
const asDecided = (more: Partial<RestoreDecision> = {}): RestoreDecision => ({
  head: 100,
  highest: 90,
  nextIncarnation: 7,
  nodes: ['a', 'b'].map((node) => ({ node, position: 100, names: [], lastTaskUid: 3 })),
  shards: [],
  deletedIndexes: [],
  primaryKeys: [],
  unknownIndexes: [],
  failures: [],
  notice: meilisearchError('miroir_store_restored', 'restored'),
  ...more,
});

/** Backs the fleet's store up and brings it into an empty one. */
async function moveStore(): Promise<Store> {
  await writeBackup(fleet.url, file());
  await restoreBackup(target.url, file());
  restored = await openStore(target.url, { thread: false });
  return restored;
}

describe('a backup', () => {
  it('brings topology, tasks, positions, keys and payloads into an empty store, byte for byte', async () => {
    await fleet.createIndex('books', ASSIGNMENT);
    const seq = await fleet.write('books', 0, 1);
    await fleet.store.putNodeSecrets('a', { adminKey: 'admin', dataKey: 'data' });
    const before = await fleet.store.readTopology();
    const store = await moveStore();
    const state = await store.readRestored();
    expect(state.restoredAt).not.toBeNull();
    expect({ ...state.topology, journalId: '' }).toEqual({ ...before, journalId: '' });
    expect(state.topology.journalId).not.toBe(before.journalId);
    expect(state.journalHead).toBe(seq);
    expect(state.secrets).toEqual(await fleet.store.readNodeSecrets());
    expect(state.streams.map(({ node, position }) => [node, position])).toEqual([
      ['a', seq - 1],
      ['b', seq - 1],
    ]);
    expect(await store.listTasks({ limit: 10 })).toEqual(await fleet.store.listTasks({ limit: 10 }));
    await store.acceptRestored(
      asDecided({
        nodes: ['a', 'b'].map((node) => ({ node, position: seq - 1, names: [], lastTaskUid: null })),
        shards: [0, 1].map((shard) => ({
          index: 'books',
          incarnation: 1,
          shard,
          inSync: ['a', 'b'],
          stale: [],
          counts: {},
        })),
      }),
    );
    const takeover = (await store.takeOverStream('a', 'new'))!;
    const group = await store.readGroup('a', takeover.generation, EVERYTHING);
    expect(
      group!.entries[0]!.parts.map(({ shard, payload }) => [shard, Buffer.from(payload).toString()]),
    ).toEqual([
      [0, '{"id":0}'],
      [1, '{"id":1}'],
    ]);
  });

  it('is of one moment while the fleet goes on, and only its owner may read it', async () => {
    await fleet.createIndex('books', ASSIGNMENT);
    let writing = true;
    const writes = (async () => {
      while (writing) await fleet.write('books', 0, 1);
    })();
    await writeBackup(fleet.url, file());
    writing = false;
    await writes;
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    await restoreBackup(target.url, file());
    restored = await openStore(target.url, { thread: false });
    const { journalHead } = await restored.readRestored();
    const { rows } = await restored.listTasks({ limit: 10_000, reverse: true });
    expect(rows.map((row) => row.uid)).toEqual(Array.from({ length: journalHead + 1 }, (_, uid) => uid));
  });

  it('is not written over another file, and leaves nothing half-written', async () => {
    writeFileSync(file(), 'mine');
    await expect(writeBackup(fleet.url, file())).rejects.toThrow(/exists already/);
    await expect(writeBackup(`sqlite:${join(folder, 'nowhere.db')}`, join(folder, 'x'))).rejects.toThrow(
      /there is no state store at/,
    );
    expect(existsSync(join(folder, 'x'))).toBe(false);
    await expect(restoreBackup(target.url, file())).rejects.toThrow(/is no backup of Miroir/);
    await expect(restoreBackup(target.url, join(folder, 'gone'))).rejects.toThrow(/there is no file/);
  });

  it('goes into an empty store only', async () => {
    await writeBackup(fleet.url, file());
    await expect(restoreBackup(fleet.url, file())).rejects.toThrow(/is not empty/);
    // Read only is enough.
    copyFileSync(file(), `${file()}-2`);
    chmodSync(`${file()}-2`, 0o400);
    await restoreBackup(target.url, `${file()}-2`);
    await expect(restoreBackup(target.url, file())).rejects.toThrow(/is not empty/);
  });
});

describe('a restored store', () => {
  const CLUSTER = { clusterId: 'main', replicationFactor: 2, defaultShardCount: 4 };

  it('is used by nobody before it is accepted, and accepted once', async () => {
    await fleet.createIndex('books', ASSIGNMENT);
    const store = await moveStore();
    const lease = { proxyId: 'p', url: null, epoch: 1, oldestEpoch: 1, ttlMs: 1_000 };
    for (const use of [
      () => store.initialize(CLUSTER),
      () => store.readTopology(),
      () => store.readEpoch(),
      () => store.renewLease(lease),
    ])
      await expect(use()).rejects.toMatchObject({ name: 'StoreUnavailable', code: 'STORE_RESTORED' });
    await store.acceptRestored(asDecided());
    await store.initialize(CLUSTER);
    await expect(store.acceptRestored(asDecided())).rejects.toMatchObject({ name: 'StateConflict' });
  });

  it('numbers above everything that was seen, says so in a task, and counts its own keys on', async () => {
    await fleet.createIndex('books', ASSIGNMENT);
    await fleet.write('books', 0);
    const held = fleet.generations.a!;
    const store = await moveStore();
    await store.acceptRestored(
      asDecided({
        nodes: [
          { node: 'a', position: 100, names: [[1, 'books--1-4']], lastTaskUid: 12 },
          { node: 'b', position: 0, names: [], lastTaskUid: null },
        ],
        shards: [{ index: 'books', incarnation: 1, shard: 0, inSync: ['a'], stale: ['b'], counts: {} }],
        failures: [{ seq: 1, error: meilisearchError('invalid_document_id', 'no') }],
      }),
    );
    const topology = await store.readTopology();
    expect(topology.nextIncarnation).toBe(7);
    expect(topology.indexes[0]!.physicalNames).toEqual({ a: 'books--1-4' });
    expect(topology.indexes[0]!.shards[0]!.map(({ node, state, moveId }) => [node, state, moveId])).toEqual([
      ['a', 'in-sync', null],
      ['b', 'joined', 'diverged/restore'],
    ]);
    const notice = (await store.readTask(100))!;
    expect(notice).toMatchObject({ status: 'failed', error: { code: 'miroir_store_restored' } });
    expect(await store.readHead()).toMatchObject({ journalHead: 100 });
    await expect(store.hasWork('a', held)).rejects.toMatchObject({ name: 'StaleGeneration' });
    // b comes to the new head through what it lacks and the notice, which is only passed over.
    const { generation, unclean } = (await store.takeOverStream('b', 'new'))!;
    expect(unclean).toBe(true);
    const group = (await store.readGroup('b', generation, EVERYTHING))!;
    expect(group.entries.map(({ seq, skipped }) => [seq, skipped])).toEqual([
      [1, false],
      [100, true],
    ]);
    expect(group.entries[0]!.outcome).toBe('failed');
    await store.stageParts('later', [{ shard: 0, payload: Buffer.from('x'), documentCount: 1 }]);
    await store.confirmEntries('b', generation, 100, [], true);
    expect(await store.hasWork('b', generation)).toBe(false);
  });

  it('forgets an index that no node has any more', async () => {
    await fleet.createIndex('books', ASSIGNMENT);
    const store = await moveStore();
    await store.acceptRestored(asDecided({ deletedIndexes: [{ uid: 'books', incarnation: 1 }] }));
    const { indexes } = await store.readTopology();
    expect(indexes.filter((index) => index.deletedSeq === null)).toEqual([]);
  });
});
