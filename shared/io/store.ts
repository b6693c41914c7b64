// The state store's port: topology with epochs, journal, streams, moves, leases, tasks. All methods are
// asynchronous; every method is one transaction. Numbers that rise (epoch, seq, generation) never go back.
import type { EntryMeta, EntryPart, TaskRow, TaskStatus } from '../core/entries.js';
import type { MeilisearchError } from '../core/errors.js';
import type { NodeId, NodeState, ReplicaState, Topology, TopologyNode } from '../core/topology.js';
import type { ChangeStore } from './store-changes.js';
import type { ControlStore } from './store-control.js';
import type { CopyStore } from './store-copies.js';
import type { FieldsStore } from './store-fields.js';
import type { HealthStore } from './store-health.js';
import type { LossStore } from './store-losses.js';
import type { PlanStore } from './store-plans.js';
import type { RestoredStore } from './store-restored.js';
import type { ScoringStore } from './store-scoring.js';
import type { VerificationStore } from './store-verifications.js';

/** What a node is reached with. Never logged, never in workflow payloads. */
export interface NodeSecrets {
  /** Master (or admin) key of the node, or null where it runs without one. */
  adminKey: string | null;
  /** Key that may search and write documents but not create indexes, or null likewise. */
  dataKey: string | null;
}

export interface NodeInput {
  id: NodeId;
  url: string;
  zone?: string | null;
  weight?: number;
}

// ---- journal -------------------------------------------------------------------------------------------------

export interface AppendInput {
  /** Unique for a client's request: a retried append answers with the number of the first. */
  requestId: string;
  indexUid: string;
  meta: EntryMeta;
  /** Staged parts to claim, or null when the entry has none. */
  stagingId: string | null;
  /** What validation relied on; the append answers `conflict` when the journal has moved on. */
  expected: {
    incarnation: number | null;
    primaryKey: string | null;
    /** No entry of the index was numbered after this one, and all of them are finished; else `conflict: 'index'`. */
    quietSince?: number;
  };
  /** Creates the index in the same transaction; only with `expected.incarnation` null. */
  createIndex: { epoch: number; primaryKey: string | null; assignment: NodeId[][] } | null;
  /** Fixes the primary key of an existing index that has none, or replaces it: see `expected.quietSince`. */
  setPrimaryKey: string | null;
  /** The task's failure, found before delivery; nothing of it is delivered. */
  failure: MeilisearchError | null;
  /** Details known at append time that the meta does not carry. */
  details: Record<string, unknown> | null;
  /** What the ids of its documents are written with, see IdKinds. */
  idKinds?: number;
  /** Names of the fields that it brings, in their order: those that are new join the index's list. */
  fields?: readonly string[];
}
export type AppendResult =
  | { ok: true; seq: number; enqueuedAt: string }
  | { ok: false; conflict: 'index' | 'primary-key' | 'epoch' };

export interface TaskFilter {
  uids?: number[];
  statuses?: TaskStatus[];
  types?: string[];
  indexUids?: string[];
  beforeEnqueuedAt?: string;
  afterEnqueuedAt?: string;
  beforeStartedAt?: string;
  afterStartedAt?: string;
  beforeFinishedAt?: string;
  afterFinishedAt?: string;
  /** Highest uid first unless `reverse`; `from` is the first uid to show. */
  from?: number;
  limit: number;
  reverse?: boolean;
}

// ---- streams -------------------------------------------------------------------------------------------------

export interface StreamTakeover {
  generation: number;
  /** True when the last holder may have left requests in flight: fence before sending. */
  unclean: boolean;
}

export interface StreamPosition {
  node: NodeId;
  position: number;
  generation: number;
  holder: string | null;
  /** ms since the epoch of the wall clock when the stream last reported. */
  reportedAtMs: number;
  lastError: string | null;
  /** False until the node has every index of the topology. */
  provisioned: boolean;
  /** The newest task uid of the node that a confirmed write had, or null. */
  lastTaskUid: number | null;
}

/** One entry as one node needs it. */
export interface DeliveryEntry {
  seq: number;
  meta: EntryMeta;
  indexUid: string;
  incarnation: number;
  /** The index's physical name on this node, or null where the node has none yet. */
  physicalName: string | null;
  /** The primary key that the entry was validated with. */
  primaryKey: string | null;
  /** The shards that the stream holds live on this node and that the entry touches. */
  liveShards: number[];
  /** Those of them whose deletions this node counts for the task's details (their first in-sync replica). */
  countedShards: number[];
  /** Payloads of the live shards, in order. Empty when nothing is to be sent. */
  parts: { shard: number; payload: Uint8Array }[];
  /** True when an outcome is fixed already: by validation, or by another node that confirmed first. */
  outcome: 'succeeded' | 'failed' | null;
  /** True when the entry failed before delivery: it is only passed over. */
  skipped: boolean;
  /** The user's settings after this entry, for settings entries; null otherwise. */
  settings: Record<string, unknown> | null;
  /** It brought names to the index's list of fields, which every node registers before its parts. */
  bringsFields: boolean;
}

/** Consecutive entries after the stream's position; a barrier comes alone. */
export interface DeliveryGroup {
  position: number;
  entries: DeliveryEntry[];
}

export interface EntryOutcome {
  seq: number;
  status: 'succeeded' | 'failed';
  error: MeilisearchError | null;
  details: Record<string, unknown> | null;
}

/** `sweep` deletes strays, `settings` sends an index's settings again: both are of no move. */
export type ControlKind = 'clear' | 'copy' | 'replay' | 'delete' | 'sweep' | 'settings';

/** A step of a move that a stream carries out between two groups. */
export interface Control {
  id: number;
  node: NodeId;
  kind: ControlKind;
  /** Unique; enqueuing it again answers with the first. */
  key: string;
  moveId: string | null;
  incarnation: number | null;
  shard: number | null;
  /** For `copy`: where from and which documents. */
  args: {
    sourceNode?: NodeId;
    ids?: string[];
    physicalName?: string;
    /** The attempt of the move that asks: a step of an older one is not carried out any more. */
    attempt?: number;
  };
  status: 'waiting' | 'done' | 'failed';
  result: Record<string, unknown> | null;
}

export interface ReplayStep {
  /** Entries of the shard after its position, in order; payloads of this shard only. */
  entries: (DeliveryEntry & {
    /** For a deletion by filter: the ids that the source recorded; null when it has not come to it yet. */
    recordedIds: string[] | null;
  })[];
  shardPosition: number;
  streamPosition: number;
  /** The copy is of no one moment before this number: the shard joins past it only. */
  copyEnd: number;
  /** A settings or index entry lies within, or the source was lost: the copy must begin again. */
  restart: boolean;
}

// ---- leases --------------------------------------------------------------------------------------------------

export interface LeaseRow {
  proxyId: string;
  url: string | null;
  /** The epoch that it serves new requests with. */
  epoch: number;
  /** The oldest epoch that a request still in flight was started with. */
  oldestEpoch: number;
  untilMs: number;
}
export type RenewResult = { granted: true; epoch: number } | { granted: false; epoch: number };

export interface StoreCounts {
  journalHead: number;
  journalPayloadBytes: number;
}

export interface Store
  extends ChangeStore,
    ControlStore,
    CopyStore,
    FieldsStore,
    PlanStore,
    RestoredStore,
    VerificationStore,
    ScoringStore,
    HealthStore,
    LossStore {
  close(): Promise<void>;

  /** Creates the cluster row when there is none; answers the current topology. */
  initialize(cluster: {
    clusterId: string;
    replicationFactor: number;
    defaultShardCount: number;
  }): Promise<Topology>;
  readEpoch(): Promise<number>;
  readTopology(): Promise<Topology>;
  readHead(): Promise<StoreCounts>;

  /** Adds a node as `joining` with its stream at the journal's head. Fails when the id or the URL is known. */
  addNode(node: NodeInput, secrets: NodeSecrets, cause: string): Promise<TopologyNode>;
  setNodeState(id: NodeId, state: NodeState, cause: string): Promise<number>;
  /** Refused while it holds a replica. */
  removeNode(id: NodeId, cause: string): Promise<number>;
  readNodeSecrets(): Promise<Record<NodeId, NodeSecrets>>;
  putNodeSecrets(id: NodeId, secrets: NodeSecrets): Promise<void>;

  stageParts(stagingId: string, parts: EntryPart[]): Promise<void>;
  dropStaging(stagingId: string): Promise<void>;
  appendEntry(input: AppendInput): Promise<AppendResult>;
  listTasks(filter: TaskFilter): Promise<{ rows: TaskRow[]; total: number; next: number | null }>;
  readTask(uid: number): Promise<TaskRow | null>;

  /** Raises the stream's generation; from here on everything of an older holder is refused. */
  takeOverStream(node: NodeId, holder: string): Promise<StreamTakeover | null>;
  /**
   * The next group, or null when there is none. Marks the stream unclean and the entries as processing in the
   * same transaction, for requests follow; payloads are read in a second one. Throws StaleGeneration.
   */
  readGroup(
    node: NodeId,
    generation: number,
    limits: { entries: number; bytes: number },
  ): Promise<DeliveryGroup | null>;
  /** Moves the position and fixes outcomes not fixed yet; `clean` when nothing is in flight. Throws StaleGeneration. */
  confirmEntries(
    node: NodeId,
    generation: number,
    position: number,
    outcomes: EntryOutcome[],
    clean: boolean,
    lastTaskUid?: number | null,
  ): Promise<void>;
  reportStream(node: NodeId, generation: number, lastError: string | null): Promise<void>;
  /** The user's settings of an index as of a journal number: what the settings entries up to it left. */
  readSettingsAt(incarnation: number, seq: number): Promise<Record<string, unknown>>;
  /** Whether the stream has entries or controls to work on; cheap, for polling. Throws StaleGeneration. */
  hasWork(node: NodeId, generation: number): Promise<boolean>;
  setPhysicalName(node: NodeId, generation: number, incarnation: number, name: string | null): Promise<void>;
  setProvisioned(node: NodeId, generation: number): Promise<void>;
  /** Marks that requests outside a group (controls, fences) are about to be sent, or are all answered. */
  setUnclean(node: NodeId, generation: number, unclean: boolean, lastTaskUid?: number | null): Promise<void>;
  readStreams(): Promise<StreamPosition[]>;
  /**
   * In-sync replicas of a lost or lagging node leave in-sync where another in-sync replica remains. Copies that read
   * from a lost one begin again elsewhere.
   */
  demoteNode(node: NodeId, cause: string, lost?: boolean): Promise<number>;
  /**
   * Replicas that were demoted become in-sync again once the stream is past the watermark; every confirmation does
   * the same.
   */
  promoteNode(node: NodeId, generation: number, cause: string): Promise<number>;

  /** Throws StateConflict when the move does not hold the replica that the control is about. */
  enqueueControl(control: Omit<Control, 'id' | 'status' | 'result'>): Promise<number>;
  readControls(ids: number[]): Promise<Control[]>;
  /**
   * Whether a control is still wanted, to be asked just before it is carried out: its move holds the replica, in the
   * same attempt. One that is not is marked as failed.
   */
  startControl(node: NodeId, generation: number, id: number): Promise<boolean>;
  /** The oldest waiting controls of a node. */
  nextControls(node: NodeId, generation: number, limit: number): Promise<Control[]>;
  finishControl(
    node: NodeId,
    generation: number,
    id: number,
    status: 'done' | 'failed',
    result: Record<string, unknown> | null,
  ): Promise<void>;
  readReplay(
    node: NodeId,
    generation: number,
    incarnation: number,
    shard: number,
    limits: { entries: number; bytes: number },
  ): Promise<ReplayStep>;
  /** Advances a held shard; with `join` it becomes live if it is at the stream's position, past its copy's end. Answers whether it did. */
  advanceReplay(
    node: NodeId,
    generation: number,
    incarnation: number,
    shard: number,
    position: number,
    join: boolean,
  ): Promise<boolean>;
  /** Shards of open moves whose copy reads from this node: their filter matches must be recorded. */
  readCopyingShards(node: NodeId, incarnation: number): Promise<number[]>;
  /** Keeps the first record. */
  recordFilterMatches(
    node: NodeId,
    generation: number,
    seq: number,
    matches: { shard: number; ids: string[] }[],
  ): Promise<void>;

  renewLease(lease: {
    proxyId: string;
    url: string | null;
    epoch: number;
    oldestEpoch: number;
    ttlMs: number;
    /** How long after expiry the proxy may still answer searches; ttlMs when not given. */
    graceMs?: number;
  }): Promise<RenewResult>;
  dropLease(proxyId: string): Promise<void>;
  readLeases(): Promise<LeaseRow[]>;
  /** Finishes tasks whose conditions are met by now; answers how many. */
  advanceTasks(): Promise<number>;
  /** Deletes payloads and controls that nobody can need any more. */
  collectGarbage(): Promise<number>;
  /** The highest journal number that succeeded for an index, below which no replica may be read. */
  readWatermark(incarnation: number): Promise<number>;
}

/** A stream's holder has been replaced: it must stop at once and send nothing more. */
export class StaleGeneration extends Error {
  constructor(node: NodeId, generation: number) {
    super(`the stream of node ${node} is held by a newer generation than ${generation}`);
    this.name = 'StaleGeneration';
  }
}

/** A refusal by the state's rules, with a sentence for the operator. */
export class StateConflict extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'StateConflict';
  }
}

export type { ReplicaState };
