// Hedged reads: a replica that is much slower than it has lately been is not waited for; another one is asked beside it,
// and the first answer counts. A budget bounds what that costs, so that a fleet that is slow as a whole is not asked twice.
import type { NodeId } from '../shared/core/topology.js';

/** The latencies that count as recent, per node. */
const RECENT = 64;
/** Where among them a request begins to be late, and by how much it must be exceeded. */
const QUANTILE = 0.95;
const FACTOR = 3;
/** Nothing is late before this: jitter of a busy machine is no reason to ask twice. */
const LEAST_MS = 30;
/** Until a node has been heard of a few times. */
const UNKNOWN_MS = 250;
const KNOWN_FROM = 8;
/** Each request earns this share of a hedge, and so many may be saved up. */
const SHARE = 0.1;
const MOST_SAVED = 20;
/** How often it is looked for late requests: one timer for all of them. */
const TICK_MS = 10;
const IDLE_TICKS = 100;

class Latencies {
  private readonly recent = new Float64Array(RECENT);
  private count = 0;
  private lateMs = UNKNOWN_MS;

  add(tookMs: number): void {
    this.recent[this.count++ % RECENT] = tookMs;
    // Sorting for each request would cost more than it tells.
    if (this.count < KNOWN_FROM || this.count % KNOWN_FROM !== 0) return;
    const sorted = this.recent.slice(0, Math.min(this.count, RECENT)).sort();
    this.lateMs = Math.max(LEAST_MS, FACTOR * sorted[Math.floor(QUANTILE * (sorted.length - 1))]!);
  }

  get lateAfterMs(): number {
    return this.lateMs;
  }
}

/** A request that is waited for. */
interface Watched {
  readonly lateAtMs: number;
  readonly onLate: () => void;
}

export interface HedgeCounts {
  /** Hedges whose answers came first. */
  won: number;
  /** Hedges that were not needed in the end, or failed. */
  lost: number;
  /** Requests that were late while the budget was spent. */
  refused: number;
}

export class Hedging {
  readonly counts: HedgeCounts = { won: 0, lost: 0, refused: 0 };
  private readonly latencies = new Map<NodeId, Latencies>();
  private readonly watched = new Set<Watched>();
  private saved = MOST_SAVED;
  private timer: NodeJS.Timeout | null = null;
  private idleTicks = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** A request to a node was answered. */
  observe(node: NodeId, tookMs: number): void {
    let latencies = this.latencies.get(node);
    if (latencies === undefined) {
      latencies = new Latencies();
      this.latencies.set(node, latencies);
    }
    latencies.add(tookMs);
  }

  /** Calls `onLate` once, when a request that was just sent to a node is late; not after the function it answers. */
  watch(node: NodeId, onLate: () => void): () => void {
    this.saved = Math.min(MOST_SAVED, this.saved + SHARE);
    const lateAfterMs = this.latencies.get(node)?.lateAfterMs ?? UNKNOWN_MS;
    const entry = { lateAtMs: this.nowMs() + lateAfterMs, onLate };
    this.watched.add(entry);
    this.timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    return () => void this.watched.delete(entry);
  }

  /** Whether so many requests more may be sent now; they are taken from the budget. */
  spend(requests: number): boolean {
    if (this.saved < requests) {
      this.counts.refused++;
      return false;
    }
    this.saved -= requests;
    return true;
  }

  /** Public for tests: looks for late requests. */
  tick(): void {
    this.idleTicks = this.watched.size === 0 ? this.idleTicks + 1 : 0;
    if (this.idleTicks >= IDLE_TICKS && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
      this.idleTicks = 0;
    }
    const nowMs = this.nowMs();
    for (const entry of this.watched) {
      if (entry.lateAtMs > nowMs) continue;
      this.watched.delete(entry);
      entry.onLate();
    }
  }
}
