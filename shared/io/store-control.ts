// The part of the state store that operators act through: control of a running change, sources kept for rollback, the
// way back, and the record of who decided what.
import type { ChangeControl } from '../core/change-control.js';
import type { NodeId } from '../core/topology.js';
import type { ChangeRow, MoveRow } from './store-changes.js';

/** Something that happened to a change; steps of a move are MoveStep. */
export interface ChangeEvent {
  changeId: string;
  at: string;
  /** `pause`, `throttle`, … for decisions; `opened`, `planned`, … for what the change did by itself. */
  event: string;
  moveId: string | null;
  /** Who decided, or null for the change itself. */
  by: string | null;
  detail: Record<string, unknown>;
}

/** What a copy may do now. */
export interface CopyTurn {
  /** Documents that it may copy at once; 0 when it has to ask again after `waitMs`. */
  documents: number;
  waitMs: number;
}

/** Moves of one change, or one move. */
export interface MoveSelection {
  changeId?: string;
  moveId?: string;
}

export interface ControlStore {
  readControl(changeId: string): Promise<ChangeControl | null>;
  /** From here on copies keep to it: waiting ones within half a second. */
  saveControl(changeId: string, control: ChangeControl): Promise<void>;
  /** Takes documents out of the rate that all copies of a change share. */
  takeCopyTurn(changeId: string, documents: number): Promise<CopyTurn>;
  recordEvent(event: Omit<ChangeEvent, 'at'>): Promise<void>;
  listEvents(changeId: string): Promise<ChangeEvent[]>;
  /** The newest first. */
  listChanges(limit: number): Promise<ChangeRow[]>;
  /** Moves of a change in their order, those of a rollback being the ones that it takes back. */
  listMovesFrom(changeId: string, first: number, limit: number): Promise<MoveRow[]>;
  countMoves(changeId: string): Promise<number>;

  /** Moves whose source is retained, or whose target is after a rollback, and due to be deleted. */
  listDueRetentions(limit: number): Promise<MoveRow[]>;
  /** Ends the retention of these moves now; answers of how many. */
  endRetention(which: MoveSelection): Promise<number>;
  /** How many sources a change still keeps, and until when a rollback of all of them is possible. */
  readRetention(changeId: string): Promise<{ sources: number; until: string | null }>;
  /** Changes in `retaining` that keep nothing any more that could be deleted, and are not being rolled back. */
  listRetainedOut(): Promise<ChangeRow[]>;
  /** Replicas on these nodes: those kept after a move, and all others. */
  countReplicas(nodes: readonly NodeId[]): Promise<{ kept: number; serving: number }>;

  /** Forgets what moves have kept on a node that leaves: it goes with the node. */
  dropKept(node: NodeId): Promise<void>;

  /** Gives a rollback its moves: all that can be taken back, the newest first. Answers how many; the same again. */
  planRollback(rollbackId: string, which: MoveSelection): Promise<number>;
  /** Commits that the source is not deleted while it is compared. Throws StateConflict where there is no way back. */
  beginRollback(moveId: string): Promise<MoveRow>;
  /** The retained source is what the fleet has: it may be read again. */
  markRollbackVerified(moveId: string): Promise<void>;
  /** Source in-sync, target retained, in one new epoch; the same again when it was done before. */
  flipBack(moveId: string): Promise<{ flipped: boolean; epoch: number; reason: string | null }>;
  /** Before the flip back: the source is retained as before. Answers whether it was. */
  cancelRollback(moveId: string): Promise<boolean>;
  /** Ends a rollback: moves that were not taken back are retained as before. */
  closeRollback(rollbackId: string): Promise<void>;
}
