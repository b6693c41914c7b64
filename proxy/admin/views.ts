// The fleet as the admin API shows it: nodes, indexes, changes. Pure: what was read goes in, JSON comes out.
import type { HealthState, NodeHealth } from '../../shared/core/node-health.js';
import type { Prediction } from '../../shared/core/plan-report.js';
import type { ReplicaState, Scoring, Topology, TopologyIndex } from '../../shared/core/topology.js';
import type { StreamPosition } from '../../shared/io/store.js';
import type { ChangeRow, MoveRow } from '../../shared/io/store-changes.js';
import { publicUrl } from './requests.js';

type ReplicaCounts = Partial<Record<ReplicaState, number>>;

export interface NodeView {
  id: string;
  url: string;
  zone: string | null;
  weight: number;
  state: string;
  /** False while the proxy believes that it does not answer. */
  reachable: boolean;
  replicas: ReplicaCounts;
  /** As the watch over the fleet has seen it; null before its first look. */
  health: { state: HealthState; since: string; reason: string | null } | null;
  stream: {
    position: number;
    /** Entries that it has still to deliver. */
    lag: number;
    /** How long the oldest of them has waited; 0 without any. */
    lagMs: number;
    holder: string | null;
    reportedAt: string;
    silentMs: number;
    lastError: string | null;
    provisioned: boolean;
  } | null;
}

export function viewNodes(
  topology: Topology,
  streams: readonly StreamPosition[],
  journal: { head: number; enqueuedAtMs(seq: number): number | undefined },
  nowMs: number,
  reachable: (id: string) => boolean,
  health: readonly NodeHealth[],
): NodeView[] {
  const counts = countByNode(topology);
  return topology.nodes.map((node) => {
    const stream = streams.find((other) => other.node === node.id);
    const seen = health.find((row) => row.node === node.id);
    return {
      id: node.id,
      url: publicUrl(node.url),
      zone: node.zone,
      weight: node.weight,
      state: node.state,
      reachable: reachable(node.id),
      replicas: counts.get(node.id) ?? {},
      health: seen
        ? { state: seen.state, since: new Date(seen.sinceMs).toISOString(), reason: seen.reason }
        : null,
      stream: stream
        ? {
            position: stream.position,
            lag: Math.max(0, journal.head - stream.position),
            lagMs: Math.max(0, nowMs - (journal.enqueuedAtMs(stream.position + 1) ?? nowMs)),
            holder: stream.holder,
            reportedAt: new Date(stream.reportedAtMs).toISOString(),
            silentMs: Math.max(0, nowMs - stream.reportedAtMs),
            lastError: stream.lastError,
            provisioned: stream.provisioned,
          }
        : null,
    };
  });
}

function countByNode(topology: Topology): Map<string, ReplicaCounts> {
  const counts = new Map<string, ReplicaCounts>();
  for (const index of topology.indexes) {
    for (const replicas of index.shards) {
      for (const { node, state } of replicas) {
        const row = counts.get(node) ?? {};
        row[state] = (row[state] ?? 0) + 1;
        counts.set(node, row);
      }
    }
  }
  return counts;
}

export interface IndexView {
  uid: string;
  incarnation: number;
  primaryKey: string | null;
  visible: boolean;
  scoring: Scoring | null;
  shardCount: number;
  replicationFactor: number;
  replicas: ReplicaCounts;
  /** Shards with fewer in-sync replicas than the replication factor, and those with none on a node that is well. */
  underReplicatedShards: number;
  unavailableShards: number;
  unavailable: number[];
  createdAt: string;
  updatedAt: string;
}

/** The last replica of a shard stays in-sync whatever becomes of its node; nodes that are `away` answer for nothing. */
export function viewIndexes(topology: Topology, away: ReadonlySet<string>): IndexView[] {
  return topology.indexes.filter((index) => index.deletedSeq === null).map((index) => viewIndex(index, away));
}

/** Nodes that do not answer this proxy, or are away for the watch over the fleet and still in trouble: it waits with good news. */
export function awayNodes(nodes: readonly NodeView[]): Set<string> {
  const isAway = ({ reachable, health, stream }: NodeView) =>
    !reachable || ((health?.state === 'down' || health?.state === 'lost') && stream?.lastError !== null);
  return new Set(nodes.filter(isAway).map((node) => node.id));
}

function viewIndex(index: TopologyIndex, away: ReadonlySet<string>): IndexView {
  const replicas: ReplicaCounts = {};
  let underReplicatedShards = 0;
  const unavailable: number[] = [];
  for (const [number, shard] of index.shards.entries()) {
    for (const { state } of shard) replicas[state] = (replicas[state] ?? 0) + 1;
    const inSync = shard.filter((replica) => replica.state === 'in-sync');
    if (inSync.length < index.replicationFactor) underReplicatedShards++;
    if (inSync.every((replica) => away.has(replica.node))) unavailable.push(number);
  }
  return {
    uid: index.uid,
    incarnation: index.incarnation,
    primaryKey: index.primaryKey,
    visible: index.visible,
    scoring: index.scoring ?? null,
    shardCount: index.shardCount,
    replicationFactor: index.replicationFactor,
    replicas,
    underReplicatedShards,
    unavailableShards: unavailable.length,
    unavailable,
    createdAt: index.createdAt,
    updatedAt: index.updatedAt,
  };
}

/** The topology as it is, without what is not for everyone's eyes: settings may hold keys of embedders. */
export function viewTopology(topology: Topology) {
  return {
    ...topology,
    nodes: topology.nodes.map((node) => ({ ...node, url: publicUrl(node.url) })),
    indexes: topology.indexes.map(({ settings: _settings, ...index }) => index),
  };
}

export interface ChangeProgress {
  movesTotal: number;
  movesDone: number;
  movesRunning: number;
  movesFailed: number;
  phases: Record<string, number>;
  documentsCopied: number;
  documentsTotal: number;
  bytesCopied: number;
  /** Of the copies that run now, each over its own time; null when none does. */
  documentsPerSecond: number | null;
  lastError: string | null;
}

const ENDED = new Set(['done', 'skipped', 'aborted', 'retain', 'rolled-back']);

/** A move is done once it has flipped, whatever becomes of its source later; one of a rollback, once it is taken back. */
function isDone(change: ChangeRow, move: MoveRow): boolean {
  if (change.kind === 'rollback') return move.phase === 'rolled-back';
  if (ENDED.has(move.phase)) return move.phase === 'done' || move.phase === 'retain';
  return move.phase === 'delete' && move.flippedEpoch !== null;
}

/** The sum of what each running copy does in a second. */
function copyRate(moves: readonly MoveRow[], nowMs: number): number | null {
  const copying = moves.filter((move) => move.phase === 'copy' && move.startedAt !== null);
  if (copying.length === 0) return null;
  const rates = copying.map((move) => {
    const elapsedMs = Math.max(1, nowMs - Date.parse(move.startedAt!));
    return (move.documentsCopied * 1_000) / elapsedMs;
  });
  return Math.round(rates.reduce((sum, rate) => sum + rate, 0));
}

/** Sums of a change's moves; only what has been measured, no estimates. */
export function sumProgress(change: ChangeRow, moves: readonly MoveRow[], nowMs: number): ChangeProgress {
  const phases: Record<string, number> = {};
  for (const move of moves) phases[move.phase] = (phases[move.phase] ?? 0) + 1;
  const failed = moves.filter((move) => move.phase === 'failed');
  const documentsCopied = moves.reduce((sum, move) => sum + move.documentsCopied, 0);
  const troubled = failed[0] ?? moves.find((move) => move.lastError !== null && !ENDED.has(move.phase));
  return {
    movesTotal: moves.length,
    movesDone: moves.filter((move) => isDone(change, move)).length,
    movesRunning: moves.filter(
      (move) =>
        !ENDED.has(move.phase) && !['planned', 'failed'].includes(move.phase) && !isDone(change, move),
    ).length,
    movesFailed: failed.length,
    phases,
    documentsCopied,
    documentsTotal: Math.max(
      change.plannedDocuments,
      moves.reduce((sum, move) => sum + move.documentsTotal, 0),
    ),
    bytesCopied: moves.reduce((sum, move) => sum + move.bytesCopied, 0),
    documentsPerSecond: copyRate(moves, nowMs),
    lastError: troubled?.lastError ?? null,
  };
}

/** What a change has done so far, to be held against its prediction; the time as soon as a move has flipped. */
export function sumActual(moves: readonly MoveRow[]): Prediction {
  const flipped = moves.filter((move) => move.flippedAt !== null);
  const copies = flipped.filter((move) => move.kind === 'copy');
  const started = moves.flatMap((move) => (move.startedAt === null ? [] : [Date.parse(move.startedAt)]));
  const flips = flipped.map((move) => Date.parse(move.flippedAt!));
  return {
    copies: copies.length,
    drops: flipped.length - copies.length,
    documents: copies.reduce((sum, move) => sum + move.documentsCopied, 0),
    bytes: copies.reduce((sum, move) => sum + move.bytesCopied, 0),
    durationMs: flips.length === 0 ? null : Math.max(0, Math.max(...flips) - Math.min(...started)),
  };
}
