// Which documents match a query, and where. Depends on the query and each document alone.
import type { Bitmap } from './filter-evaluation.js';
import { type IndexData, POSITIONS } from './index-data.js';
import { type Query, type Term, typoBudget } from './query.js';

export interface Occurrence {
  field: number;
  position: number;
  typoCount: number;
  /** The word itself, neither a derivation nor a longer word. */
  exact: boolean;
}

/** Terms that are still required after the last ones were dropped. */
export interface Stage {
  mask: number;
  terms: number[];
  words: number;
}

export interface MatchOptions {
  strategy: 'last' | 'all' | 'frequency';
  /** attributesToSearchOn, null for all. */
  attributes: string[] | null;
}

export class Matching {
  /** Candidates, ascending. */
  readonly documents: number[] = [];
  readonly stages: Stage[];
  private readonly stageOf: Uint8Array;
  private readonly roles = new Map<number, { term: number; typoCount: number; exact: boolean }[]>();
  private readonly cache = new Map<number, Occurrence[][]>();
  private readonly fieldAllowed: boolean[];
  private readonly fieldExact: boolean[];

  constructor(
    readonly index: IndexData,
    readonly query: Query,
    universe: Bitmap,
    options: MatchOptions,
  ) {
    const exempt = index.settings.typoTolerance.disableOnAttributes;
    this.fieldAllowed = index.fieldNames.map(
      (name) =>
        index.weightOf(name) >= 0 &&
        (!options.attributes || options.attributes.some((wanted) => wanted === '*' || covers(wanted, name))),
    );
    this.fieldExact = index.fieldNames.map((name) => exempt.some((attribute) => covers(attribute, name)));
    this.stages = buildStages(query.terms, options.strategy);
    this.stageOf = new Uint8Array(index.documents.length);
    const masks = this.postingMasks(universe);
    const recheck =
      options.attributes !== null || exempt.length > 0 || query.terms.some((term) => term.phrase);
    const excluded = this.excluded();
    for (let document = 0; document < masks.length; document++) {
      if (!universe[document] || excluded.has(document)) continue;
      let mask = masks[document]!;
      if (query.terms.length > 0 && mask === 0) continue;
      if (recheck && query.terms.length > 0) mask = this.exactMask(document);
      const stage = this.stages.findIndex((stage) => (mask & stage.mask) === stage.mask);
      if (stage < 0) continue;
      this.stageOf[document] = stage;
      this.documents.push(document);
    }
  }

  stage(document: number): Stage {
    return this.stages[this.stageOf[document]!]!;
  }

  /** Where each term of the query occurs in a document. */
  occurrences(document: number): Occurrence[][] {
    const cached = this.cache.get(document);
    if (cached) return cached;
    const tokens = this.index.tokens[document]!;
    const found: Occurrence[][] = this.query.terms.map(() => []);
    for (let at = 0; at < tokens.length; at += 2) {
      const roles = this.roles.get(tokens[at]!);
      if (!roles) continue;
      const field = Math.floor(tokens[at + 1]! / POSITIONS);
      if (!this.fieldAllowed[field]) continue;
      for (const { term, typoCount, exact } of roles) {
        if (typoCount > 0 && this.fieldExact[field]) continue;
        const { phrase, words } = this.query.terms[term]!;
        if (phrase && !this.phraseAt(tokens, at, words)) continue;
        found[term]!.push({ field, position: tokens[at + 1]! % POSITIONS, typoCount, exact });
      }
    }
    this.cache.set(document, found);
    return found;
  }

  /** The words of the index that each term stands for, for highlighting. */
  termsOfWord(word: string): { term: number; typoCount: number }[] {
    const id = this.index.vocabulary.idOf(word);
    return id === undefined ? [] : (this.roles.get(id) ?? []);
  }

  private postingMasks(universe: Bitmap): Uint32Array {
    const masks = new Uint32Array(universe.length);
    for (const [at, term] of this.query.terms.entries()) {
      const first = term.words[0]!.text;
      for (const { wordId, typoCount } of this.derive(term)) {
        const exact = this.index.vocabulary.words[wordId] === first;
        const roles = this.roles.get(wordId);
        if (roles) roles.push({ term: at, typoCount, exact });
        else this.roles.set(wordId, [{ term: at, typoCount, exact }]);
        for (const document of this.index.postings[wordId]!) masks[document]! |= 1 << at;
      }
    }
    return masks;
  }

  private derive(term: Term): { wordId: number; typoCount: number }[] {
    const { vocabulary, settings } = this.index;
    const first = term.words[0]!.text;
    if (term.phrase) {
      const wordId = vocabulary.idOf(first);
      return wordId === undefined ? [] : [{ wordId, typoCount: 0 }];
    }
    const derived = vocabulary.derive(first, term.prefix, typoBudget(this.index, first));
    for (const synonym of settings.synonyms[first] ?? []) {
      const wordId = vocabulary.idOf(synonym.toLowerCase());
      if (wordId !== undefined && !derived.some((known) => known.wordId === wordId)) {
        derived.push({ wordId, typoCount: 0 });
      }
    }
    return derived;
  }

  private phraseAt(tokens: Int32Array, start: number, words: Term['words']): boolean {
    const origin = tokens[start + 1]!;
    return words.every(({ text, offset }) => {
      const wordId = this.index.vocabulary.idOf(text);
      for (let at = start; at < tokens.length && tokens[at + 1]! <= origin + offset; at += 2) {
        if (tokens[at] === wordId && tokens[at + 1] === origin + offset) return true;
      }
      return false;
    });
  }

  private exactMask(document: number): number {
    let mask = 0;
    for (const [term, found] of this.occurrences(document).entries()) if (found.length > 0) mask |= 1 << term;
    return mask >>> 0;
  }

  private excluded(): Set<number> {
    const excluded = new Set<number>();
    for (const term of this.query.negated) {
      const wordId = this.index.vocabulary.idOf(term.words[0]!.text);
      for (const document of wordId === undefined ? [] : this.index.postings[wordId]!) {
        const tokens = this.index.tokens[document];
        for (let at = 0; tokens && at < tokens.length; at += 2) {
          if (tokens[at] === wordId && this.phraseAt(tokens, at, term.words)) excluded.add(document);
        }
      }
    }
    return excluded;
  }
}

function covers(wanted: string, name: string): boolean {
  return name === wanted || name.startsWith(`${wanted}.`);
}

/** Stage 0 requires every term; with `last` each further one drops one more word from the end, never a phrase. */
function buildStages(terms: Term[], strategy: MatchOptions['strategy']): Stage[] {
  let required = terms.map((_, at) => at);
  const stages: Stage[] = [];
  const push = () =>
    stages.push({
      mask: required.reduce((mask, term) => mask | (1 << term), 0) >>> 0,
      terms: required,
      words: required.reduce((sum, term) => sum + terms[term]!.words.length, 0),
    });
  push();
  if (strategy === 'all') return stages;
  for (let at = terms.length - 1; at >= 0 && required.length > 1; at--) {
    if (terms[at]!.phrase) continue;
    required = required.filter((term) => term !== at);
    push();
  }
  return stages;
}
