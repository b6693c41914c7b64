import { describe, expect, it } from 'vitest';
import { toByteText } from '../../shared/core/byte-text.js';
import { HitWords, plainWord } from '../../shared/core/hit-words.js';

const hit = (document: object) => toByteText(JSON.stringify(document));
const has = (document: object, word: string, searchable: string[] | null = null) =>
  new HitWords(hit(document), 0, searchable).have(plainWord(word)!);

describe('words of a hit', () => {
  it('are found in any case between spaces, quotes and commas', () => {
    expect(has({ title: 'The Little prince, again' }, 'prince')).toBe(true);
    expect(has({ title: 'The Little prince, again' }, 'LITTLE')).toBe(true);
    expect(has({ title: 'Prince' }, 'prince')).toBe(true);
    expect(has({ title: 'crème brûlée;' }, 'BRÛLÉE')).toBe(true);
  });

  it('are not found inside of others, though a later place may have them', () => {
    expect(has({ title: 'princes, 1,prince' }, 'prince')).toBe(false);
    expect(has({ title: 'princely prince' }, 'prince')).toBe(true);
  });

  it('are looked for in searchable texts alone', () => {
    expect(has({ title: 'a', tags: ['prince'], other: 'prince', _own: 'prince' }, 'prince', ['title'])).toBe(
      false,
    );
    expect(has({ tags: ['prince'], _own: 'prince' }, 'prince')).toBe(false);
  });

  it('cannot be told of anything but letters and digits', () => {
    expect(plainWord("l'eau")).toBeNull();
    expect(plainWord('x2')).toEqual({ text: 'x2', isAscii: true });
  });
});
