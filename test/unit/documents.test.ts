// The judgement of a payload's documents. Messages as given by Meilisearch 1.50.0 for the same payload.
import { describe, expect, it } from 'vitest';
import { PayloadJudge, type PayloadRules } from '../../shared/core/documents.js';
import { JsonSplitter } from '../../shared/core/json-splitter.js';
import { usesGeo } from '../../shared/core/special-fields.js';

interface Verdict {
  ids: (string | null)[];
  primaryKey: string | null;
  code: string | null;
  message: string | null;
}

function judge(payload: string, rules: Partial<PayloadRules> = {}): Verdict {
  const format = rules.format ?? 'json';
  const judge = new PayloadJudge({
    indexUid: 'g',
    indexPrimaryKey: null,
    givenPrimaryKey: null,
    checkGeo: false,
    ...rules,
    format,
  });
  const ids: (string | null)[] = [];
  const splitter = new JsonSplitter(format === 'json' ? 'json' : 'ndjson', (...document) => {
    ids.push(judge.judge(...document));
  });
  splitter.push(new TextEncoder().encode(payload));
  splitter.finish();
  judge.finish();
  const failure = judge.failure;
  return {
    ids,
    primaryKey: judge.primaryKey,
    code: failure?.code ?? null,
    message: failure?.message ?? null,
  };
}

const INVALID =
  'is invalid. A document identifier can be of type integer or string, only composed of alphanumeric characters ' +
  '(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.';

describe('document ids', () => {
  it('reads integers and strings as they are written', () => {
    expect(
      judge('[{"id":1},{"id":"a-B_9"},{"id":9007199254740993},{"id":-3},{"i\\u0064":"\\u0061"}]'),
    ).toMatchObject({
      ids: ['1', 'a-B_9', '9007199254740993', '-3', 'a'],
      primaryKey: 'id',
      code: null,
    });
    expect(judge(`[{"id":"${'x'.repeat(511)}"}]`).code).toBeNull();
    expect(judge(`[{"id":"${'x'.repeat(512)}"}]`).code).toBe('invalid_document_id');
    expect(judge('[{"id":18446744073709551615}]').ids).toEqual(['18446744073709551615']);
  });

  it.each([
    ['1.5', '1.5'],
    ['1.0', '1.0'],
    ['-0', '-0.0'],
    ['18446744073709551616', '1.8446744073709552e+19'],
    ['""', '""'],
    ['"é"', '"é"'],
    ['"a b"', '"a b"'],
    ['null', 'null'],
    ['{"a":[1.50,1e3,"\\u00e9"]}', '{"a":[1.5,1000.0,"é"]}'],
  ])('refuses %s', (value, shown) => {
    expect(judge(`[{"id":0},{"id":${value}},{"id":1}]`)).toMatchObject({
      ids: ['0', null, null],
      code: 'invalid_document_id',
      message: `Document identifier \`${shown}\` ${INVALID}`,
    });
  });

  it('shows the document that has none', () => {
    expect(judge('[{"foo":1.0,"b":"\\u0041", "c" : 1e21}]', { indexPrimaryKey: 'id' })).toMatchObject({
      code: 'missing_document_id',
      message: 'Document doesn\'t have a `id` attribute: `{"foo":1.0,"b":"A","c":1e+21}`.',
    });
  });

  it('reads a repeated key as Meilisearch does in each format', () => {
    expect(judge('[{"id":1,"id":2}]').ids).toEqual(['2']);
    expect(judge('{"id":1,"id":2}\n', { format: 'ndjson' })).toMatchObject({
      code: 'invalid_document_id',
      message: 'Document have too many matching `id` attribute: `{"id":2}`.',
    });
  });

  it('follows dotted primary keys', () => {
    const rules = { indexPrimaryKey: 'a.b' };
    expect(judge('[{"a":{"b":1}},{"a.b":"x"},{"a":3,"a.b":2}]', rules).ids).toEqual(['1', 'x', '2']);
    expect(judge('[{"a":{"b":1},"a.b":2}]', rules).message).toBe(
      'Document have too many matching `a.b` attribute: `{"a":{"b":1},"a.b":2}`.',
    );
    expect(judge('[{"a":{"b":{"c":1}}}]', rules).message).toBe(`Document identifier \`{"c":1}\` ${INVALID}`);
    expect(judge('[{"a":[{"b":1}]}]', rules).message).toBe(
      'Document doesn\'t have a `a.b` attribute: `{"a":[{"b":1}]}`.',
    );
  });
});

describe('the primary key', () => {
  it('is inferred from the first document', () => {
    expect(judge('[{"name":1,"bookID":2},{"id":3,"bookID":4}]')).toMatchObject({
      primaryKey: 'bookID',
      ids: ['2', '4'],
    });
    expect(judge('[{"x":1}]')).toMatchObject({
      code: 'index_primary_key_no_candidate_found',
      message:
        'The primary key inference failed as the engine did not find any field ending with `id` in its name. Please specify the primary key manually using the `primaryKey` query parameter.',
    });
    expect(judge('[{"a_id":1,"b_ID":2,"Cid":3}]')).toMatchObject({
      code: 'index_primary_key_multiple_candidates_found',
      message:
        "The primary key inference failed as the engine found 3 fields ending with `id` in their names: 'Cid' and 'a_id'. Please specify the primary key manually using the `primaryKey` query parameter.",
    });
  });

  it('cannot be changed, but by a payload that has nothing', () => {
    const rules = { indexPrimaryKey: 'id', givenPrimaryKey: 'zz' };
    expect(judge('[{"x":1,"nid":2}]', rules)).toMatchObject({
      code: 'index_primary_key_already_exists',
      message: 'Index already has a primary key: `id`.',
    });
    expect(judge('[]', rules)).toMatchObject({ code: null, primaryKey: 'id' });
    expect(judge('[]', { givenPrimaryKey: 'zz' }).primaryKey).toBe('zz');
  });
});

describe('fields with a meaning', () => {
  const geo = (value: string) => judge(`[{"id":1,"_geo":${value}}]`, { checkGeo: true });

  it.each([
    [
      '3',
      'The `_geo` field in the document with the id: `"1"` is not an object. Was expecting an object with the `_geo.lat` and `_geo.lng` fields but instead got `3`.',
    ],
    [
      '{}',
      'Could not find latitude nor longitude in the document with the id: `"1"`. Was expecting `_geo.lat` and `_geo.lng` fields.',
    ],
    [
      '{"lat":1}',
      'Could not find longitude in the document with the id: `"1"`. Was expecting a `_geo.lng` field.',
    ],
    [
      '{"lat":"a","lng":"b"}',
      'Could not parse latitude nor longitude in the document with the id: `"1"`. Was expecting finite numbers but instead got `"a"` and `"b"`.',
    ],
    [
      '{"lat":1,"lng":[1.50]}',
      'Could not parse longitude in the document with the id: `"1"`. Was expecting a finite number but instead got `[1.5]`.',
    ],
    [
      '{"lat":"inf","lng":"1"}',
      'Could not parse latitude in the document with the id: `"1"`. Was expecting a finite number but instead got `"inf"`.',
    ],
    [
      '{"lat":1,"lng":"2","z":1.0,"a":{}}',
      'The `_geo` field in the document with the id: `"1"` contains the following unexpected fields: `{"a":{},"z":1.0}`.',
    ],
  ])('refuses _geo %s', (value, message) => {
    expect(geo(value)).toMatchObject({
      code: 'invalid_document_geo_field',
      message: `Index \`g\`: ${message}`,
    });
  });

  it('looks at _geo only where the index uses it', () => {
    expect(geo('null').code).toBeNull();
    expect(geo('{"lat":"1","lng":"+.5"}').code).toBeNull();
    expect(judge('[{"id":1,"_geo":3}]').code).toBeNull();
    expect(usesGeo({ sortableAttributes: ['_geo'] })).toBe(true);
    expect(usesGeo({ filterableAttributes: ['a', { attributePatterns: ['_geo'] }] })).toBe(true);
    expect(usesGeo({ filterableAttributes: ['a'] })).toBe(false);
  });

  it.each([
    [
      '{"e":3}',
      'Expected `._vectors.e` to be an array of floats, an array of arrays of floats, or an object with at least the field `regenerate`, but got the integer `3`',
    ],
    [
      '{"e":[["x"]],"f":{}}',
      'Missing field `._vectors.f.regenerate`\n  - note: `._vectors.f` must be an array of floats, an array of arrays of floats, or an object with field `regenerate`',
    ],
  ])('refuses _vectors %s', (value, problem) => {
    expect(judge(`[{"id":3,"_vectors":${value}}]`)).toMatchObject({
      code: 'invalid_vectors_type',
      message: `Index \`g\`: Bad embedder configuration in the document with id: \`3\`. ${problem}`,
    });
  });

  it('refuses the reserved field at the top level, however it is written, and only there', () => {
    expect(judge('[{"id":1,"_miroir":"x"}]').code).toBe('miroir_reserved_field');
    expect(judge('[{"id":1,"\\u005fmiroir":"x"}]').code).toBe('miroir_reserved_field');
    expect(judge('[{"id":1,"a":{"_miroir":"x"}}]').code).toBeNull();
  });

  it('puts a wrong id before what is wrong elsewhere', () => {
    expect(judge('[{"id":1,"_vectors":{"e":3}},{"id":"a b"}]').code).toBe('invalid_document_id');
  });

  it('fails what would stop the indexing of its neighbours', () => {
    expect(judge('[{"id":1,"x":"\\ud800"}]').code).toBe('internal');
    expect(judge('[{"id":1,"x":1e999}]').code).toBe('internal');
    expect(() => judge('[{"id":1,"a\\ud800":2}]')).toThrow('unexpected end of hex escape');
  });
});
