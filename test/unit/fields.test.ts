// The list of an index's fields: from the payload through the numbering transaction to the document that registers them.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fieldsDocument } from '../../activities/stream/fields.js';
import { meilisearchError } from '../../shared/core/errors.js';
import { FieldNames } from '../../shared/core/field-names.js';
import { JsonSplitter } from '../../shared/core/json-splitter.js';
import { ADDITION, StoreFleet } from '../support/store-fleet.js';

const namesOf = (payload: string, first?: string) => {
  const names = new FieldNames();
  const splitter = new JsonSplitter('json', (bytes, fields, count) => names.add(bytes, fields, count));
  splitter.push(Buffer.from(payload));
  splitter.finish();
  return names.list(first);
};

describe('the names in a payload', () => {
  it('are in the order in which they come first, each once', () => {
    expect(namesOf('[{"b":1,"a":{"x":1}},{"a":2,"b":1},{"c":1,"b":2,"é":0}]')).toEqual(['b', 'a', 'c', 'é']);
  });
  it('are the same however they are escaped', () => {
    expect(namesOf(String.raw`[{"a":1},{"\u0061":2,"\u0000":1}]`)).toEqual(['a', '\0']);
  });
  it('come behind a primary key that was given', () => {
    expect(namesOf('[{"b":1,"id":2}]', 'id')).toEqual(['id', 'b']);
  });
});

describe('the list of fields', () => {
  let fleet: StoreFleet;
  let incarnation: number;
  beforeEach(async () => {
    fleet = await StoreFleet.open(['a', 'b']);
    incarnation = await fleet.createIndex('books', [['a'], ['b']]);
  });
  afterEach(() => fleet.close());
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

describe('the document that registers fields', () => {
  it('has each name once, and one id', () => {
    expect(fieldsDocument(['title', 'id', 'size'], 'id', 'x')).toBe('{"title":null,"id":"x","size":null}');
    expect(fieldsDocument(['size'], 'id', 'x')).toBe('{"id":"x","size":null}');
  });
  it('finds the place of a nested primary key', () => {
    expect(fieldsDocument(['b', 'meta'], 'meta.id', 'x')).toBe('{"b":null,"meta":{"id":"x"}}');
    expect(fieldsDocument(['b'], 'meta.id', 'x')).toBe('{"meta":{"id":"x"},"b":null}');
    expect(fieldsDocument(['meta', 'meta.id'], 'meta.id', 'x')).toBe('{"meta":null,"meta.id":"x"}');
  });
});
