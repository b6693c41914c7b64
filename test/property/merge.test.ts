// Properties of the merge: any partition of a totally ordered list merges into the list, and cutting equals parsing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAnswer } from '../../shared/core/answer.js';
import { fieldText, plainView, showHit } from '../../shared/core/hits.js';
import { scanArray, scanObject, skipValue } from '../../shared/core/json-scan.js';
import { mergeHits } from '../../shared/core/merge.js';

interface Ranked {
  words: number;
  typos: number;
  score: number;
  value: number | string | null;
  id: string;
}

const ranked = fc.record({
  words: fc.integer({ min: 1, max: 3 }),
  typos: fc.integer({ min: 0, max: 2 }),
  score: fc.constantFrom(0.25, 0.5, 1),
  value: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('a', 'b', 'é', 'z'), fc.constant(null)),
  id: fc.stringMatching(/^[aAbB][0-9]{1,2}$/),
});

function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function classOf(value: Ranked['value']): number {
  return typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2;
}

/** The order that one node would give; equal ids apart from their case are told apart by the raw id. */
function inOrder(left: Ranked, right: Ranked, descending: boolean): number {
  const sign = descending ? -1 : 1;
  const values = (): number => {
    if (classOf(left.value) !== classOf(right.value)) return classOf(left.value) - classOf(right.value);
    if (typeof left.value === 'number') return sign * (left.value - (right.value as number));
    if (typeof left.value !== 'string') return 0;
    return sign * Buffer.compare(Buffer.from(left.value), Buffer.from(right.value as string));
  };
  return (
    right.words - left.words ||
    left.typos - right.typos ||
    right.score - left.score ||
    values() ||
    Buffer.compare(Buffer.from(left.id.toLowerCase()), Buffer.from(right.id.toLowerCase())) ||
    Buffer.compare(Buffer.from(left.id), Buffer.from(right.id))
  );
}

function hitText(hit: Ranked, descending: boolean): string {
  const details = {
    words: { order: 0, matchingWords: hit.words, maxMatchingWords: 3, score: 0.1 },
    typo: { order: 1, typoCount: hit.typos, maxTypoCount: 3, score: 0.7 },
    proximity: { order: 2, score: hit.score },
    [`value:${descending ? 'desc' : 'asc'}`]: { order: 3, value: hit.value },
    'id:asc': { order: 4, value: hit.id.toLowerCase() },
  };
  return bytes(JSON.stringify({ id: hit.id, _rankingScoreDetails: details }));
}

function answerOf(hits: readonly string[]): string {
  return `{"hits":[${hits.join(',')}],"query":"","estimatedTotalHits":${hits.length}}`;
}

describe('merge', () => {
  it('merges any partition of a list into the list, from any order of folded ids', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(ranked, { selector: (hit) => hit.id, maxLength: 40 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
        fc.integer({ min: 0, max: 45 }),
        fc.boolean(),
        (hits, places, required, descending) => {
          const sorted = [...hits].sort((left, right) => inOrder(left, right, descending));
          const parts: Ranked[][] = [[], [], [], []];
          for (const hit of sorted) parts[places.next().value!]!.push(hit);
          // Within a node, ids that fold together come in the order of insertion.
          for (const part of parts) {
            part.sort((left, right) =>
              left.id.toLowerCase() === right.id.toLowerCase() ? 0 : inOrder(left, right, descending),
            );
          }
          const answers = parts.map((part) =>
            cutAnswer(answerOf(part.map((hit) => hitText(hit, descending)))),
          );
          const merged = mergeHits(answers, {
            required,
            primaryKey: 'id',
            byDistance: false,
            asked: parts.map(() => 1_000),
          });
          const ids = merged.hits.map((hit) =>
            JSON.parse(fieldText(answers[hit.source]!.text, hit.start, 'id')!),
          );
          expect(ids).toEqual(sorted.slice(0, required).map((hit) => hit.id));
          expect(merged.short).toEqual([]);
        },
      ),
    );
  });
});

describe('scanning JSON text', () => {
  it('finds the boundaries that a parser finds', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, indent) => {
        const text = bytes(JSON.stringify(value, null, indent));
        expect(skipValue(text, 0)).toBe(text.length);
        if (Array.isArray(value)) {
          const places = scanArray(text, 0);
          const items = value.map((_, i) => JSON.parse(text.slice(places[2 * i]!, places[2 * i + 1]!)));
          expect(items).toEqual(JSON.parse(text));
          expect(places.length).toBe(2 * value.length + 1);
        } else if (typeof value === 'object' && value !== null) {
          const places = scanObject(text, 0);
          const entries: [string, unknown][] = [];
          for (let i = 0; i + 3 < places.length; i += 4) {
            entries.push([
              JSON.parse(text.slice(places[i]!, places[i + 1]!)) as string,
              JSON.parse(text.slice(places[i + 2]!, places[i + 3]!)),
            ]);
          }
          expect(entries).toEqual(Object.entries(JSON.parse(text) as object));
        }
      }),
    );
  });

  it('shows a hit as parsing, removing and printing would', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(5), (document, place) => {
        const entries = Object.entries(document).filter(
          ([key]) => !/^_(miroir|formatted|rankingScoreDetails)$/.test(key),
        );
        const marked = [...entries.slice(0, place), ['_miroir', "!!#'"] as const, ...entries.slice(place)];
        const print = (list: readonly (readonly [string, unknown])[]): string =>
          bytes(
            `{${list.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
          );
        expect(showHit(print(marked), 0, plainView('id'))).toBe(print(entries));
      }),
    );
  });
});
