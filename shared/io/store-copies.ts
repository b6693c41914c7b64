// The port's part about copies of moves: how far one is, when it is over, why it must begin again.

/** What the stream and the steps after a copy must know of it. */
export interface CopyState {
  attempt: number;
  /**
   * The journal's head when the last document had been read, or null before. A copy is of no one moment up to there:
   * only a replay past it makes the shard what it was at some number.
   */
  endSeq: number | null;
  /** Why the copy must begin again: its source is not what it was. Null while it is good. */
  spoiled: string | null;
}

export interface CopyStore {
  /** Null when there is no such move. */
  readCopy(moveId: string): Promise<CopyState | null>;
  /** Counts what has arrived of an attempt's copy. An older attempt that wakes late changes nothing. */
  recordCopied(moveId: string, attempt: number, documents: number, bytes: number): Promise<void>;
  /** The last document has been read: keeps the journal's head of the first call. Refused for another attempt. */
  endCopy(moveId: string, attempt: number): Promise<void>;
}
