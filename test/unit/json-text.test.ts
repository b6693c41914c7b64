import { describe, expect, it } from 'vitest';
import { JsonShapeError, JsonSyntaxError } from '../../shared/core/json-errors.js';
import { findUnreadable, printCompact, printFloat } from '../../shared/core/json-print.js';
import { type JsonFormat, JsonSplitter } from '../../shared/core/json-splitter.js';
import { appendField, cutArray, stripField, textOf, topLevelFields } from '../../shared/core/json-text.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textFrom = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function split(payload: string | Uint8Array, format: JsonFormat = 'json', chunkSize = 7): string[] {
  const bytes = typeof payload === 'string' ? bytesOf(payload) : payload;
  const documents: string[] = [];
  const splitter = new JsonSplitter(format, (document) => documents.push(textFrom(document)));
  for (let at = 0; at < bytes.length; at += chunkSize) splitter.push(bytes.subarray(at, at + chunkSize));
  splitter.finish();
  return documents;
}

function refusal(payload: string | Uint8Array, format: JsonFormat = 'json', chunkSize = 1000): string {
  try {
    split(payload, format, chunkSize);
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof JsonShapeError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('JsonSplitter', () => {
  it('keeps every document byte for byte', () => {
    const documents = [
      '{"id":1,"n":9007199254740993,"f":1.0}',
      '{ "id" : "a\\u0041\\n" , "x":[1, {"y":null}] }',
      '{}',
    ];
    for (let chunkSize = 1; chunkSize < 40; chunkSize++) {
      expect(split(` [ ${documents.join(' ,\n')} ] `, 'json', chunkSize)).toEqual(documents);
      expect(split(documents.join('\n'), 'ndjson', chunkSize)).toEqual(documents);
      expect(split(documents.join(''), 'ndjson', chunkSize)).toEqual(documents);
    }
    expect(split('{"a":"é😀"}')).toEqual(['{"a":"é😀"}']);
    expect(split('[]')).toEqual([]);
    expect(split('\n\n', 'ndjson')).toEqual([]);
    expect(split('[{"id":1}] what follows a list is ignored, as Meilisearch does')).toEqual(['{"id":1}']);
  });

  it('tells where the top-level fields are', () => {
    const document = '{"a":1, "b" : {"c":[1]} ,"d":"x,y","e":-1.5e3,"f":null}';
    const seen: string[] = [];
    const splitter = new JsonSplitter('json', (bytes, fields, fieldCount) => {
      for (let i = 0; i < fieldCount * 4; i += 2)
        seen.push(textFrom(bytes.subarray(fields[i], fields[i + 1])));
    });
    for (const byte of bytesOf(`[{"z":0},${document}]`)) splitter.push(new Uint8Array([byte]));
    splitter.finish();
    expect(seen).toEqual([
      '"z"',
      '0',
      '"a"',
      '1',
      '"b"',
      '{"c":[1]}',
      '"d"',
      '"x,y"',
      '"e"',
      '-1.5e3',
      '"f"',
      'null',
    ]);
  });

  // Every right-hand side was given by Meilisearch 1.50.0 for that payload, unless noted.
  it.each([
    ['"x', 'EOF while parsing a string at line 1 column 2'],
    ['nul', 'EOF while parsing a value at line 1 column 3'],
    ['{"id":1}{"id":2}', 'trailing characters at line 1 column 9'],
    ['{"id":1,}', 'trailing comma at line 1 column 9'],
    ['[{"id":1},]', 'trailing comma at line 1 column 11'],
    ['[{"id":1}', 'EOF while parsing a list at line 1 column 9'],
    ['[{"id":1', 'EOF while parsing an object at line 1 column 8'],
    ['[{"id":01}]', 'invalid number at line 1 column 9'],
    [
      '[{"id":"a\nb"}]',
      'control character (\\u0000-\\u001F) found while parsing a string at line 1 column 9',
    ],
    ['[{"id":"\\x"}]', 'invalid escape at line 1 column 10'],
    ['   ', 'EOF while parsing a value at line 1 column 3'],
    ['[1.}]', 'invalid number at line 1 column 4'],
    ['[{"id": 1}, {id: 2}]', 'key must be a string at line 1 column 14'],
    ['"x"', 'data are neither an object nor a list of objects'],
    // Meilisearch answers 500 to a list of other things; a refusal is what it means.
    ['["x"]', 'data are neither an object nor a list of objects'],
  ])('refuses %j as Meilisearch does', (payload, message) => {
    expect(refusal(payload)).toBe(message);
    expect(refusal(payload, 'json', 1)).toBe(message);
  });

  it('names the line of a malformed NDJSON payload', () => {
    expect(refusal('{"id": 1}\n{id: 2}', 'ndjson')).toBe('key must be a string at line 2 column 2');
    expect(refusal('{"id":1}\n{"id":2', 'ndjson', 3)).toBe('EOF while parsing an object at line 2 column 7');
  });

  it('refuses bytes that are not UTF-8', () => {
    const bad = bytesOf('[{"a":"?"}]');
    bad[7] = 0xff;
    expect(refusal(bad)).toBe('invalid unicode code point at line 1 column 10');
    const overlong = bytesOf('[{"a":"??"}]');
    overlong.set([0xc0, 0x80], 7);
    expect(refusal(overlong, 'json', 1)).toBe('invalid unicode code point at line 1 column 11');
  });
});

describe('text functions', () => {
  it('cuts arrays and objects', () => {
    const bytes = bytesOf(' [1, "a]", {"b":[2]} ,null ] ');
    expect(cutArray(bytes).map((range) => textOf(bytes, range))).toEqual(['1', '"a]"', '{"b":[2]}', 'null']);
    const fields = topLevelFields(bytesOf('{"a\\u0041":1.0,"b":"\\"}"}'));
    expect(fields.map((field) => field.key)).toEqual(['aA', 'b']);
  });

  it.each([
    ['{"_miroir":"x","a":1}', '{"a":1}'],
    ['{"a":1, "_miroir":"x"}', '{"a":1}'],
    ['{"a":1,"_miroir":"x","b":1.0}', '{"a":1,"b":1.0}'],
    ['{"_miroir":"x"}', '{}'],
    ['{"a":{"_miroir":1}}', '{"a":{"_miroir":1}}'],
  ])('strips the hidden field of %s', (from, to) => {
    expect(textFrom(stripField(bytesOf(from), '_miroir'))).toBe(to);
  });

  it('appends a field textually', () => {
    const field = bytesOf('"_miroir":"!"');
    expect(textFrom(appendField(bytesOf('{"a":1.0}'), field))).toBe('{"a":1.0,"_miroir":"!"}');
    expect(textFrom(appendField(bytesOf('{ }'), field))).toBe('{ "_miroir":"!"}');
  });

  it('prints values as Meilisearch does in its messages', () => {
    expect(
      printCompact(
        '{"x" : [1e-5, 1e-6,1e15,1e16,12345678901234567.0,100.0,-0,18446744073709551616,"\\u0041"]}',
      ),
    ).toBe(
      '{"x":[0.00001,1e-6,1000000000000000.0,1e+16,1.2345678901234568e+16,100.0,-0.0,1.8446744073709552e+19,"A"]}',
    );
    expect(printCompact('{"id":1,"id":2}')).toBe('{"id":2}');
    expect(printFloat(0.5)).toBe('0.5');
  });

  it('finds what Meilisearch cannot read', () => {
    expect(findUnreadable('{"a":"\\ud83d\\ude00","b":1e300}')).toBeNull();
    expect(findUnreadable('{"a":["\\ud800"]}')).toEqual({
      reason: 'unexpected end of hex escape',
      inKey: false,
    });
    expect(findUnreadable('{"a\\udc00":1}')?.inKey).toBe(true);
    expect(findUnreadable('{"a":1e999}')?.reason).toBe('number out of range');
  });
});
