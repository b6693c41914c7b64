// What a search asks of nodes beside the search itself, told to whoever explains it.
import type { NodeId } from '../../shared/core/topology.js';

/** Something that was gathered from nodes, or found in the cache of statistics. */
export interface Gathering {
  readonly statistic: string;
  readonly cached: boolean;
  /** The last task of the index that had succeeded when it was asked for; null where it is not kept by that. */
  readonly position: number | null;
  readonly tookMs: number;
  /** Whom it was gathered from, now or before, and how long each took then. */
  readonly nodes: readonly AskedNode[];
}

interface AskedNode {
  readonly node: NodeId;
  readonly shards: readonly number[];
  readonly tookMs: number;
}

export type Hear = (gathering: Gathering) => void;

/** Tells of something that was asked just now and is not kept. */
export function tell(hear: Hear | undefined, statistic: string, nodes: readonly AskedNode[]): void {
  if (hear === undefined || nodes.length === 0) return;
  const tookMs = Math.max(...nodes.map((node) => node.tookMs));
  hear({ statistic, cached: false, position: null, tookMs, nodes });
}
