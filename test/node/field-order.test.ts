// Keys of documents stand in the order in which the journal brought their fields, on every node: on those that never saw
// the first documents, after a move, and on one that joins later.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyShard } from '../../activities/moves/copy.js';
import { snapshotShard } from '../../activities/moves/snapshot.js';
import { meilisearchError } from '../../shared/core/errors.js';
import type { NodeId } from '../../shared/core/topology.js';
import { type Document, Gate, StreamFleet } from '../support/stream-fleet.js';

let fleet: StreamFleet;
beforeEach(async () => {
  fleet = await StreamFleet.open(['a', 'b']);
});
afterEach(() => fleet.close());

const keysOn = async (node: NodeId, uid = 'books') =>
  (await fleet.documents(node, uid)).map((document) => Object.keys(document).join(' '));

/** Creates the index with its first documents, as a write to an unknown index does. */
async function firstWrite(documents: Document[], assignment: NodeId[][]): Promise<void> {
  const { epoch } = await fleet.store.readTopology();
  const seq = await fleet.write('books', 0, documents, false, {
    createIndex: { epoch, primaryKey: 'id', assignment },
  });
  expect(await fleet.finish(seq)).toBe('succeeded');
}

describe('keys of documents', () => {
  it('are alike on a node that did not get the documents which brought them', async () => {
    await fleet.createIndex('books', [['a'], ['b']]);
    await fleet.write('books', 0, [{ id: 1, zebra: 1, apple: 2 }]);
    await fleet.write('books', 1, [{ id: 2, apple: 2, zebra: 1 }]);
    await fleet.write('books', 1, [{ id: 3, later: 1, apple: 2 }], true);
    const last = await fleet.write('books', 0, [{ id: 4, apple: 3, later: 2, zebra: 4 }]);
    expect(await fleet.finish(last)).toBe('succeeded');
    expect(await keysOn('a')).toEqual(['id zebra apple', 'id zebra apple later']);
    expect(await keysOn('b')).toEqual(['id zebra apple', 'id apple later']);
  });

  it('leave a primary key in its place where it was found in the first document', async () => {
    await firstWrite([{ title: 'x', id: 1, size: 2 }], [['a'], ['b']]);
    const last = await fleet.write('books', 1, [{ size: 1, id: 2, title: 'y' }]);
    expect(await fleet.finish(last)).toBe('succeeded');
    expect(await keysOn('a')).toEqual(['title id size']);
    expect(await keysOn('b')).toEqual(['title id size']);
  });

  it('are not brought by what fails', async () => {
    await fleet.createIndex('books', [['a'], ['b']]);
    const failure = meilisearchError('invalid_document_id', 'no');
    await fleet.write('books', 0, [{ id: 1, zebra: 1 }], false, { failure });
    const last = await fleet.write('books', 1, [{ id: 2, apple: 1, zebra: 2 }]);
    expect(await fleet.finish(last)).toBe('succeeded');
    expect(await keysOn('b')).toEqual(['id apple zebra']);
  });

  it('stay alike when a stream died after the node took them and before it was written down', async () => {
    await fleet.createIndex('books', [['a'], ['b']]);
    await fleet.stopStreams();
    const gate = new Gate('deliver.sent');
    const stream = fleet.stream('b', gate);
    fleet.stream('a');
    await fleet.write('books', 0, [{ id: 1, zebra: 1, apple: 2 }]);
    await gate.arrived;
    const successor = fleet.stream('b');
    const last = await fleet.write('books', 1, [{ id: 2, apple: 2, zebra: 1, later: 3 }]);
    expect(await fleet.finish(last)).toBe('succeeded');
    expect(await keysOn('b')).toEqual(['id zebra apple later']);
    await successor.stop();
    await stream.stop();
  });

  it('are alike on a node that joins, and in what is copied to it', async () => {
    await firstWrite([{ title: 'x', id: 1 }], [['a'], ['b']]);
    await fleet.finish(await fleet.write('books', 1, [{ id: 2, zebra: 1, apple: 2, mango: 3 }]));
    await fleet.finish(await fleet.write('books', 0, [{ id: 3, mango: 1, zebra: 2, title: 'y' }]));
    await fleet.addNode('c');
    fleet.stream('c');
    await fleet.until(async () => (await fleet.position('c')).provisioned || null);
    await fleet.store.setNodeState('c', 'active', 'a test');
    await fleet.planMove('m', 'books', 0, 'a', 'c');
    await snapshotShard(fleet.deps(), 'm', fleet.beat);
    await fleet.write('books', 1, [{ id: 4, nectar: 1, kiwi: 1 }]);
    await fleet.finish(await fleet.write('books', 0, [{ id: 1, kiwi: 3, nectar: 2 }], true));
    await copyShard(fleet.deps(), 'm', { chunkDocuments: 1, stallMs: 60_000 }, fleet.beat);
    expect(await keysOn('c')).toEqual(['title id nectar kiwi', 'title id zebra mango']);
  });
});
