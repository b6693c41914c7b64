// The proxy's lease and the topology that requests work with. Whatever the store does, no request starts on a
// topology that may have been left behind, and none is answered from one: the lease is timed from before asking.
import { ApiError } from '../shared/core/errors.js';
import type { Topology } from '../shared/core/topology.js';
import type { Store } from '../shared/io/store.js';
import type { TopologyHold, TopologyWatcher } from './context.js';

export interface WatcherClock {
  /** Monotonic; goes on while the process is stopped. */
  nowMs(): number;
}

interface WatcherLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface WatcherOptions {
  store: Pick<Store, 'readEpoch' | 'readTopology' | 'renewLease' | 'dropLease'>;
  clock: WatcherClock;
  log: WatcherLog;
  proxyId: string;
  url: string | null;
  ttlMs: number;
  graceMs: number;
  pollMs?: number;
  /** Awaited before a newer topology is used by any request. */
  onTopology?(topology: Topology): void | Promise<void>;
}

export class LeasedTopology implements TopologyWatcher {
  private topology: Topology | null = null;
  private readonly holds = new Map<number, number>();
  /** Monotonic time at which the lease ends; -Infinity before the first grant. */
  private leaseEndMs = Number.NEGATIVE_INFINITY;
  private renewedAtMs = Number.NEGATIVE_INFINITY;
  private reported = { epoch: -1, oldestEpoch: -1 };
  /** How often the lease ended before it was renewed, counted at expiry and a grace later. */
  private lapses = { write: 0, search: 0 };
  private storeFailing = false;
  private stopped = false;
  private queue: Promise<unknown> = Promise.resolve();
  private wake: (() => void) | null = null;
  private woken = false;
  private loop: Promise<void> | null = null;
  private url: string | null;

  constructor(private readonly options: WatcherOptions) {
    this.url = options.url;
  }

  /** The address to show with the lease, once it is known. */
  announce(url: string): void {
    this.url = url;
  }

  /** Reads the topology, gets the lease and keeps both; throws when the store does not answer. */
  async start(): Promise<Topology> {
    await this.serial(() => this.step(true));
    this.loop = this.run();
    return this.current();
  }

  /** Gives the lease back. Call it when no request is in flight any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.kick();
    await this.loop;
    this.leaseEndMs = Number.NEGATIVE_INFINITY;
    await this.options.store.dropLease(this.options.proxyId);
  }

  acquire(use: 'search' | 'write'): TopologyHold {
    const topology = this.current();
    if (!this.holdsLease(use)) {
      throw new ApiError(
        'miroir_lease_lost',
        use === 'write'
          ? 'This proxy cannot reach the state store, so it accepts no writes at the moment.'
          : 'This proxy cannot reach the state store, so it cannot search at the moment.',
      );
    }
    const lapses = this.lapses[use];
    this.holds.set(topology.epoch, (this.holds.get(topology.epoch) ?? 0) + 1);
    let released = false;
    return {
      topology,
      stillValid: () => this.lapses[use] === lapses && this.holdsLease(use),
      release: () => {
        if (released) return;
        released = true;
        this.releaseHold(topology.epoch);
      },
    };
  }

  async refresh(): Promise<Topology> {
    await this.serial(() => this.adopt());
    this.kick();
    return this.current();
  }

  /** True while the lease allows this use. */
  holdsLease(use: 'search' | 'write'): boolean {
    const graceMs = use === 'search' ? this.options.graceMs : 0;
    return this.options.clock.nowMs() < this.leaseEndMs + graceMs;
  }

  /** The topology of the moment, for what is not a request (health, metrics). */
  current(): Topology {
    if (this.topology === null) {
      throw new ApiError('miroir_lease_lost', 'This proxy has not read the topology yet.');
    }
    return this.topology;
  }

  /** One round of the poll: adopts a newer epoch and renews the lease when it is due. Public for tests. */
  poll(): Promise<void> {
    return this.serial(() => this.step(false));
  }

  private async step(force: boolean): Promise<void> {
    const { store, clock, ttlMs } = this.options;
    const epoch = this.topology === null ? null : await store.readEpoch();
    const adopted = epoch === null || epoch > this.topology!.epoch ? await this.adopt() : false;
    const due = clock.nowMs() - this.renewedAtMs >= ttlMs / 3;
    if (force || adopted || due || this.hasNews()) await this.renew();
  }

  /** Answers whether the topology changed. */
  private async adopt(): Promise<boolean> {
    const newest = await this.options.store.readTopology();
    if (this.topology !== null && newest.epoch <= this.topology.epoch) return false;
    await this.options.onTopology?.(newest);
    this.topology = newest;
    return true;
  }

  private async renew(): Promise<void> {
    const { store, clock, proxyId, ttlMs, graceMs } = this.options;
    // A grant needs the current epoch; a refusal names it, and a few epochs may pass while we read.
    for (let attempt = 0; attempt < 5; attempt++) {
      const sentAtMs = clock.nowMs();
      const epoch = this.current().epoch;
      const oldestEpoch = this.oldestEpoch();
      const result = await store.renewLease({ proxyId, url: this.url, epoch, oldestEpoch, ttlMs, graceMs });
      if (result.granted) {
        this.extend(sentAtMs);
        this.reported = { epoch, oldestEpoch };
        return;
      }
      await this.adopt();
    }
  }

  private extend(sentAtMs: number): void {
    // Between the end of the old lease and this answer nobody knows whether the store saw us as alive.
    const nowMs = this.options.clock.nowMs();
    if (nowMs >= this.leaseEndMs) this.lapses.write++;
    if (nowMs >= this.leaseEndMs + this.options.graceMs) this.lapses.search++;
    this.renewedAtMs = sentAtMs;
    this.leaseEndMs = sentAtMs + this.options.ttlMs;
  }

  /** True when the store was told other epochs than it would be now. */
  private hasNews(): boolean {
    return this.current().epoch !== this.reported.epoch || this.oldestEpoch() !== this.reported.oldestEpoch;
  }

  private oldestEpoch(): number {
    let oldest = this.current().epoch;
    for (const epoch of this.holds.keys()) if (epoch < oldest) oldest = epoch;
    return oldest;
  }

  private releaseHold(epoch: number): void {
    const count = this.holds.get(epoch)! - 1;
    if (count > 0) {
      this.holds.set(epoch, count);
      return;
    }
    this.holds.delete(epoch);
    // Flips and settings wait for this report, so it does not wait for the poll.
    if (this.hasNews()) this.kick();
  }

  private serial<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => {});
    return result;
  }

  private kick(): void {
    this.woken = true;
    this.wake?.();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.pause(this.options.pollMs ?? 50);
      if (this.stopped) return;
      try {
        await this.poll();
        if (this.storeFailing) this.options.log.info({}, 'the state store answers again');
        this.storeFailing = false;
      } catch (error) {
        if (!this.storeFailing) this.options.log.warn({ err: error }, 'the state store does not answer');
        this.storeFailing = true;
      }
    }
  }

  private pause(delayMs: number): Promise<void> {
    if (this.woken) {
      this.woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(done, delayMs);
      const self = this;
      function done() {
        clearTimeout(timer);
        self.wake = null;
        self.woken = false;
        resolve();
      }
      this.wake = done;
    });
  }
}
