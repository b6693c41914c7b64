// After a restore: who holds what, decided from what the nodes show. Nothing of the backup is sent over newer documents,
// and no replica is read that another one contradicts.
import type { NodeId, Topology, TopologyIndex } from './topology.js';

/** What a node was found to hold. */
export interface NodeFindings {
  node: NodeId;
  /** The highest journal number among its document tasks; null when it has none. */
  highest: number | null;
  newestTask: number | null;
  /** Physical names by incarnation, the newest fence of each. */
  names: ReadonlyMap<number, string>;
  /** Primary keys by incarnation, where the node has one. */
  primaryKeys: ReadonlyMap<number, string>;
  /** Documents and their digest, by incarnation and shard. */
  shards: ReadonlyMap<number, readonly ShardFindings[]>;
  /** The highest incarnation among all names that are Miroir's. */
  highestIncarnation: number;
  /** Physical indexes of incarnations that the backup does not know. */
  unknownIndexes: readonly string[];
}

export interface ShardFindings {
  count: number;
  digest: string;
}

export interface RestoreInput {
  topology: Topology;
  /** The last number of the journal in the backup. */
  journalHead: number;
  /** Each stream's position in the backup. */
  positions: ReadonlyMap<NodeId, number>;
  /** The nodes that were asked. The documents of any other are given up where another node has them. */
  findings: readonly NodeFindings[];
  /** Believed first where replicas differ. */
  preferred: NodeId | null;
}

export interface DecidedShard {
  index: string;
  incarnation: number;
  shard: number;
  inSync: NodeId[];
  stale: NodeId[];
  /** Documents of everybody who was asked and has some, or is a replica. */
  counts: Record<NodeId, number>;
}

export interface Restoration {
  head: number;
  /** The highest number that a node has seen; null when none has any. */
  highest: number | null;
  nextIncarnation: number;
  nodes: { node: NodeId; position: number; names: [number, string][]; lastTaskUid: number | null }[];
  shards: DecidedShard[];
  deletedIndexes: { uid: string; incarnation: number }[];
  /** Keys that indexes were given after the backup. */
  primaryKeys: [number, string][];
  unknownIndexes: { node: NodeId; name: string }[];
}

/** Numbers that were given out and had reached no node when the store was lost. */
const MARGIN = 1_000;

export function decideRestoration(input: RestoreInput): Restoration {
  const { topology, findings, journalHead } = input;
  const numbers = findings.flatMap((found) => (found.highest === null ? [] : [found.highest]));
  const highest = numbers.length === 0 ? null : Math.max(...numbers);
  const head = Math.max(journalHead, highest ?? -1) + MARGIN;
  const live = topology.indexes.filter((index) => index.deletedSeq === null);
  const isKnown = (index: TopologyIndex) =>
    findings.some((found) => found.names.has(index.incarnation)) ||
    Object.keys(index.physicalNames).some((node) => !findings.some((found) => found.node === node)) ||
    // Made just before the backup: no node had come to it.
    Object.keys(index.physicalNames).length === 0;
  return {
    head,
    highest,
    nextIncarnation: Math.max(
      topology.nextIncarnation,
      ...findings.map((found) => found.highestIncarnation + 1),
    ),
    nodes: topology.nodes.map(({ id }) => decideNode(input, id, head)),
    shards: live
      .filter(isKnown)
      .flatMap((index) => index.shards.map((_, shard) => decideShard(input, index, shard))),
    deletedIndexes: live
      .filter((index) => !isKnown(index))
      .map(({ uid, incarnation }) => ({ uid, incarnation })),
    primaryKeys: live.flatMap(({ incarnation, primaryKey }): [number, string][] => {
      const given = findings
        .map((found) => found.primaryKeys.get(incarnation))
        .find((key) => key !== undefined);
      return primaryKey === null && given !== undefined ? [[incarnation, given]] : [];
    }),
    unknownIndexes: findings.flatMap(({ node, unknownIndexes }) =>
      unknownIndexes.map((name) => ({ node, name })),
    ),
  };
}

/**
 * A node that has seen numbers after the backup has everything of the backup, and newer documents that the journal would
 * overwrite. One that is behind gets what it lacks. Of one that nobody asked nothing is known: it gets nothing.
 */
function decideNode(
  { topology, findings, positions, journalHead }: RestoreInput,
  node: NodeId,
  head: number,
): Restoration['nodes'][number] {
  const found = findings.find((candidate) => candidate.node === node);
  if (!found) {
    const names = topology.indexes.flatMap(({ incarnation, physicalNames }): [number, string][] =>
      physicalNames[node] === undefined ? [] : [[incarnation, physicalNames[node]!]],
    );
    return { node, position: head, names, lastTaskUid: null };
  }
  const seen = Math.max(positions.get(node) ?? -1, found.highest ?? -1);
  return {
    node,
    position: seen >= journalHead ? head : seen,
    names: [...found.names].filter(([incarnation]) =>
      topology.indexes.some((index) => index.incarnation === incarnation),
    ),
    lastTaskUid: found.newestTask,
  };
}

function decideShard(input: RestoreInput, index: TopologyIndex, shard: number): DecidedShard {
  const { incarnation, uid } = index;
  const replicas = index.shards[shard]!;
  const known = { index: uid, incarnation, shard };
  const candidates = input.findings.flatMap((found) => {
    const findings = found.shards.get(incarnation)?.[shard];
    const isReplica = replicas.some((replica) => replica.node === found.node);
    if (!findings || (findings.count === 0 && !isReplica)) return [];
    return [{ node: found.node, highest: found.highest ?? -1, isReplica, ...findings }];
  });
  const counts = Object.fromEntries(candidates.map(({ node, count }) => [node, count]));
  const kept = replicas
    .filter(({ state }) => state === 'in-sync' || state === 'joined')
    .map(({ node }) => node);
  if (candidates.length === 0) return { ...known, inSync: kept.slice(0, 1), stale: kept.slice(1), counts };
  // Who has less than half has given the shard away, or was being given it.
  const most = Math.max(...candidates.map(({ count }) => count));
  const best = candidates
    .filter(({ count }) => 2 * count >= most)
    .sort(
      (a, b) =>
        Number(b.node === input.preferred) - Number(a.node === input.preferred) ||
        b.highest - a.highest ||
        b.count - a.count ||
        Number(b.isReplica) - Number(a.isReplica) ||
        (a.node < b.node ? -1 : 1),
    )[0]!;
  const equal = (node: NodeId) => {
    const other = candidates.find((candidate) => candidate.node === node);
    return other?.digest === best.digest && other.count === best.count;
  };
  const inSync = [...new Set([best.node, ...kept.filter(equal)])].sort();
  return { ...known, inSync, stale: kept.filter((node) => !inSync.includes(node)), counts };
}
