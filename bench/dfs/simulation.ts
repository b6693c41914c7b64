// The formula alone, over ten badly skewed shards: what order do a query's hits get from each shard's own statistics,
// and from statistics that were gathered first? The reference is the same formula over the whole corpus.
import {
  addStatistics,
  bm25,
  type CorpusStatistics,
  RESCORED_HITS,
  rankByScore,
  type TermCounts,
} from '../../shared/core/bm25.js';
import { kendallTau } from '../exactness/comparison.js';
import type { BenchCorpus } from './corpus.js';

/** Shares of ten shards, in percent: one has half of everything, the last hardly anything. */
export const SHARES = [50, 20, 10, 7, 5, 3, 2, 1.5, 1, 0.5] as const;

/** How documents come to shards: at random, as Miroir places them, or in their order, so that topics stay together. */
export type Placement = 'hashed' | 'by topic';

/** The shard of each document. */
export function placeDocuments(count: number, placement: Placement): number[] {
  const ends = SHARES.map((_, at) => SHARES.slice(0, at + 1).reduce((sum, share) => sum + share, 0) / 100);
  return Array.from({ length: count }, (_, id) => {
    const at = placement === 'hashed' ? (Math.imul(id + 1, 2_654_435_761) >>> 0) / 2 ** 32 : id / count;
    const shard = ends.findIndex((end) => at < end);
    return shard < 0 ? SHARES.length - 1 : shard;
  });
}

export interface TauTally {
  name: string;
  sum: number;
  queries: number;
  below: number;
}

export interface SimulationResult {
  placement: Placement;
  queries: number;
  tallies: TauTally[];
  /** Adding statistics up and rescoring, microseconds a query. */
  /** Elapsed, which other work on the machine lengthens, and the mean of the processor time. */
  coordinatorMicros: { mean: number; p50: number; p95: number; cpu: number };
}

export const METHODS = ['local statistics', 'scores scaled to the best of each shard', 'DFS'] as const;

/** Orders the first hits of each query by each method and compares with the reference. */
export function simulate(
  corpus: BenchCorpus,
  queries: readonly (readonly string[])[],
  placement: Placement,
): SimulationResult {
  const shardOf = placeDocuments(corpus.documents.length, placement);
  const sizes = SHARES.map(() => ({ documents: 0, words: 0 }));
  for (const [id, words] of corpus.words.entries()) {
    const size = sizes[shardOf[id]!]!;
    size.documents++;
    size.words += words.length;
  }
  const known = new Map<string, number[]>();
  const byShard = (word: string): number[] => {
    let counts = known.get(word);
    if (counts === undefined) {
      counts = SHARES.map(() => 0);
      for (const id of corpus.postings.get(word)!) counts[shardOf[id]!]!++;
      known.set(word, counts);
    }
    return counts;
  };
  const tallies = METHODS.map((name) => ({ name, sum: 0, queries: 0, below: 0 }));
  const micros: number[] = [];
  let cpuMicros = 0;
  let counted = 0;
  for (const query of queries) {
    const hits = firstHits(corpus, query);
    if (hits.length < 2) continue;
    counted++;
    const shards = sizes.map(({ documents, words }, shard) => ({
      documents,
      documentFrequencies: query.map((word) => byShard(word)[shard]!),
      averageLength: documents === 0 ? 0 : words / documents,
    }));
    const counts = hits.map((id) => countTerms(corpus.words[id]!, query));
    const order = (scores: readonly number[]): string[] => rankByScore(scores).map((at) => String(hits[at]));
    const reference = order(counts.map((count) => bm25(count, wholeCorpus(corpus, query))));
    const local = counts.map((count, at) => bm25(count, shards[shardOf[hits[at]!]!]!));
    const best = SHARES.map((_, shard) =>
      Math.max(...local.filter((_score, at) => shardOf[hits[at]!] === shard), Number.MIN_VALUE),
    );
    const scaled = local.map((score, at) => score / best[shardOf[hits[at]!]!]!);
    const cpuBefore = process.cpuUsage();
    const startedMs = performance.now();
    const whole = addStatistics(shards);
    const dfs = rankByScore(counts.map((count) => bm25(count, whole)));
    micros.push(1_000 * (performance.now() - startedMs));
    const used = process.cpuUsage(cpuBefore);
    cpuMicros += used.user + used.system;
    const orders = [order(local), order(scaled), dfs.map((at) => String(hits[at]))];
    for (const [at, given] of orders.entries()) {
      const tau = kendallTau(given, reference) ?? 1;
      const tally = tallies[at]!;
      tally.queries++;
      tally.sum += tau;
      if (tau < 1) tally.below++;
    }
  }
  return {
    placement,
    queries: counted,
    tallies,
    coordinatorMicros: { ...describe(micros), cpu: cpuMicros / micros.length },
  };
}

function describe(samples: readonly number[]): Omit<SimulationResult['coordinatorMicros'], 'cpu'> {
  const sorted = [...samples].sort((left, right) => left - right);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return {
    mean: samples.reduce((sum, sample) => sum + sample, 0) / samples.length,
    p50: at(0.5),
    p95: at(0.95),
  };
}

/** One node's statistics of everything, counted directly and not from parts. */
const lengths = new WeakMap<BenchCorpus, number>();

function wholeCorpus(corpus: BenchCorpus, query: readonly string[]): CorpusStatistics {
  let words = lengths.get(corpus);
  if (words === undefined) {
    words = corpus.words.reduce((sum, own) => sum + own.length, 0);
    lengths.set(corpus, words);
  }
  return {
    documents: corpus.documents.length,
    documentFrequencies: query.map((word) => corpus.postings.get(word)!.length),
    averageLength: words / corpus.documents.length,
  };
}

/** What a search gives before it is rescored: most words first, then by id. The same for one node and for shards. */
function firstHits({ documents, postings }: BenchCorpus, query: readonly string[]): number[] {
  const matched = new Uint8Array(documents.length);
  for (const word of query) for (const id of postings.get(word) ?? []) matched[id]!++;
  const hits: number[] = [];
  for (let count = query.length; count > 0; count--) {
    for (let id = 0; id < matched.length && hits.length < RESCORED_HITS; id++) {
      if (matched[id] === count) hits.push(id);
    }
  }
  return hits;
}

function countTerms(words: readonly string[], query: readonly string[]): TermCounts {
  return {
    occurrences: query.map((term) => words.filter((word) => word === term).length),
    length: words.length,
  };
}
