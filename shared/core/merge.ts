// Merges the sorted hits of several nodes into the order that one node holding every document would give.

import type { Answer } from './answer.js';
import { type Point, readGeo } from './geo.js';
import { compareRawIds, detailsText, fieldText } from './hits.js';
import { compareKeys, compareParts, type GeoPart, type MergeKey, mergeKey } from './merge-keys.js';

/** A hit of one of the answers. */
export interface PlacedHit {
  /** Which answer. */
  readonly source: number;
  /** Where it begins and ends in that answer's text. */
  readonly start: number;
  readonly end: number;
  /** Where its details end, if that is known. */
  readonly detailsEnd?: number;
}

export interface MergeOptions {
  /** How many hits are wanted from the top. */
  readonly required: number;
  /** Key text of the primary key, to split ids that Meilisearch folds together. */
  readonly primaryKey: string | null;
  /** True when the query sorts by distance. */
  readonly byDistance: boolean;
  /** How many hits each node was asked for: more than required, or ties at the cut cannot be told. */
  readonly asked: readonly number[];
  /** Says whether a hit may be taken; for distinct. Called in final order. */
  readonly admit?: (hit: PlacedHit, text: string) => boolean;
}

export interface Merged {
  readonly hits: PlacedHit[];
  /** Hits that admit refused. */
  readonly refused: number;
  /** What the last hit taken compares by. */
  readonly last: MergeKey | null;
  /** Answers whose next, unseen hits may belong among the ones taken: they must be asked for more. */
  readonly short: number[];
}

interface Candidate extends PlacedHit {
  readonly key: MergeKey;
}

/** Merges answers. Every hit must carry its ranking score details. */
export function mergeHits(answers: readonly Answer[], options: MergeOptions): Merged {
  const order = options.byDistance ? distanceOrder(answers, options) : mergedOrder(answers, options);
  const hits: PlacedHit[] = [];
  let refused = 0;
  let last: Candidate | null = null;
  while (hits.length < options.required) {
    const next = order();
    if (next === null) break;
    if (options.admit && !options.admit(next, answers[next.source]!.text)) {
      refused++;
      continue;
    }
    hits.push(next);
    last = next;
  }
  const short = shortAnswers(answers, options, last, hits.length);
  return { hits, refused, last: last?.key ?? null, short };
}

/** The answers whose unseen hits may rank before the last hit taken, or tie with it. */
function shortAnswers(
  answers: readonly Answer[],
  options: MergeOptions,
  last: Candidate | null,
  taken: number,
): number[] {
  if (options.required === 0) return [];
  return answers.flatMap((answer, source) => {
    const count = answer.hits.length / 2;
    if (count === 0 || count < (options.asked[source] ?? 0)) return [];
    if (last === null || taken < options.required) return [source];
    const cut = candidateAt(answer, source, count - 1, options.byDistance);
    return compareKeys(cut.key, last.key) <= 0 ? [source] : [];
  });
}

/** The hits of an answer that rank before `last`, and whether there may be more of them that were not fetched. */
export function hitsBefore(
  answer: Answer,
  last: MergeKey,
  asked: number,
  byDistance: boolean,
): { readonly hits: readonly PlacedHit[]; readonly isCut: boolean } {
  const count = answer.hits.length / 2;
  const all = Array.from({ length: count }, (_, index) => candidateAt(answer, 0, index, byDistance));
  const hits = all.filter(({ key }) => compareKeys(key, last) < 0);
  return { hits, isCut: count >= asked && hits.length === count };
}

/** A hit with its key. */
function candidateAt(answer: Answer, source: number, index: number, byDistance: boolean): Candidate {
  const start = answer.hits[2 * index]!;
  const end = answer.hits[2 * index + 1]!;
  const detailsEnd = answer.details[index] ? end - 1 : -1;
  return { source, start, end, detailsEnd, key: keyAt(answer, index, start, end, byDistance) };
}

function keyAt(answer: Answer, index: number, start: number, end: number, byDistance: boolean): MergeKey {
  const cut = answer.details[index];
  if (cut?.head && !byDistance) return cut.head.keyOf(answer.text, cut);
  const details = detailsText(answer.text, start, end);
  return details === null ? [] : mergeKey(details, () => (byDistance ? pointOf(answer.text, start) : null));
}

function pointOf(text: string, start: number): Point | null {
  const geo = fieldText(text, start, '_geo');
  return geo === null ? null : readGeo(JSON.parse(geo));
}

function compareTied(
  answers: readonly Answer[],
  primaryKey: string | null,
  left: PlacedHit,
  right: PlacedHit,
): number {
  if (primaryKey === null) return left.source - right.source;
  const leftId = fieldText(answers[left.source]!.text, left.start, primaryKey);
  const rightId = fieldText(answers[right.source]!.text, right.start, primaryKey);
  if (leftId === null || rightId === null) return left.source - right.source;
  return compareRawIds(leftId, rightId) || left.source - right.source;
}

/** One hit after the other, parsing only those that compete. */
function mergedOrder(answers: readonly Answer[], options: MergeOptions): () => Candidate | null {
  const tied = (left: Candidate, right: Candidate): number =>
    compareTied(answers, options.primaryKey, left, right);
  const cursors = answers.map((answer, source) => new Cursor(answer, source, tied));
  return () => {
    let best: Cursor | null = null;
    for (const cursor of cursors) {
      if (cursor.head === null) continue;
      if (best === null || compareHeads(cursor.head, best.head!, tied) < 0) best = cursor;
    }
    return best === null ? null : best.take();
  };
}

function compareHeads(
  left: Candidate,
  right: Candidate,
  tied: (left: Candidate, right: Candidate) => number,
): number {
  return compareKeys(left.key, right.key) || tied(left, right);
}

/** Walks one answer; hits with equal keys are put into the order of their raw ids. */
class Cursor {
  head: Candidate | null = null;
  private index = 0;
  private group: Candidate[] = [];
  private ahead: Candidate | null = null;

  constructor(
    private readonly answer: Answer,
    private readonly source: number,
    private readonly tied: (left: Candidate, right: Candidate) => number,
  ) {
    this.ahead = this.read();
    this.advance();
  }

  take(): Candidate {
    const taken = this.head!;
    this.advance();
    return taken;
  }

  private advance(): void {
    if (this.group.length === 0) this.readGroup();
    this.head = this.group.shift() ?? null;
  }

  private readGroup(): void {
    if (this.ahead === null) return;
    this.group = [this.ahead];
    for (;;) {
      this.ahead = this.read();
      if (this.ahead === null || compareKeys(this.ahead.key, this.group[0]!.key) !== 0) break;
      this.group.push(this.ahead);
    }
    if (this.group.length > 1) this.group.sort(this.tied);
  }

  private read(): Candidate | null {
    if (2 * this.index >= this.answer.hits.length) return null;
    return candidateAt(this.answer, this.source, this.index++, false);
  }
}

/** Documents whose distances differ by no more are equal for Meilisearch, counted from the first of the group. */
const BUCKET_METRES = 1;

/** All hits, ordered with distances in buckets: a bucket depends on its neighbours, so nothing can be lazy here. */
function distanceOrder(answers: readonly Answer[], options: MergeOptions): () => Candidate | null {
  const all: Candidate[] = [];
  answers.forEach((answer, source) => {
    for (let i = 0; 2 * i < answer.hits.length; i++) all.push(candidateAt(answer, source, i, true));
  });
  const at = all[0]?.key.findIndex((part) => typeof part !== 'number' && part.kind === 'geo') ?? -1;
  const tied = (left: Candidate, right: Candidate): number =>
    compareTied(answers, options.primaryKey, left, right);
  all.sort((left, right) => compareKeys(left.key, right.key) || tied(left, right));
  const ordered = at < 0 ? all : sortBuckets(all, at, tied);
  let next = 0;
  return () => ordered[next++] ?? null;
}

function sortBuckets(
  sorted: readonly Candidate[],
  at: number,
  tied: (left: Candidate, right: Candidate) => number,
): Candidate[] {
  const out: Candidate[] = [];
  for (let from = 0; from < sorted.length; ) {
    const anchor = sorted[from]!;
    let to = from + 1;
    while (to < sorted.length && inBucket(anchor.key, sorted[to]!.key, at)) to++;
    const bucket = sorted.slice(from, to);
    bucket.sort((left, right) => compareKeys(left.key, right.key, at + 1) || tied(left, right));
    out.push(...bucket);
    from = to;
  }
  return out;
}

function inBucket(anchor: MergeKey, key: MergeKey, at: number): boolean {
  for (let i = 0; i < at; i++) if (compareParts(anchor[i], key[i]) !== 0) return false;
  const first = (anchor[at] as GeoPart).metres;
  const other = (key[at] as GeoPart).metres;
  if (first === null || other === null) return first === other;
  return Math.abs(first - other) <= BUCKET_METRES;
}
