// All words of an index, sorted, for prefixes and typos. Which words a query word stands for depends on the two words
// alone, never on how often they occur, so that the parts of a sharded index agree.

export interface Derivation {
  wordId: number;
  typoCount: number;
}

const RECENT_LIMIT = 4_000;

export class Vocabulary {
  readonly words: string[] = [];
  private readonly ids = new Map<string, number>();
  private sorted: string[] = [];
  private recent: string[] = [];
  private recentSorted = true;

  idOf(word: string): number | undefined {
    return this.ids.get(word);
  }

  /** The id of a word, given when it is new. */
  intern(word: string): number {
    const known = this.ids.get(word);
    if (known !== undefined) return known;
    const id = this.words.push(word) - 1;
    this.ids.set(word, id);
    this.recent.push(word);
    this.recentSorted = false;
    return id;
  }

  /** Every word that `word` stands for, with its fewest typos. */
  derive(word: string, prefix: boolean, maxTypos: number): Derivation[] {
    const found = new Map<string, number>();
    const emit = (candidate: string, typoCount: number) => {
      if (typoCount < (found.get(candidate) ?? 99)) found.set(candidate, typoCount);
    };
    if (this.ids.has(word)) emit(word, 0);
    for (const segment of this.segments()) {
      if (prefix) {
        for (let at = lowerBound(segment, word); segment[at]?.startsWith(word); at++) emit(segment[at]!, 0);
      }
      if (maxTypos === 0) continue;
      const initial = String.fromCodePoint(word.codePointAt(0)!);
      collectWithin(segment, initial, word, maxTypos, prefix, emit);
      if (maxTypos < 2) continue;
      // A typo in the first letter costs two, so nothing else may differ.
      for (const other of initials(segment)) {
        const rest = word.slice(initial.length);
        for (const variant of [
          other + rest,
          other + word,
          rest.startsWith(other) ? rest : '',
          swapFirst(word),
        ]) {
          if (variant === '' || !variant.startsWith(other) || other === initial) continue;
          const from = lowerBound(segment, variant);
          if (segment[from] === variant) emit(variant, 2);
          if (prefix) for (let at = from; segment[at]?.startsWith(variant); at++) emit(segment[at]!, 2);
        }
      }
    }
    return [...found].map(([found, typoCount]) => ({ wordId: this.ids.get(found)!, typoCount }));
  }

  private segments(): string[][] {
    if (!this.recentSorted) {
      this.recent.sort();
      this.recentSorted = true;
    }
    if (this.recent.length > RECENT_LIMIT || this.sorted.length === 0) {
      this.sorted = [...this.sorted, ...this.recent].sort();
      this.recent = [];
    }
    return this.recent.length > 0 ? [this.sorted, this.recent] : [this.sorted];
  }
}

function swapFirst(word: string): string {
  return word.length < 2 ? '' : word[1]! + word[0]! + word.slice(2);
}

function lowerBound(sorted: string[], target: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < target) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first word that does not begin with the prefix, from `from` on. */
function skipPrefix(sorted: string[], from: number, prefix: string): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.startsWith(prefix) || sorted[middle]! < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}

function initials(sorted: string[]): string[] {
  const letters: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    const letter = String.fromCodePoint(sorted[at]!.codePointAt(0)!);
    letters.push(letter);
    at = skipPrefix(sorted, at, letter);
  }
  return letters;
}

/**
 * Emits the words beginning with `initial` within maxTypos edits of the target (transpositions count one). Neighbours
 * share the rows of their common prefix, and a prefix that is already too far skips all of its words.
 */
function collectWithin(
  sorted: string[],
  initial: string,
  target: string,
  maxTypos: number,
  prefix: boolean,
  emit: (word: string, typoCount: number) => void,
): void {
  const width = target.length + 1;
  const rows: Uint8Array[] = [Uint8Array.from({ length: width }, (_, column) => column)];
  let previous = '';
  for (let at = lowerBound(sorted, initial); sorted[at]?.startsWith(initial); ) {
    const word = sorted[at]!;
    let depth = 0;
    while (depth < previous.length && depth < rows.length - 1 && previous[depth] === word[depth]) depth++;
    rows.length = depth + 1;
    let best = prefix ? Math.min(...rows.map((row) => row[width - 1]!)) : 99;
    let dead = false;
    for (; depth < word.length; depth++) {
      const row = nextRow(rows, word, depth, target);
      rows.push(row);
      if (prefix) best = Math.min(best, row[width - 1]!);
      if (Math.min(...row) > maxTypos && best > maxTypos) {
        dead = true;
        break;
      }
      if (prefix && best === 0) break;
    }
    previous = word;
    if (dead) {
      at = skipPrefix(sorted, at, word.slice(0, rows.length - 1));
      continue;
    }
    const typoCount = prefix ? best : rows[rows.length - 1]![width - 1]!;
    if (typoCount <= maxTypos) emit(word, typoCount);
    at++;
  }
}

function nextRow(rows: Uint8Array[], word: string, depth: number, target: string): Uint8Array {
  const above = rows[depth]!;
  const row = new Uint8Array(above.length);
  row[0] = depth + 1;
  for (let column = 1; column < row.length; column++) {
    const same = word[depth] === target[column - 1];
    let cost = Math.min(above[column]! + 1, row[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
    if (
      depth > 0 &&
      column > 1 &&
      word[depth] === target[column - 2] &&
      word[depth - 1] === target[column - 1]
    ) {
      cost = Math.min(cost, rows[depth - 1]![column - 2]! + 1);
    }
    row[column] = cost;
  }
  return row;
}
