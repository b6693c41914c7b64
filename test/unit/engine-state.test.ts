// The engine's state through its log: reopening after any history, rewritten or not, leads to what was there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Engine, type Enqueue } from '../../engine/engine.js';
import { taskView } from '../../engine/tasks.js';

let dbPath: string;
beforeEach(() => {
  dbPath = mkdtempSync(join(tmpdir(), 'miroir-engine-state-'));
});
afterEach(() => rmSync(dbPath, { recursive: true }));

const open = (rewriteBytes: number, path = dbPath, keptTasks?: number) =>
  Engine.open({ dbPath: path, masterKey: null, faults: false, rewriteBytes, keptTasks });

function put(indexUid: string, documents: object[], replace = true, mayCreate = true): Enqueue {
  return {
    indexUid,
    type: 'documentAdditionOrUpdate',
    operation: { do: 'putDocuments', replace, primaryKey: 'id', mayCreate, skipCreation: false },
    details: { receivedDocuments: documents.length, indexedDocuments: null },
    documents: documents.map((document) => JSON.stringify(document)),
  };
}

async function settled(engine: Engine): Promise<void> {
  await expect
    .poll(() =>
      [...engine.tasks.values()].every(({ status }) => status === 'succeeded' || status === 'failed'),
    )
    .toBe(true);
}

function state(engine: Engine): unknown {
  return {
    tasks: [...engine.tasks.values()].map(taskView),
    indexes: [...engine.indexes.values()]
      .map((index) => ({
        uid: index.uid,
        createdAt: index.createdAt,
        updatedAt: index.updatedAt,
        primaryKey: index.primaryKey,
        settings: index.settings,
        documents: [...index.byId.keys()].sort().map((id) => index.get(id)!.text),
        fields: [...index.fieldDistribution].sort(),
      }))
      .sort((left, right) => (left.uid < right.uid ? -1 : 1)),
  };
}

const uid = fc.constantFrom('a', 'b');
const document = fc.record(
  { id: fc.integer({ min: 0, max: 5 }), n: fc.integer(), t: fc.string() },
  { requiredKeys: ['id'] },
);
const documents = fc.array(document, { maxLength: 4 });
const deletion = { type: 'documentDeletion', details: { deletedDocuments: null } };

/** Fails where the attribute may not be filtered. */
function deleteAbove(indexUid: string, n: number): Enqueue {
  return { indexUid, ...deletion, operation: { do: 'deleteByFilter', filter: `n > ${n}` } };
}

const operation: fc.Arbitrary<Enqueue> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(uid, documents, fc.boolean(), fc.boolean()).map((args) => put(...args)) },
  uid.map((indexUid) => put(indexUid, [{ id: 'not valid' }])),
  fc.tuple(uid, fc.array(fc.integer({ min: 0, max: 5 }).map(String))).map(
    ([indexUid, ids]): Enqueue => ({
      indexUid,
      ...deletion,
      operation: { do: 'deleteIds', ids },
    }),
  ),
  uid.map((indexUid): Enqueue => ({ indexUid, ...deletion, operation: { do: 'clear' } })),
  uid.map(
    (indexUid): Enqueue => ({
      indexUid,
      ...deletion,
      type: 'indexDeletion',
      operation: { do: 'deleteIndex' },
    }),
  ),
  fc.tuple(uid, uid).map(
    ([indexUid, newUid]): Enqueue => ({
      indexUid,
      type: 'indexUpdate',
      operation: { do: 'updateIndex', primaryKey: undefined, newUid },
      details: {},
    }),
  ),
  fc.tuple(uid, fc.array(fc.constantFrom('x', 'y'))).map(
    ([indexUid, stopWords]): Enqueue => ({
      indexUid,
      type: 'settingsUpdate',
      operation: { do: 'settings', patch: { stopWords }, mayCreate: true, deletion: false },
      details: { stopWords },
    }),
  ),
  uid.map(
    (indexUid): Enqueue => ({
      indexUid,
      type: 'settingsUpdate',
      operation: {
        do: 'settings',
        patch: { filterableAttributes: ['n'] },
        mayCreate: true,
        deletion: false,
      },
      details: {},
    }),
  ),
  { weight: 2, arbitrary: fc.tuple(uid, fc.integer()).map(([indexUid, n]) => deleteAbove(indexUid, n)) },
);

describe('state', () => {
  test('is the same after reopening, whatever was done and whenever the log was rewritten', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 20 }),
        fc.constantFrom(0, 10_000, 1e9),
        fc.constantFrom(3, 1_000),
        async (history, rewriteBytes, keptTasks) => {
          const path = mkdtempSync(join(dbPath, 'run-'));
          const engine = await open(rewriteBytes, path, keptTasks);
          for (const request of history) await engine.enqueue(request);
          await settled(engine);
          const before = state(engine);
          await engine.close();
          const again = await open(rewriteBytes, path, keptTasks);
          expect(state(again)).toEqual(before);
          await again.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('rewriting while writes go on loses none of them', async () => {
    const engine = await open(10_000);
    for (let round = 0; round < 30; round++) {
      const batch = Array.from({ length: 20 }, (_, at) =>
        put('a', [{ id: at, round, text: 'x'.repeat(200) }]),
      );
      await Promise.all(batch.map((request) => engine.enqueue(request)));
    }
    await settled(engine);
    const before = state(engine);
    await engine.close();
    expect(engine.tasks.size).toBe(600);
    const again = await open(1e9);
    expect(state(again)).toEqual(before);
    expect(again.tasks.size).toBe(600);
    await again.close();
  });

  test('remembers a bounded number of finished tasks, and goes on numbering after them', async () => {
    let engine = await open(10_000, dbPath, 50);
    for (let round = 0; round < 4; round++) {
      for (let at = 0; at < 45; at++) await engine.enqueue(put('a', [{ id: at, round }]));
      await settled(engine);
      expect([...engine.tasks.keys()]).toEqual(
        Array.from(
          { length: Math.min(50, 45 * (round + 1)) },
          (_, at) => 45 * (round + 1) - 1 - at,
        ).reverse(),
      );
      await engine.close();
      engine = await open(10_000, dbPath, 50);
    }
    expect((await engine.enqueue(put('a', [{ id: 1 }]))).uid).toBe(180);
    await engine.close();
  });
});
