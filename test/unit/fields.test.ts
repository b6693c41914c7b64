// Names of fields: as a payload brings them, and in the document that registers them.
import { describe, expect, it } from 'vitest';
import { fieldsDocument } from '../../activities/stream/fields.js';
import { FieldNames } from '../../shared/core/field-names.js';
import { JsonSplitter } from '../../shared/core/json-splitter.js';

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
