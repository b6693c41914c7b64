// What the store keeps of an index beside its documents: its fields in the order of the journal, and how it is scored.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { meilisearchError } from '../../shared/core/errors.js';
import { ADDITION, StoreFleet } from '../support/store-fleet.js';

let fleet: StoreFleet;
let incarnation: number;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a', 'b']);
  incarnation = await fleet.createIndex('books', [['a'], ['b']]);
});
afterEach(() => fleet.close());

describe('the list of fields', () => {
  const brought = async (node: string) => {
    const group = await fleet.store.readGroup(node, fleet.generations[node]!, { entries: 9, bytes: 1e6 });
    return group!.entries.map((entry) => entry.bringsFields);
  };

  it('grows in the order of the journal, and every node learns which entries brought something', async () => {
    await fleet.append('books', ADDITION, { fields: ['id', 'zebra'] });
    await fleet.append('books', ADDITION, { fields: ['zebra', 'id'] });
    await fleet.append('books', ADDITION, { fields: ['apple', 'zebra', 'apple', '\0'] });
    expect(await fleet.store.readFields(incarnation, 0)).toEqual(['id', 'zebra', 'apple', '\0']);
    expect(await fleet.store.readFields(incarnation, 2)).toEqual(['apple', '\0']);
    expect(await brought('a')).toEqual([true, false, true]);
    expect(await brought('b')).toEqual([true, false, true]);
  });

  it('takes nothing from what fails, and goes with its index', async () => {
    const failure = meilisearchError('missing_document_id', 'no');
    await fleet.append('books', ADDITION, { fields: ['zebra'], failure });
    expect(await fleet.store.readFields(incarnation, 0)).toEqual([]);
    await fleet.append('books', ADDITION, { fields: Array.from({ length: 1_200 }, (_, at) => `f${at}`) });
    expect(await fleet.store.readFields(incarnation, 1_199)).toEqual(['f1199']);
    await fleet.confirmAll(await fleet.append('books', { kind: 'indexDeletion' }));
    await fleet.store.collectGarbage();
    expect(await fleet.store.readFields(incarnation, 0)).toEqual([]);
  });
});

describe('the scoring of an index', () => {
  it('is read by proxies from the next epoch on', async () => {
    const before = await fleet.store.readEpoch();
    expect((await fleet.find('books'))!.scoring).toBeNull();
    const epoch = await fleet.store.setScoring('books', 'dfs');
    expect(epoch).toBeGreaterThan(before);
    expect((await fleet.find('books'))!.scoring).toBe('dfs');
    expect(await fleet.store.setScoring('books', 'dfs')).toBe(epoch);
    expect(await fleet.store.setScoring('books', null)).toBeGreaterThan(epoch!);
    expect((await fleet.find('books'))!.scoring).toBeNull();
  });

  it('is of an index that is there', async () => {
    expect(await fleet.store.setScoring('nothing', 'dfs')).toBeNull();
    await fleet.append('books', { kind: 'indexDeletion' });
    expect(await fleet.store.setScoring('books', 'dfs')).toBeNull();
  });
});
