// What nodes answer about their parts of a corpus, added up.
import type { NodeId, TopologyIndex } from '../../shared/core/topology.js';

/** A node was lost, or refused what it is asked: everything must be asked again. */
export class Incomplete extends Error {}

export interface NodeAnswer {
  readonly node: NodeId;
  readonly shards: readonly number[];
  readonly tookMs: number;
}

export function sum<K extends string>(parts: readonly Record<K, number>[], key: K): number {
  return parts.reduce((total, part) => total + part[key], 0);
}

/** Parts are of those replicas that were asked. */
export function nodesOf(index: TopologyIndex): string[] {
  return Object.entries(index.physicalNames)
    .map((node) => node.join(' '))
    .sort();
}
