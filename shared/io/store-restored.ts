// A store that was restored from a backup: what it knows, and what an operator decides before anybody uses it.
import type { MeilisearchError } from '../core/errors.js';
import type { Restoration } from '../core/restoration.js';
import type { NodeId, Topology } from '../core/topology.js';
import type { NodeSecrets, StreamPosition } from './store.js';

export interface RestoredState {
  /** When it was restored; null where no restore waits for a decision. */
  restoredAt: string | null;
  topology: Topology;
  secrets: Record<NodeId, NodeSecrets>;
  streams: StreamPosition[];
  /** The last number of the journal in the backup. */
  journalHead: number;
}

/** How the fleet goes on, as an operator has accepted it. */
export interface RestoreDecision extends Restoration {
  /** Outcomes that only the nodes still know. */
  failures: { seq: number; error: MeilisearchError }[];
  /** What a task of its own tells everybody who lists tasks. */
  notice: MeilisearchError;
}

export interface RestoredStore {
  /** Works on a waiting store too, as nothing else does. */
  readRestored(): Promise<RestoredState>;
  /** Ends the waiting. Throws StateConflict where nothing waits. */
  acceptRestored(decision: RestoreDecision): Promise<void>;
}
