// Words as the embedded engine indexes them, and the words that a query word stands for.
import { describe, expect, test } from 'vitest';
import { tokenize } from '../../engine/tokenizer.js';
import { Vocabulary } from '../../engine/vocabulary.js';

const words = (text: string) => tokenize(text).map((token) => token.word);

describe('tokenize', () => {
  test('folds case and diacritics', () => {
    expect(words('Café CRÈME brûlée Straße')).toEqual(['cafe', 'creme', 'brulee', 'straße']);
  });

  test('finds no word in hidden membership values', () => {
    for (const value of ["!#%&'()*", '!!!', '#%&', '**']) expect(words(value)).toEqual([]);
  });

  test('splits at punctuation and keeps offsets of the original', () => {
    const text = "l'État, c'est moi_42";
    expect(words(text)).toEqual(['l', 'etat', 'c', 'est', 'moi', '42']);
    expect(tokenize(text).map(({ start, end }) => text.slice(start, end))).toEqual([
      'l',
      'État',
      'c',
      'est',
      'moi',
      '42',
    ]);
  });

  test('counts eight for a hard separator', () => {
    expect(tokenize('one two, three').map((token) => token.position)).toEqual([0, 1, 9]);
  });

  test('takes ideographs one by one', () => {
    expect(words('東京tower')).toEqual(['東', '京', 'tower']);
  });
});

describe('derive', () => {
  const vocabulary = new Vocabulary();
  const known = [
    'garden',
    'gardener',
    'gardens',
    'warden',
    'gaden',
    'grading',
    'instrument',
    'enstrument',
    'dog',
    'dogma',
  ];
  for (const word of known) vocabulary.intern(word);
  const derive = (word: string, prefix: boolean, typos: number) =>
    Object.fromEntries(
      vocabulary
        .derive(word, prefix, typos)
        .map(({ wordId, typoCount }) => [vocabulary.words[wordId], typoCount]),
    );

  test('without typos finds the word alone', () => {
    expect(derive('garden', false, 0)).toEqual({ garden: 0 });
  });

  test('one typo never changes the first letter', () => {
    expect(derive('garden', false, 1)).toEqual({ garden: 0, gardens: 1, gaden: 1 });
  });

  test('a first letter costs two', () => {
    expect(derive('instrument', false, 2)).toEqual({ instrument: 0, enstrument: 2 });
  });

  test('prefixes, with and without typos', () => {
    expect(derive('dog', true, 0)).toEqual({ dog: 0, dogma: 0 });
    expect(derive('gardn', true, 1)).toEqual({ garden: 1, gardener: 1, gardens: 1 });
  });

  test('swapped letters are one typo', () => {
    expect(derive('gadren', false, 1)).toMatchObject({ garden: 1, gaden: 1 });
  });

  test('agrees with plain edit distance on many words', () => {
    const letters = 'abc';
    const all: string[] = [];
    for (let at = 0; at < 3 ** 5; at++)
      all.push([...at.toString(3).padStart(5, '0')].map((digit) => letters[+digit]).join(''));
    const big = new Vocabulary();
    for (const word of all) big.intern(word);
    const target = 'abcab';
    const found = new Set(big.derive(target, false, 1).map(({ wordId }) => big.words[wordId]));
    const expected = all.filter((word) => {
      if (word[0] !== target[0]) return false;
      const wrong = [...word].flatMap((letter, at) => (letter === target[at] ? [] : [at]));
      if (wrong.length <= 1) return true;
      const [left, right] = wrong as [number, number];
      return (
        wrong.length === 2 &&
        right === left + 1 &&
        word[left] === target[right] &&
        word[right] === target[left]
      );
    });
    expect([...found].sort()).toEqual(expected.sort());
  });
});
