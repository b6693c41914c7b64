// What topologyChange takes, says and listens to. Types only: validation is an activity, for the plain Temporal CLI
// starts workflows too.
import type { ChangeControl } from '../shared/core/change-control.js';
import type { ChangeEdits, ChangeKind, ChangeRequest, NewNode } from '../shared/core/change-edits.js';
import type { ChangeOptions } from '../shared/core/change-options.js';
import type { NodeId } from '../shared/core/topology.js';

export type ChangeNode = NewNode;

export interface ChangeInput extends ChangeRequest {
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
  /** Moves whose nodes were busy when their turn came. */
  passed: string[];
  outcomes: MoveCounts;
  failed: FailedMove[];
  control: ChangeControl;
  approved: boolean;
  /** Moves that are to be taken back, or were, by decision about a change that goes on. */
  backward: string[];
}

export interface FailedMove {
  moveId: string;
  error: string;
}

export interface MoveCounts {
  done: number;
  skipped: number;
  rolledBack: number;
}

/** What validateChange made of the input: everything is there. */
export interface ValidatedChange {
  changeId: string;
  kind: ChangeKind;
  edits: ChangeEdits;
  /** The saved plan that is run as it is, or null. */
  planId: string | null;
  /** Those that come, and those that give up everything they hold. */
  added: ChangeNode[];
  removed: NodeId[];
  /** What a rollback takes back; null for every other kind. */
  rollback: { changeId: string; moveId: string | null } | null;
  /** Whether the server knows Miroir's search attributes. */
  searchable: boolean;
  options: Required<Pick<ChangeOptions, 'retentionMs' | 'concurrency' | 'stepDeadlineMs' | 'approve'>> & {
    nodeConcurrency: number | null;
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
  | 'paused'
  | 'awaiting-approval'
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
    rolledBack: number;
    running: number;
    failed: number;
  };
  control: ChangeControl;
  /** False while the first flip waits for an operator. */
  approved: boolean;
  running: { moveId: string; phase: string }[];
  failed: FailedMove[];
}

/** What a move has to wait for before it flips. */
export interface Gate {
  paused: boolean;
  approved: boolean;
}

/** A move that the change may start, and the nodes that it reads from and writes to. */
export interface MoveToStart {
  moveId: string;
  nodes: NodeId[];
}

export interface MoveInput {
  moveId: string;
  retentionMs: number;
  stepDeadlineMs: number;
  copyChunkDocuments: number | null;
  gate: Gate;
}

export interface MoveResult {
  outcome: 'done' | 'skipped' | 'rolled-back';
  documents: number;
}

/**
 * The id of a move: derived, so that the workflow needs no list of them. The end of a run id is its random part; its
 * beginning is a time that two changes may share.
 */
export function moveIdOf(changeId: string, ordinal: number): string {
  return `${changeId.slice(-12)}-${ordinal}`;
}
