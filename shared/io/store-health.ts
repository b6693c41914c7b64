// The store's part for the health of nodes and for what healing waits for.
import type { NodeHealth } from '../core/node-health.js';
import type { NodeId } from '../core/topology.js';

export interface HealthStore {
  /** Nodes that have been looked at, in the order of their ids. */
  readHealth(): Promise<NodeHealth[]>;
  /** Rows of nodes that have left the fleet are not kept. */
  saveHealth(rows: NodeHealth[]): Promise<void>;
  /** Marks lost nodes as healed away (before such a change) or returned nodes as not (after it). */
  setHealedAway(nodes: NodeId[], healedAway: boolean): Promise<void>;
  /** Why the fleet does not heal itself though it should, or null. */
  readHealingPause(): Promise<string | null>;
  saveHealingPause(reason: string | null): Promise<void>;
}
