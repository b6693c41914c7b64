// Lengths in the hidden field: no search term, read back as they were, and added up by a node's facet.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentLength } from '../../shared/core/bm25.js';
import { LengthRecorder, lengthVersion, recordedLength, sumLengths } from '../../shared/core/length-marks.js';
import { markOf, shardMark } from '../../shared/core/topology.js';
import { loadHash } from '../../shared/io/hash.js';

const hash = await loadHash();
const version = lengthVersion(null, hash);
const field = (text: string, shard = 5) =>
  `["${shardMark(shard)}",${new LengthRecorder(null, version).marks(text)}]`;

describe('recorded lengths', () => {
  it('are separators only, and never a mark of a shard', () => {
    const marks = JSON.parse(field('{"a":"three small words"}')) as string[];
    expect(marks.join('')).toMatch(/^[!#%&'()*]+$/);
    expect(marks.map((mark) => mark.length)).toEqual([4, 8, 14]);
    expect(markOf(field('{}'))).toBe(shardMark(5));
    expect(markOf(`"${shardMark(9)}"`)).toBe(shardMark(9));
    expect(markOf(null)).toBe('');
  });

  it('are those of other searchable attributes no longer', () => {
    const other = lengthVersion(['title'], hash);
    expect(other).not.toBe(version);
    expect(recordedLength(field('{"a":"b"}'), other)).toBeNull();
    expect(recordedLength(`"${shardMark(5)}"`, version)).toBeNull();
    expect(recordedLength(null, version)).toBeNull();
  });

  it('are read back from a hit and added up by the facet', () => {
    const texts = fc.array(fc.array(fc.constantFrom('red', 'Blue', '7'), { maxLength: 40 }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(texts, fc.nat(1_023), (documents, shard) => {
        const facet: Record<string, number> = {};
        let words = 0;
        for (const document of documents) {
          const text = JSON.stringify({ id: 1, text: document.join(' ') });
          const length = documentLength(text, 0, null);
          expect(recordedLength(field(text, shard), version)).toBe(length);
          words += length;
          for (const mark of JSON.parse(field(text, shard)) as string[]) facet[mark] = (facet[mark] ?? 0) + 1;
        }
        facet[`${lengthVersion(['x'], hash)}!!!!!#`] = 3;
        expect(sumLengths(facet, version)).toEqual({ documents: documents.length, words });
      }),
    );
  });
});
