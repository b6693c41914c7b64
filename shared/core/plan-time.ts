// How long a plan's moves will take, from what earlier moves took. Without any the time is unknown, and said to be so.

/** A copy that is over: from its begin to its flip. */
export interface MoveSample {
  incarnation: number;
  documents: number;
  bytes: number;
  durationMs: number;
}

export interface MoveTime {
  /** Of each move, however small. */
  baseMs: number;
  msPerDocument: number;
}

/** The line through the samples with the smallest squares, never falling and never below nothing; null without any. */
export function fitMoveTime(samples: readonly MoveSample[]): MoveTime | null {
  if (samples.length === 0) return null;
  const mean = (read: (sample: MoveSample) => number) =>
    samples.reduce((sum, sample) => sum + read(sample), 0) / samples.length;
  const documents = mean((sample) => sample.documents);
  const duration = mean((sample) => sample.durationMs);
  const spread = mean((sample) => (sample.documents - documents) ** 2);
  const shared = mean((sample) => (sample.documents - documents) * (sample.durationMs - duration));
  const slope = spread === 0 ? 0 : Math.max(0, shared / spread);
  const baseMs = duration - slope * documents;
  if (baseMs >= 0) return { baseMs, msPerDocument: slope };
  return { baseMs: 0, msPerDocument: documents === 0 ? 0 : duration / documents };
}

export interface TimeInput {
  /** Documents of each move in the order of the plan. */
  documents: readonly number[];
  time: MoveTime;
  /** Moves at the same time. */
  concurrency: number;
  /** A limit on all copies together, or null. */
  documentsPerSecond: number | null;
}

/** Until the last move has flipped: each begins as soon as one of `concurrency` places is free. */
export function estimateDurationMs({ documents, time, concurrency, documentsPerSecond }: TimeInput): number {
  const freeAtMs = new Array<number>(Math.max(1, concurrency)).fill(0);
  for (const count of documents) {
    const place = freeAtMs.indexOf(Math.min(...freeAtMs));
    freeAtMs[place]! += time.baseMs + count * time.msPerDocument;
  }
  const all = documents.reduce((sum, count) => sum + count, 0);
  const limitedMs = documentsPerSecond === null ? 0 : (all / documentsPerSecond) * 1_000;
  return Math.round(Math.max(limitedMs, ...freeAtMs));
}
