// What a change of the topology may set for itself instead of the worker's configuration.

export interface ChangeOptions {
  /** How long a moved shard's source is kept; 0 deletes it at once. */
  retentionMs?: number;
  /** Moves at the same time. */
  concurrency?: number;
  copyChunkDocuments?: number;
  /** For each move. */
  copyDocumentsPerSecond?: number;
  /** How long one step of a move may fail and be tried again before it needs attention. */
  stepDeadlineMs?: number;
}
