// What a route may use. Built once in main (or by a test); routes never construct anything themselves.
import type { FastifyBaseLogger } from 'fastify';
import type { NodeId, Topology } from '../shared/core/topology.js';
import type { Clock } from '../shared/io/clock.js';
import type { NodeClient } from '../shared/io/node-client.js';
import type { Store } from '../shared/io/store.js';
import type { Hedging } from './hedging.js';
import type { Hear } from './search/gathering.js';
import type { SearchTurns } from './search/search-turns.js';
import type { StatisticsCache } from './search/statistics-cache.js';

/** xxh64 of a text's UTF-8 bytes, as an unsigned 64-bit integer. Passed in, so that the core stays pure. */
export type Hash64 = (text: string) => bigint;

/** A topology that a request works with, from its first to its last use of it. */
export interface TopologyHold {
  readonly topology: Topology;
  /** False once the lease lapsed since it was taken: an answer gathered with it must be thrown away and rerun. */
  stillValid(): boolean;
  /** Must be called exactly once, or flips wait for this proxy until its lease runs out. */
  release(): void;
}

export interface TopologyWatcher {
  /**
   * Takes the current topology. Throws ApiError miroir_lease_lost when the lease lapsed (writes at expiry, searches a
   * grace later).
   */
  acquire(use: 'search' | 'write'): TopologyHold;
  /** Reads the store now, and adopts what is newer. */
  refresh(): Promise<Topology>;
}

/** Connections to the nodes and what is known of their health. */
export interface NodePool {
  /** The client of a node of the current topology; undefined when the node is unknown. */
  client(id: NodeId): NodeClient | undefined;
  /** Feeds replica choice: a request to a node that finished, failed, or has taken so long without an answer. */
  observe(id: NodeId, outcome: 'ok' | 'failed' | 'late', latencyMs: number): void;
  /** Smaller is better; Infinity for a node believed to be down. */
  cost(id: NodeId): number;
}

export interface ProxyOptions {
  proxyId: string;
  /** Key that clients must present, or null for none. */
  masterKey: string | null;
  /** Key of the admin API under /_miroir/; null falls back to the master key. */
  adminApiKey: string | null;
  searchDeadlineMs: number;
  /** What a search does when no in-sync replica of a shard answers. */
  unavailable: 'error' | 'partial';
  /** Largest accepted body, in bytes (Meilisearch: 100 MiB). */
  payloadLimitBytes: number;
}

export interface ProxyContext {
  readonly store: Store;
  readonly watcher: TopologyWatcher;
  readonly nodes: NodePool;
  readonly searches: SearchTurns;
  /** Asks a second replica where one is late; nothing is asked twice where left out. */
  readonly hedging?: Hedging;
  readonly hash: Hash64;
  /** What nodes know of their parts of indexes; asked anew for each search where left out. */
  readonly statistics?: StatisticsCache;
  /** Hears what a search asks beside itself; only where one is explained. */
  readonly gathered?: Hear;
  readonly options: ProxyOptions;
  readonly log: FastifyBaseLogger;
  /** The real one where left out. */
  readonly clock?: Clock;
}
