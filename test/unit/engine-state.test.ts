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

const open = (rewriteBytes: number, path = dbPath) =>
  Engine.open({ dbPath: path, masterKey: null, faults: false, rewriteBytes });

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
    .poll(() => engine.tasks.every(({ status }) => status === 'succeeded' || status === 'failed'))
    .toBe(true);
}

function state(engine: Engine): unknown {
  return {
    tasks: engine.tasks.map(taskView),
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
);

describe('state', () => {
  test('is the same after reopening, whatever was done and whenever the log was rewritten', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 20 }),
        fc.constantFrom(0, 1_000, 1e9),
        async (history, rewriteBytes) => {
          const path = mkdtempSync(join(dbPath, 'run-'));
          const engine = await open(rewriteBytes, path);
          for (const request of history) await engine.enqueue(request);
          await settled(engine);
          const before = state(engine);
          await engine.close();
          const again = await open(rewriteBytes, path);
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
    expect(engine.tasks).toHaveLength(600);
    const again = await open(1e9);
    expect(state(again)).toEqual(before);
    expect(again.tasks).toHaveLength(600);
    await again.close();
  });
});
