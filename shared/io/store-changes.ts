// The part of the state store that changes and their moves live in: what was planned, how far each move is, what each
// step did.
import type { ChangeKind, ChangeRequest } from '../core/change-edits.js';
import type { MoveKind, MoveReason, PlannedMove } from '../core/plan.js';
import type { Prediction } from '../core/plan-report.js';

export type { ChangeKind };
/** `retaining`: everything is moved, sources are kept for a rollback, and the next change may begin. */
export type ChangeStatus =
  | 'running'
  | 'paused'
  | 'awaiting-approval'
  | 'needs-attention'
  | 'retaining'
  | 'done'
  | 'rolled-back'
  | 'failed'
  | 'aborted';

/** A change in one of these is not over. */
export const OPEN_CHANGES: ReadonlySet<ChangeStatus> = new Set([
  'running',
  'paused',
  'awaiting-approval',
  'needs-attention',
]);

export interface ChangeRow {
  id: string;
  kind: ChangeKind;
  /** With its edits, those of a saved plan too. */
  input: ChangeRequest;
  runId: string;
  status: ChangeStatus;
  startedAt: string;
  finishedAt: string | null;
  plannedMoves: number;
  /** When its plan was made, or null. */
  plannedAt: string | null;
  /** The fewest documents that any plan would have to copy. */
  plannedDocuments: number;
  predicted: Prediction | null;
}

export type MovePhase =
  | 'planned'
  | 'snapshot'
  | 'copy'
  | 'replay'
  | 'verify'
  | 'flip'
  | 'retain'
  | 'delete'
  | 'rollback-verify'
  | 'rollback-flip'
  | 'rollback-delete'
  | 'rolled-back'
  | 'done'
  | 'failed'
  | 'skipped'
  | 'aborted';

/** A move of a plan; `copyFrom` is the source, or any in-sync replica. */
export interface NewMove extends Omit<PlannedMove, 'kind' | 'reason'> {
  id: string;
  /** `copy` unless said. */
  kind?: MoveKind;
  reason?: MoveReason;
  /** What the plan says that it brings; null or left out where unknown. */
  plannedDocuments?: number | null;
  plannedBytes?: number | null;
}

export interface MoveRow extends PlannedMove {
  id: string;
  changeId: string;
  plannedDocuments: number | null;
  plannedBytes: number | null;
  phase: MovePhase;
  /** How often it has begun from nothing, with a snapshot; later steps that are tried again do not count. */
  attempt: number;
  snapshotPosition: number | null;
  documentsTotal: number;
  documentsCopied: number;
  bytesCopied: number;
  /** Of a move that is not over: what went wrong last. Null once it is done. */
  lastError: string | null;
  flippedEpoch: number | null;
  flippedAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  /** Until when the source is kept after the flip; null before it, and where there is no source. */
  retainUntil: string | null;
  rolledBackEpoch: number | null;
}

export interface MoveStep {
  moveId: string;
  step: string;
  attempt: number;
  at: string;
  durationMs: number;
  detail: Record<string, unknown>;
}

export interface ChangeStore {
  openChange(change: {
    id: string;
    kind: ChangeKind;
    input: Partial<ChangeRequest>;
    runId: string;
  }): Promise<ChangeRow>;
  readChange(id: string): Promise<ChangeRow | null>;
  readLatestChange(): Promise<ChangeRow | null>;
  setChangeStatus(id: string, status: ChangeStatus): Promise<void>;
  /** Once a change: false when the epoch has passed, or when the change has a plan already. */
  planMoves(
    changeId: string,
    epoch: number,
    moves: NewMove[],
    plannedDocuments: number,
    predicted?: Prediction,
  ): Promise<boolean>;
  listMoves(changeId: string): Promise<MoveRow[]>;
  readMove(id: string): Promise<MoveRow | null>;
  /** Claims the target's row for the move and holds the shard: state `copying`. Idempotent for the same move. */
  holdReplica(moveId: string): Promise<MoveRow>;
  /** Refused when the move has begun another attempt meanwhile. */
  saveSnapshot(moveId: string, position: number, ids: string[], attempt?: number): Promise<void>;
  readSnapshotIds(moveId: string, offset: number, limit: number): Promise<string[]>;
  updateMove(
    moveId: string,
    patch: Partial<Pick<MoveRow, 'phase' | 'attempt' | 'lastError' | 'startedAt' | 'finishedAt'>>,
  ): Promise<MoveRow>;
  markVerified(moveId: string): Promise<void>;
  /**
   * Target in-sync, source retained, in one new epoch; a drop only retains its source. Answers the epoch; the same
   * again when it was done before.
   */
  flipMove(
    moveId: string,
    retentionMs?: number,
  ): Promise<{ flipped: boolean; epoch: number; reason: string | null }>;
  /**
   * Commits `deleting` for the source after the flip (or for the target when a move is given up before it). False while
   * a proxy may read it, or while a drop would leave fewer in-sync replicas than the replication factor. `isPlaceWanted`:
   * another move brings the shard to this node anew. Then false while no in-sync replica elsewhere is well.
   */
  beginDelete(moveId: string, side: 'source' | 'target', isPlaceWanted?: boolean): Promise<boolean>;
  finishDelete(moveId: string, side: 'source' | 'target'): Promise<void>;
  /** Rows that dead runs left behind before their flip; what is retained ends by itself. */
  adoptLeftovers(changeId: string): Promise<MoveRow[]>;
  recordStep(step: MoveStep): Promise<void>;
  listSteps(moveId: string): Promise<MoveStep[]>;
}
