// How an index ranks its hits unless a search says otherwise.
import type { Scoring } from '../core/topology.js';

export interface ScoringStore {
  /** Answers the epoch from which on proxies rank so, and record the lengths of documents; null without such an index. */
  setScoring(uid: string, scoring: Scoring | null): Promise<number | null>;
}
