// What a change of the topology may set for itself instead of the worker's configuration.

export interface ChangeOptions {
  /** How long a moved shard's source is kept, and a rollback is possible; 0 deletes it at once. */
  retentionMs?: number;
  /** Moves at the same time. */
  concurrency?: number;
  /** Moves at the same time that read from or write to one node. */
  nodeConcurrency?: number;
  /** Moves copy and are verified, and wait before the first flip until an operator approves. */
  approve?: boolean;
  copyChunkDocuments?: number;
  /** Shared by all copies of the change. */
  copyDocumentsPerSecond?: number;
  /** How long one step of a move may fail and be tried again before it needs attention. */
  stepDeadlineMs?: number;
  /** Do not refuse a change after which replicas lie in fewer zones. */
  allowFewerZones?: boolean;
}
