// Whatever the documents and wherever the network cuts the payload: each comes out byte for byte, and parses the same.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonSplitter } from '../../shared/core/json-splitter.js';
import { appendField, stripField, textOf, topLevelFields } from '../../shared/core/json-text.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON text that JSON.stringify would never print: big numbers, 1.0, escapes, spaces. */
const scalar = fc.oneof(
  fc.constantFrom(
    '9007199254740993',
    '1.0',
    '-0.0',
    '1E5',
    'true',
    'null',
    '"\\u00e9\\ud83d\\ude00"',
    '"\\\\\\""',
    '"}{]["',
  ),
  fc.integer().map(String),
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
);
const space = fc.constantFrom('', ' ', '\n', '\t ', '\r\n');
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc
      .tuple(space, fc.array(tie('value'), { maxLength: 3 }))
      .map(([gap, items]) => `[${gap}${items.join(`${gap},`)}${gap}]`),
    fc
      .tuple(
        space,
        fc.array(
          fc.tuple(
            fc.string().map((key) => JSON.stringify(key)),
            tie('value'),
          ),
          { maxLength: 3 },
        ),
      )
      .map(
        ([gap, fields]) =>
          `{${gap}${fields.map(([key, item]) => `${key}${gap}:${gap}${item}`).join(`${gap},`)}${gap}}`,
      ),
  ),
}));
const document = fc
  .tuple(
    space,
    fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }), value), {
      maxLength: 5,
      selector: ([key]) => key,
    }),
  )
  .map(
    ([gap, fields]) =>
      `{${gap}${fields.map(([key, item]) => `${JSON.stringify(key)}${gap}:${item}`).join(`,${gap}`)}${gap}}`,
  );

/** Cuts at random places, empty pieces included. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.subarray(places[i]!, end));
}

describe('splitting a payload', () => {
  it('gives every document back as it was, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(document, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        space,
        fc.constantFrom('json' as const, 'ndjson' as const),
        (documents, cuts, gap, format) => {
          const payload =
            format === 'json'
              ? `${gap}[${gap}${documents.join(`${gap},${gap}`)}${gap}]`
              : documents.join(`${gap}\n`);
          const seen: string[] = [];
          const splitter = new JsonSplitter(format, (bytes, fields, fieldCount) => {
            seen.push(decoder.decode(bytes));
            const ranges = topLevelFields(bytes).flatMap(({ keyRange, valueRange }) => [
              keyRange.start,
              keyRange.end,
              valueRange.start,
              valueRange.end,
            ]);
            expect(fields.slice(0, fieldCount * 4)).toEqual(ranges);
          });
          for (const piece of pieces(encoder.encode(payload), cuts)) splitter.push(piece);
          expect(splitter.finish()).toBe(documents.length);
          expect(seen).toEqual(documents);
        },
      ),
    );
  });

  it('accepts and refuses exactly what JSON.parse does', () => {
    fc.assert(
      fc.property(
        document,
        fc.nat(),
        fc.constantFrom(...'{}[],:"\\0-.eE truefalsn\u0001'),
        (text, at, changed) => {
          const place = at % (text.length + 1);
          const broken = text.slice(0, place) + changed + text.slice(place + 1);
          let expected = true;
          try {
            const parsed = JSON.parse(broken) as unknown;
            expected = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
          } catch {
            expected = false;
          }
          let accepted = true;
          try {
            const splitter = new JsonSplitter('json', () => {});
            splitter.push(encoder.encode(broken));
            accepted = splitter.finish() === 1;
          } catch {
            accepted = false;
          }
          expect([broken, accepted]).toEqual([broken, expected]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('adds and removes the hidden field without touching the rest', () => {
    fc.assert(
      fc.property(document, (text) => {
        const bytes = encoder.encode(text);
        const marked = appendField(bytes, encoder.encode('"_miroir":"!#%&"'));
        const parsed = JSON.parse(decoder.decode(marked)) as Record<string, unknown>;
        expect(parsed._miroir).toBe('!#%&');
        delete parsed._miroir;
        expect(parsed).toEqual(JSON.parse(text));
        expect(decoder.decode(marked)).toContain(text.slice(0, text.lastIndexOf('}')));
        const stripped = topLevelFields(stripField(marked, '_miroir'));
        const original = topLevelFields(bytes);
        expect(stripped.map((field) => field.key)).toEqual(original.map((field) => field.key));
        const after = stripField(marked, '_miroir');
        expect(stripped.map((field) => textOf(after, field.valueRange))).toEqual(
          original.map((field) => textOf(bytes, field.valueRange)),
        );
      }),
    );
  });
});
