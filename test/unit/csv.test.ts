// CSV as Meilisearch 1.50.0 reads it: every expectation was given by it.
import { describe, expect, it } from 'vitest';
import { CsvReader } from '../../proxy/write/csv.js';

function read(csv: string | Buffer, chunkSize = 3, delimiter = ','): string[] {
  const bytes = Buffer.from(csv);
  const reader = new CsvReader(delimiter.charCodeAt(0));
  let text = '';
  for (let at = 0; at < bytes.length; at += chunkSize)
    text += reader.push(bytes.subarray(at, at + chunkSize));
  text += reader.finish();
  return text.split('\n').slice(0, -1);
}

function refusal(csv: string | Buffer): string {
  try {
    read(csv);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

describe('CsvReader', () => {
  it('reads numbers as Meilisearch does', () => {
    const cells = [
      '1.0',
      '1e21',
      'nan',
      'inf',
      '+5',
      ' 7 ',
      '-0',
      '9223372036854775808',
      '.5',
      '5.',
      '',
      '1e400',
    ];
    expect(read(`a:number\n${cells.map((cell) => `"${cell}"`).join('\n')}\n`)).toEqual(
      [
        '1.0',
        '1e+21',
        'null',
        'null',
        '5',
        '7',
        '0',
        '9.223372036854775e+18',
        '0.5',
        '5.0',
        'null',
        'null',
      ].map((value) =>
        expect.stringMatching(
          value === '9.223372036854775e+18' ? /9\.22337203685477/ : `{"a":${value.replace(/[+.]/g, '\\$&')}}`,
        ),
      ),
    );
  });

  it('reads quotes, line ends, empty lines and a byte order mark', () => {
    expect(read('id,a\n1,"x""y\nz"\n2,"un\n')).toEqual([
      '{"id":"1","a":"x\\"y\\nz"}',
      '{"id":"2","a":"un\\n"}',
    ]);
    expect(read('id,a\r\n1,b"c\r\n2,"q"z\r\n')).toEqual(['{"id":"1","a":"b\\"c"}', '{"id":"2","a":"qz"}']);
    expect(read('id,a\n\n\n1,2\n')).toEqual(['{"id":"1","a":"2"}']);
    expect(read('\ufeffid,a\n1,2')).toEqual(['{"id":"1","a":"2"}']);
    expect(read('id;a\n1;é,2', 1, ';')).toEqual(['{"id":"1","a":"é,2"}']);
    expect(read('id\n')).toEqual([]);
  });

  it('takes types from the header', () => {
    expect(read('id,a:foo:string,b:boolean,c:d\n1, x , true ,\n')).toEqual([
      '{"id":"1","a:foo":" x ","b":true,"c:d":null}',
    ]);
    expect(read('id,id\n1,2\n')).toEqual(['{"id":"2"}']);
  });

  it.each([
    [
      'id, content\n1234, hello, world\n12, hello world',
      'CSV error: record 1 (line: 2, byte: 12): found record with 3 fields, but the previous record has 2 fields',
    ],
    [
      'id,a\n1\n',
      'CSV error: record 1 (line: 2, byte: 5): found record with 1 fields, but the previous record has 2 fields',
    ],
    [
      '#id:number,a:boolean,b:number\n0,doggo,1',
      'Error parsing boolean "doggo" at line 1: provided string was not `true` or `false`',
    ],
    ['id,a:number\n1,0x10\n', 'Error parsing number "0x10" at line 1: invalid float literal'],
    ['id,a:number\n1,1_0\n', 'Error parsing number "1_0" at line 1: invalid float literal'],
  ])('refuses %j', (csv, problem) => {
    expect(refusal(csv)).toBe(`The \`csv\` payload provided is malformed: \`${problem}\`.`);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(refusal(Buffer.from([0x69, 0x64, 0x2c, 0x61, 0x0a, 0x31, 0x2c, 0xff, 0x0a]))).toBe(
      'The `csv` payload provided is malformed: `CSV parse error: record 1 (line 2, field: 1, byte: 5): invalid utf-8: invalid UTF-8 in field 1 near byte index 0`.',
    );
  });
});
