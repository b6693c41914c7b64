// The store's part for verifications: which comparisons there are, what came of each, and what the journal says about
// a document meanwhile.
import type { Evidence } from '../core/replica-claims.js';
import type { NodeId } from '../core/topology.js';

export interface VerificationInput {
  /** The uid of the only index to compare, or null for all. */
  index: string | null;
  repair: boolean;
  /** The node whose replicas are right where evidence does not decide: an operator's word, or null. */
  from: NodeId | null;
  /** Documents read a second, over all replicas; null as configured. */
  documentsPerSecond: number | null;
}

export type VerificationStatus = 'running' | 'done' | 'failed' | 'aborted';

export interface VerificationRow {
  id: string;
  input: VerificationInput;
  status: VerificationStatus;
  startedAt: string;
  finishedAt: string | null;
  lastError: string | null;
  totals: VerificationTotals;
}

export interface VerificationTotals {
  items: number;
  /** Comparisons that are over, whatever came of them. */
  checked: number;
  /** Found different, and not repaired since. */
  different: number;
  repaired: number;
  /** Could not be compared: a node did not answer, or was behind. */
  unchecked: number;
  /** Differences in which evidence does not tell who is right. */
  undecided: number;
  documents: number;
  missingDocuments: number;
  extraDocuments: number;
  differentDocuments: number;
}

/** One comparison: a shard on its replicas, strays on a node, or the settings of an index on all nodes. */
export interface NewVerificationItem {
  kind: 'shard' | 'strays' | 'settings';
  indexUid: string;
  incarnation: number;
  /** Of kind `shard` only. */
  shard: number | null;
  /** Of kind `strays` only. */
  node: NodeId | null;
}

export type ItemStatus = 'pending' | 'equal' | 'different' | 'unchecked' | 'skipped' | 'repaired';

export interface ItemOutcome {
  status: ItemStatus;
  documents: number;
  missing: number;
  extra: number;
  different: number;
  undecided: boolean;
  detail: ItemDetail;
}

export interface ItemDetail {
  /** Why it is what it is, in a sentence. */
  reason?: string;
  /** Replicas that are wrong, and by which evidence. */
  wrong?: { node: NodeId; evidence: Evidence | 'marked' }[];
  /** Nodes that were not compared, with the reason. */
  unchecked?: { node: NodeId; reason: string }[];
  /** Some of the documents that differ: by node a digest, or null where it is missing. */
  samples?: { id: string; on: Record<NodeId, string | null> }[];
  /** Settings that differ, by node. */
  drift?: Record<NodeId, string[]>;
}

export interface VerificationItem extends NewVerificationItem, ItemOutcome {
  ordinal: number;
}

/** What the journal did to a shard in a range: the ids it touched, or that it cannot be told. */
export interface Touches {
  /** An entry that names no ids (by filter, all, settings, index), or whose payload is gone. */
  blind: boolean;
  /** Documents and ids as the parts carry them: joined by commas, without brackets. */
  parts: { isIds: boolean; payload: Uint8Array }[];
}

export interface VerificationStore {
  /** Opens a verification with its comparisons; the same again when it is there. Any other open one is dead: closed. */
  openVerification(
    id: string,
    input: VerificationInput,
    items: NewVerificationItem[],
  ): Promise<VerificationRow>;
  readVerification(id: string): Promise<VerificationRow | null>;
  readLatestVerification(): Promise<VerificationRow | null>;
  /** Comparisons in these states, in order. */
  listVerificationItems(id: string, statuses: ItemStatus[], limit: number): Promise<VerificationItem[]>;
  saveVerificationItem(id: string, ordinal: number, outcome: ItemOutcome): Promise<void>;
  setVerificationStatus(id: string, status: VerificationStatus, lastError: string | null): Promise<void>;
  /**
   * Takes a wrong replica out of in-sync where another in-sync one remains, and marks it: the next healing change copies
   * it anew. Answers whether it is marked now.
   */
  markReplica(
    node: NodeId,
    incarnation: number,
    shard: number,
    mark: string,
    cause: string,
  ): Promise<boolean>;
  /** What entries after `after`, up to `upTo`, did to a shard. */
  readTouches(incarnation: number, shard: number, after: number, upTo: number): Promise<Touches>;
}
