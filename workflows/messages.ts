// What topologyChange takes, says and listens to. Types only: validation is an activity, for the plain Temporal CLI
// starts workflows too.
import type { ChangeOptions } from '../shared/core/change-options.js';
import type { NodeId } from '../shared/core/topology.js';

export interface ChangeNode {
  id: NodeId;
  url: string;
  zone?: string | null;
  weight?: number;
}

export interface ChangeInput {
  kind: 'add' | 'remove' | 'drain' | 'rebalance';
  nodes: ChangeNode[] | NodeId[];
  options?: ChangeOptions;
  /** Only set by continue-as-new. */
  resume?: ChangeResume;
}

/** What a continued run needs of the run before; the plan itself is in the state store. */
export interface ChangeResume {
  change: ValidatedChange;
  plannedMoves: number;
  next: number;
  /** Moves to be tried again, before those that were never started. */
  again: string[];
  outcomes: MoveCounts;
  failed: FailedMove[];
}

export interface FailedMove {
  moveId: string;
  error: string;
}

export interface MoveCounts {
  done: number;
  skipped: number;
}

/** What validateChange made of the input: everything is there. */
export interface ValidatedChange {
  changeId: string;
  kind: ChangeInput['kind'];
  added: ChangeNode[];
  removed: NodeId[];
  /** Whether the server knows Miroir's search attributes. */
  searchable: boolean;
  options: Required<Pick<ChangeOptions, 'retentionMs' | 'concurrency' | 'stepDeadlineMs'>> & {
    copyChunkDocuments: number | null;
    copyDocumentsPerSecond: number | null;
  };
}

export type ChangePhase =
  | 'validating'
  | 'cleaning up'
  | 'adding nodes'
  | 'planning'
  | 'moving'
  | 'needs-attention'
  | 'finishing'
  | 'done'
  | 'failed'
  | 'aborted';

/** The answer of the query `progress`. */
export interface ChangeProgress {
  phase: ChangePhase;
  kind: string;
  moves: {
    planned: number;
    done: number;
    skipped: number;
    running: number;
    /** Flipped; the source is kept for its retention. */
    retaining: number;
    failed: number;
  };
  running: { moveId: string; phase: string }[];
  failed: FailedMove[];
}

export interface MoveInput {
  moveId: string;
  retentionMs: number;
  stepDeadlineMs: number;
  copyChunkDocuments: number | null;
  copyDocumentsPerSecond: number | null;
}

export interface MoveResult {
  outcome: 'done' | 'skipped';
  documents: number;
}

/**
 * The id of a move: derived, so that the workflow needs no list of them. The end of a run id is its random part; its
 * beginning is a time that two changes may share.
 */
export function moveIdOf(changeId: string, ordinal: number): string {
  return `${changeId.slice(-12)}-${ordinal}`;
}
