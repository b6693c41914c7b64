// What a class of queries is, and the drawing of its queries: a class, a seed and a number always give the same one.
import { Dice } from '../record-worlds.js';
import type { Vocabulary, World } from './worlds.js';

/** One request that both sides get. */
export interface Ask {
  method: 'GET' | 'POST';
  path: string;
  body?: Record<string, unknown>;
}

export interface QueryClass {
  readonly name: string;
  readonly world: string;
  /** Null: hits must be identical. Else why they need not be. */
  readonly notExact: string | null;
  /** What else than hits may differ, and why; null when nothing should. */
  readonly otherCause: string | null;
  /** Null: the embedded engine has it. Else what the engine lacks. */
  readonly notInEngine: string | null;
  /** The answer must be an error. */
  readonly refused: boolean;
  make(draw: Draw): Ask;
}

/** Nodes keep lists of documents for prefixes of up to so many letters. */
export const SHORT_PREFIX = 4;

/** What a query is drawn with. Words have five letters or more, so that as a last word they are no short prefix. */
export class Draw {
  private readonly words: Vocabulary;

  constructor(
    readonly world: World,
    readonly dice: Dice,
    /** The number of the query in its class. */
    readonly at: number,
  ) {
    this.words = world.vocabulary;
  }

  search(body: Record<string, unknown>): Ask {
    return { method: 'POST', path: `/indexes/${this.world.name}/search`, body };
  }

  pick<T>(items: readonly T[]): T {
    return this.dice.pick(items);
  }

  /** In turn, so that every variant of a class comes up. */
  turn<T>(items: readonly T[]): T {
    return items[this.at % items.length]!;
  }

  common(): string {
    return this.dice.pick(this.words.common);
  }

  rare(): string {
    return this.dice.pick(this.words.rare);
  }

  any(): string {
    return this.dice.pick(this.words.all);
  }

  /** So many words that stand beside each other in some document; the last is no short prefix. */
  neighbours(count: number): string {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      const line = this.dice.pick(this.words.lines);
      if (line.length < count) continue;
      const at = this.dice.below(line.length - count + 1);
      if (line[at + count - 1]!.length > SHORT_PREFIX) return line.slice(at, at + count).join(' ');
    }
    return this.any();
  }

  /**
   * What a document begins with, and a rare word that another word of the same document begins with: only nodes that
   * have the rare word itself can tell that the document does not have it.
   */
  beginningAndRare(): string {
    const rare = new Set(this.words.rare);
    for (let attempt = 0; attempt < 5_000; attempt += 1) {
      const line = this.dice.pick(this.words.lines);
      const count = 1 + this.dice.below(2);
      for (const word of line.slice(count)) {
        for (let length = SHORT_PREFIX + 1; length < word.length; length += 1) {
          const start = word.slice(0, length);
          if (rare.has(start)) return [...line.slice(0, count), start].join(' ');
        }
      }
    }
    return `${this.any()} ${this.rare()}`;
  }

  /** A word that is long enough for Meilisearch to forgive a mistake, with one. */
  mistyped(shortest = 6): string {
    let word = this.any();
    for (let attempt = 0; attempt < 200 && word.length < shortest; attempt += 1) word = this.any();
    return mistype(word, this.dice);
  }

  /** A value of a field of some document that has one. */
  value(field: string): unknown {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      const value = this.dice.pick(this.world.documents)[field];
      if (value !== undefined && value !== null) return value;
    }
    return '';
  }
}

/** Replaces, leaves out or adds one letter inside of a word. */
export function mistype(word: string, dice: Dice): string {
  if (word.length < 3) return word;
  const at = 1 + dice.below(word.length - 2);
  const letter = 'abcdefghijklmnopqrstuvwxyz'[dice.below(26)]!;
  return dice.pick([
    word.slice(0, at) + letter + word.slice(at + 1),
    word.slice(0, at) + word.slice(at + 1),
    word.slice(0, at) + letter + word.slice(at),
  ]);
}

/** The query of a class with this number. */
export function drawQuery(kind: QueryClass, world: World, seed: number, at: number): Ask {
  return kind.make(new Draw(world, new Dice(seedOf(`${seed}/${kind.name}/${at}`)), at));
}

/** FNV-1a: spreads neighbouring seeds. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  return hash | 0;
}

/** A class whose queries search its world, as the answers of one node must be. */
export function classOf(
  world: string,
  name: string,
  make: (draw: Draw) => Ask | Record<string, unknown>,
  more: { notExact?: string; otherCause?: string; notInEngine?: string; refused?: boolean } = {},
): QueryClass {
  return {
    name,
    world,
    notExact: more.notExact ?? null,
    otherCause: more.otherCause ?? null,
    notInEngine: more.notInEngine ?? null,
    refused: more.refused ?? false,
    make(draw) {
      const made = make(draw);
      return isAsk(made) ? made : draw.search(made);
    },
  };
}

function isAsk(made: Ask | Record<string, unknown>): made is Ask {
  return typeof made.method === 'string' && typeof made.path === 'string';
}
