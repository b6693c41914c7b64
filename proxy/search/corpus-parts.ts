// What nodes answer about their parts of a corpus, added up.
import type { NodeId, TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';

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

/** What is asked of all nodes under a name, from the cache where it is there; whoever explains a search hears of it. */
export async function keep<T extends NodeAnswer>(
  ctx: ProxyContext,
  index: TopologyIndex,
  position: number | null,
  [statistic, ...more]: [string, ...unknown[]],
  gather: () => Promise<T[]>,
): Promise<T[]> {
  const startedMs = performance.now();
  const key = JSON.stringify([statistic, more, nodesOf(index)]);
  const { value, cached } = (await ctx.statistics?.get(index.incarnation, position, key, gather)) ?? {
    value: await gather(),
    cached: false,
  };
  ctx.gathered?.({ statistic, cached, position, tookMs: performance.now() - startedMs, nodes: value });
  return value;
}
