// Classes of queries by words, over an index with Meilisearch's default rules.
import { classOf, type Draw, mistype, type QueryClass } from './query-class.js';

const WORDS = 'words';

export const DERIVATIONS =
  'each node derives words from its own ones only, and up to a cap: a node that knows fewer words reaches further';
export const LAST_FIRST = 'the embedded engine drops the last words first';
const SHORT_PREFIX =
  'a node keeps lists for a prefix of up to four letters from 100 words on, and takes 1,000 words of a prefix at most';

const HIGHLIGHT =
  'of a last word that may go on, the highlighted part ends where the first derived word ends: nodes derive other words';

/** With a space behind it, a last word is a whole word. */
const ended = (text: string): string => `${text} `;

/** Part of a word, so long that nodes keep no list for it. */
function longPrefix(draw: Draw): string {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const word = draw.any();
    if (word.length > 6) return word.slice(0, 5 + draw.dice.below(word.length - 5));
  }
  return draw.any();
}

export const WORD_CLASSES: readonly QueryClass[] = [
  classOf(WORDS, 'common word', (draw) => ({ q: draw.common() })),
  classOf(WORDS, 'rare word', (draw) => ({ q: draw.rare() })),
  classOf(WORDS, 'two terms', (draw) => ({ q: `${draw.any()} ${draw.common()}` })),
  classOf(WORDS, 'neighbours', (draw) => ({ q: draw.neighbours(3) })),
  classOf(WORDS, 'long query', (draw) => ({ q: draw.neighbours(5 + draw.dice.below(4)) })),
  classOf(WORDS, 'ten words or more', (draw) => ({ q: draw.neighbours(10 + draw.dice.below(4)) })),
  classOf(WORDS, 'phrase', (draw) => ({ q: `"${draw.neighbours(2 + draw.dice.below(2))}"` })),
  classOf(WORDS, 'phrase and word', (draw) => ({ q: `"${draw.neighbours(2)}" ${draw.common()}` })),
  classOf(WORDS, 'negative', (draw) => ({
    q: draw.turn([
      `${draw.common()} -${draw.common()}`,
      `${draw.common()} -"${draw.neighbours(2)}"`,
      `-${draw.common()}`,
    ]),
  })),
  classOf(WORDS, 'typo', (draw) => ({ q: draw.mistyped() }), { notExact: DERIVATIONS }),
  classOf(WORDS, 'typo and word', (draw) => ({ q: `${draw.mistyped()} ${draw.common()}` }), {
    notExact: DERIVATIONS,
  }),
  classOf(WORDS, 'prefix', (draw) => ({ q: longPrefix(draw) })),
  classOf(WORDS, 'word and prefix', (draw) => ({ q: `${draw.common()} ${longPrefix(draw)}` })),
  classOf(
    WORDS,
    'short prefix',
    (draw) => {
      const prefix = draw.any().slice(0, 1 + (draw.at % 4));
      return { q: draw.at % 8 < 4 ? prefix : `${draw.common()} ${prefix}` };
    },
    {
      notExact: SHORT_PREFIX,
    },
  ),
  classOf(WORDS, 'strategy last', (draw) => ({
    q: `${draw.common()} ${draw.any()} ${draw.common()}`,
    matchingStrategy: 'last',
  })),
  classOf(WORDS, 'strategy all', (draw) => ({
    q: draw.turn([draw.neighbours(2), `${draw.common()} ${draw.common()}`]),
    matchingStrategy: 'all',
  })),
  classOf(
    WORDS,
    'strategy frequency',
    (draw) => ({ q: `${draw.common()} ${draw.any()} ${draw.common()}`, matchingStrategy: 'frequency' }),
    { notInEngine: LAST_FIRST },
  ),
  classOf(
    WORDS,
    'frequency and threshold',
    (draw) => ({
      q: `${draw.common()} ${draw.any()} ${draw.common()}`,
      matchingStrategy: 'frequency',
      rankingScoreThreshold: draw.turn([0.2, 0.4, 0.7]),
    }),
    { notInEngine: LAST_FIRST },
  ),
  classOf(WORDS, 'last word on some nodes', (draw) => ({
    q: draw.beginningAndRare(),
    showRankingScore: draw.at % 2 === 0,
  })),
  classOf(WORDS, 'searched attributes', (draw) => ({
    q: draw.common(),
    attributesToSearchOn: draw.turn([['word'], ['gloss'], ['word', 'synonyms']]),
  })),
  classOf(WORDS, 'filtered', (draw) => ({
    q: draw.turn([draw.common(), '', draw.neighbours(2)]),
    filter: draw.pick([
      'kind = verb',
      ['relations > 3', ['size < 5', 'size > 30']],
      'rank EXISTS AND size 3 TO 9',
      `first IN [com, con, dis, "${draw.value('first')}"] OR kind = adverb`,
      'NOT kind = noun',
      'rank IS NULL',
      'tags IS NOT EMPTY OR size = 3',
      `origin.part = noun AND origin.place <= ${draw.dice.below(13)}`,
      `serial >= ${draw.dice.below(1_000)} AND first != "${draw.value('first')}"`,
    ]),
  })),
  classOf(WORDS, 'filtered by primary key', (draw) => ({
    q: draw.turn(['', draw.common()]),
    filter: draw.turn([
      `id = ${draw.value('id')}`,
      `id IN [${draw.value('id')}, ${draw.value('id')}, nobody, ${draw.value('id')}]`,
      `id IN [${draw.value('id')}, ${draw.value('id')}] AND size > 10`,
      [[`id = ${draw.value('id')}`, `id = ${draw.value('id')}`]],
      `id != ${draw.value('id')}`,
    ]),
    facets: draw.turn([undefined, ['kind']]),
  })),
  classOf(WORDS, 'threshold', (draw) => ({
    q: draw.neighbours(2),
    rankingScoreThreshold: draw.turn([0.3, 0.6, 0.9, 0.95]),
  })),
  classOf(WORDS, 'threshold, pages', (draw) => ({
    q: draw.neighbours(2),
    rankingScoreThreshold: draw.turn([0.4, 0.8, 0.9]),
    hitsPerPage: 5,
  })),
  classOf(WORDS, 'deep page', (draw) => ({
    q: draw.common(),
    offset: draw.turn([40, 120, 400, 990, 1_500]) + draw.dice.below(20),
    limit: 10,
  })),
  classOf(WORDS, 'numbered page', (draw) => ({
    q: draw.turn([draw.common(), '']),
    page: draw.dice.below(5),
    hitsPerPage: draw.turn([7, 20, 0, 300]),
  })),
  classOf(WORDS, 'formatted', (draw) => ({
    q: ended(draw.neighbours(2)),
    ...draw.turn([
      { attributesToHighlight: ['*'], attributesToCrop: ['gloss:6'], showMatchesPosition: true },
      { attributesToHighlight: ['gloss'], highlightPreTag: '«', highlightPostTag: '»' },
      { attributesToCrop: ['*'], cropLength: 4, cropMarker: ' [..] ' },
    ]),
    limit: 6,
  })),
  classOf(
    WORDS,
    'formatted, last word open',
    (draw) => ({ q: draw.neighbours(2), attributesToHighlight: ['*'], showMatchesPosition: true, limit: 6 }),
    { notExact: HIGHLIGHT },
  ),
  classOf(WORDS, 'some fields', (draw) => ({
    q: ended(draw.neighbours(2)),
    attributesToRetrieve: draw.turn([['word', 'size'], ['origin.part', 'id'], [], ['*']]),
    attributesToHighlight: ['gloss'],
    limit: 8,
  })),
  classOf(WORDS, 'scores', (draw) => ({
    q: draw.turn([draw.neighbours(2), draw.common(), mistype(draw.common(), draw.dice)]),
    showRankingScore: true,
    showRankingScoreDetails: draw.at % 2 === 0,
    limit: 8,
  })),
  classOf(WORDS, 'raw text', (draw) => ({
    q: draw.turn(['', draw.common()]),
    attributesToRetrieve: ['id', 'raw', 'mark', 'rank', 'note'],
    offset: draw.dice.below(50),
    limit: 12,
  })),
];
