// The topology: nodes, indexes and which node holds which shard in which state. Immutable, numbered by epoch.

export type NodeId = string;

/**
 * A node's membership. `joining`: claimed, its indexes are being created, holds no shard yet. `active`: may receive
 * replicas. `draining` and `drained`: keeps serving what it holds, receives nothing new.
 */
export type NodeState = 'joining' | 'active' | 'draining' | 'drained';

/** A replica's state on one node; no row means that the node does not hold the shard. See replica-states.ts. */
export type ReplicaState = 'copying' | 'joined' | 'verified' | 'in-sync' | 'retained' | 'deleting';

export interface TopologyNode {
  readonly id: NodeId;
  readonly url: string;
  readonly zone: string | null;
  /** Share of the shards relative to other nodes; 1 by default. */
  readonly weight: number;
  /** What placement hashes for it: null for its id, or that of the node that it replaced. */
  readonly placementKey?: string | null;
  readonly state: NodeState;
}

export interface Replica {
  readonly node: NodeId;
  readonly state: ReplicaState;
  /** The move that owns this row, or null at rest. */
  readonly moveId: string | null;
  /** The epoch in which it got its state. */
  readonly sinceEpoch: number;
}

/** `dfs`: the first hits in the order of BM25, with the statistics of the whole corpus. */
export type Scoring = 'dfs';

export interface TopologyIndex {
  /** The uid that the client sees. */
  readonly uid: string;
  /** Unique in the cluster; a deleted and recreated index gets a new one. Also the placement key. */
  readonly incarnation: number;
  readonly primaryKey: string | null;
  readonly shardCount: number;
  readonly replicationFactor: number;
  /** How it ranks hits unless a search says otherwise; null or left out for the rules of its settings. */
  readonly scoring?: Scoring | null;
  /** The settings as the user gave them, merged over time; hidden parts are never in here. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** False until the task that created it has succeeded: reads answer index_not_found, as Meilisearch does. */
  readonly visible: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The journal number of its deletion, or null while it lives. */
  readonly deletedSeq: number | null;
  /** The physical index name on each node that has one, `uid--incarnation-fence`. */
  readonly physicalNames: Readonly<Record<NodeId, string>>;
  /** Whether it has ids that Meilisearch may sort as one, see mayFold. */
  readonly foldsIds?: boolean;
  /** shards[s] lists the replicas of shard s. */
  readonly shards: readonly (readonly Replica[])[];
}

export interface Topology {
  readonly clusterId: string;
  readonly journalId: string;
  readonly epoch: number;
  readonly replicationFactor: number;
  readonly defaultShardCount: number;
  /** The incarnation that the next index gets, valid for this epoch; placement of a new index hashes it. */
  readonly nextIncarnation: number;
  readonly nodes: readonly TopologyNode[];
  /** All incarnations that are not yet cleaned away; use findIndex for the one that a client means. */
  readonly indexes: readonly TopologyIndex[];
}

/** The index that a client's uid means now, created but maybe not yet visible; undefined when there is none. */
export function findIndex(topology: Topology, uid: string): TopologyIndex | undefined {
  return topology.indexes.find((index) => index.uid === uid && index.deletedSeq === null);
}

export function findNode(topology: Topology, id: NodeId): TopologyNode | undefined {
  return topology.nodes.find((node) => node.id === id);
}

/** The name of an index on a node. `fence` grows with every unclean hand-over; a name is never reused. */
export function physicalName(uid: string, incarnation: number, fence: number): string {
  return `${uid}--${incarnation}-${fence}`;
}

/** The states in which a node's stream delivers a shard's entries. */
export const LIVE_STATES: ReadonlySet<ReplicaState> = new Set(['joined', 'verified', 'in-sync', 'retained']);

/** Characters that separate words for Meilisearch, in the order of their bytes; none needs escaping in JSON. */
export const SEPARATORS = "!#%&'()*";

/** Name of the hidden field that says which shard a document belongs to. */
export const SHARD_FIELD = '_miroir';

/**
 * The value of the hidden field: base 8 over separator characters only, four digits, so that it yields no search
 * term, needs no JSON escaping and sorts as the number does. `shard` < 4096.
 */
export function shardMark(shard: number): string {
  return separatorDigits(shard, 4);
}

/** The shard's mark from the hidden field as JSON text: the field itself, or the first of what is recorded there. */
export function markOf(field: string | null): string {
  return /^\[?"([^"]*)"/.exec(field ?? '')?.[1] ?? '';
}

/** A number below 8 ** `width` in base 8 over separators. */
export function separatorDigits(number: number, width: number): string {
  let text = '';
  for (let rest = number; text.length < width; rest >>= 3) text = SEPARATORS[rest & 7]! + text;
  return text;
}

/** A Meilisearch filter expression that keeps the documents of these shards only. An empty list matches nothing. */
export function shardFilter(shards: readonly number[]): string {
  return `${SHARD_FIELD} IN [${shards.map((shard) => `"${shardMark(shard)}"`).join(', ')}]`;
}
