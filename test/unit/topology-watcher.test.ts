// The lease never outlives what the store granted, whatever the order of grants, holds and failures.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeasedTopology } from '../../proxy/topology-watcher.js';
import type { Topology } from '../../shared/core/topology.js';
import type { RenewResult } from '../../shared/io/store.js';

const TTL_MS = 3_000;
const GRACE_MS = 1_000;

function topologyOf(epoch: number): Topology {
  return {
    clusterId: 'test',
    journalId: 'j',
    epoch,
    replicationFactor: 1,
    defaultShardCount: 4,
    nextIncarnation: 1,
    nodes: [],
    indexes: [],
  };
}

/** A store of leases only, with the rule that only the current epoch is granted. */
class LeaseStore {
  epoch = 1;
  failing = false;
  /** How much the clock moves while a renewal is under way. */
  renewalTakesMs = 0;
  renewals: { epoch: number; oldestEpoch: number; granted: boolean }[] = [];
  dropped: string[] = [];

  constructor(private readonly clock: { ms: number }) {}

  async readEpoch() {
    this.check();
    return this.epoch;
  }
  async readTopology() {
    this.check();
    return topologyOf(this.epoch);
  }
  async renewLease(lease: { epoch: number; oldestEpoch: number }): Promise<RenewResult> {
    this.check();
    this.clock.ms += this.renewalTakesMs;
    const granted = lease.epoch === this.epoch;
    this.renewals.push({ epoch: lease.epoch, oldestEpoch: lease.oldestEpoch, granted });
    return { granted, epoch: this.epoch };
  }
  async dropLease(proxyId: string) {
    this.dropped.push(proxyId);
  }
  private check() {
    if (this.failing) throw new Error('the store is away');
  }
}

function setUp() {
  const clock = { ms: 1_000_000 };
  const store = new LeaseStore(clock);
  const watcher = new LeasedTopology({
    store,
    clock: { nowMs: () => clock.ms },
    log: { info() {}, warn() {} },
    proxyId: 'p1',
    url: null,
    ttlMs: TTL_MS,
    graceMs: GRACE_MS,
    // The loop never fires by itself: tests call poll().
    pollMs: 3_600_000,
  });
  return { clock, store, watcher };
}

describe('LeasedTopology', () => {
  it('refuses everything before it has a lease', () => {
    const { watcher } = setUp();
    expect(() => watcher.acquire('search')).toThrow(expect.objectContaining({ code: 'miroir_lease_lost' }));
  });

  it('refuses writes at expiry and searches a grace later', async () => {
    const { clock, store, watcher } = setUp();
    await watcher.start();
    store.failing = true;
    clock.ms += TTL_MS - 1;
    watcher.acquire('write').release();
    clock.ms += 1;
    expect(() => watcher.acquire('write')).toThrow(expect.objectContaining({ code: 'miroir_lease_lost' }));
    watcher.acquire('search').release();
    clock.ms += GRACE_MS;
    expect(() => watcher.acquire('search')).toThrow(expect.objectContaining({ status: 503 }));
    await watcher.stop();
  });

  it('counts the lease from before the renewal was sent', async () => {
    const { clock, store, watcher } = setUp();
    store.renewalTakesMs = 2_000;
    await watcher.start();
    clock.ms += TTL_MS - 2_000;
    expect(() => watcher.acquire('write')).toThrow();
    await watcher.stop();
  });

  it('reports stillValid false for a hold taken before the lapse, even after it recovered', async () => {
    const { clock, store, watcher } = setUp();
    await watcher.start();
    const hold = watcher.acquire('search');
    expect(hold.stillValid()).toBe(true);
    store.failing = true;
    clock.ms += TTL_MS + GRACE_MS;
    expect(hold.stillValid()).toBe(false);
    store.failing = false;
    await watcher.poll();
    expect(hold.stillValid()).toBe(false);
    hold.release();
    const fresh = watcher.acquire('search');
    expect(fresh.stillValid()).toBe(true);
    fresh.release();
    await watcher.stop();
  });

  it('lets a search survive a lapse shorter than the grace, but not a write', async () => {
    const { clock, watcher } = setUp();
    await watcher.start();
    const search = watcher.acquire('search');
    const write = watcher.acquire('write');
    clock.ms += TTL_MS + GRACE_MS - 1;
    await watcher.poll();
    expect(search.stillValid()).toBe(true);
    expect(write.stillValid()).toBe(false);
    await watcher.stop();
  });

  it('reports the oldest epoch in use until its last hold is released', async () => {
    const { store, watcher } = setUp();
    await watcher.start();
    const first = watcher.acquire('search');
    const second = watcher.acquire('search');
    store.epoch = 5;
    await watcher.poll();
    expect(store.renewals.at(-1)).toEqual({ epoch: 5, oldestEpoch: 1, granted: true });
    expect(watcher.acquire('search').topology.epoch).toBe(5);
    first.release();
    first.release();
    await watcher.poll();
    expect(store.renewals.at(-1)?.oldestEpoch).toBe(1);
    second.release();
    await watcher.poll();
    expect(store.renewals.at(-1)?.oldestEpoch).toBe(5);
    await watcher.stop();
  });

  it('renews by itself, without waiting for the poll, when an old epoch is released', async () => {
    const { store, watcher } = setUp();
    await watcher.start();
    const hold = watcher.acquire('search');
    store.epoch = 2;
    await watcher.refresh();
    await expect.poll(() => store.renewals.at(-1)).toEqual({ epoch: 2, oldestEpoch: 1, granted: true });
    hold.release();
    await expect.poll(() => store.renewals.at(-1)).toEqual({ epoch: 2, oldestEpoch: 2, granted: true });
    await watcher.stop();
  });

  it('does not renew at an epoch that has passed', async () => {
    const { store, watcher } = setUp();
    await watcher.start();
    // The epoch moves between reading the topology and renewing.
    const read = store.readTopology.bind(store);
    let moves = 2;
    store.readTopology = async () => {
      const topology = await read();
      if (moves-- > 0) store.epoch++;
      return topology;
    };
    store.epoch = 2;
    await watcher.poll();
    expect(store.renewals.at(-1)).toEqual({ epoch: 4, oldestEpoch: 4, granted: true });
    expect(watcher.current().epoch).toBe(4);
    await watcher.stop();
  });

  it('gives the lease back at the end', async () => {
    const { store, watcher } = setUp();
    await watcher.start();
    await watcher.stop();
    expect(store.dropped).toEqual(['p1']);
    expect(() => watcher.acquire('search')).toThrow();
  });

  it('never serves beyond a grant and never reports past a hold, in any history', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2_500 }) }),
      fc.constant({ do: 'poll' as const, ms: 0 }),
      fc.constant({ do: 'bump' as const, ms: 0 }),
      fc.constant({ do: 'fail' as const, ms: 0 }),
      fc.constant({ do: 'heal' as const, ms: 0 }),
      fc.constant({ do: 'hold' as const, ms: 0 }),
      fc.constant({ do: 'release' as const, ms: 0 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, store, watcher } = setUp();
        await watcher.start();
        let grantedUntilMs = clock.ms + TTL_MS;
        const holds: ReturnType<typeof watcher.acquire>[] = [];
        for (const { do: action, ms } of steps) {
          if (action === 'wait') clock.ms += ms;
          if (action === 'bump') store.epoch++;
          if (action === 'fail') store.failing = true;
          if (action === 'heal') store.failing = false;
          if (action === 'release') holds.shift()?.release();
          if (action === 'poll') {
            const before = store.renewals.length;
            await watcher.poll().catch(() => {});
            const granted = store.renewals.slice(before).filter((renewal) => renewal.granted);
            if (granted.length > 0) grantedUntilMs = clock.ms + TTL_MS;
            const oldest = Math.min(...holds.map((hold) => hold.topology.epoch), watcher.current().epoch);
            for (const renewal of granted) expect(renewal.oldestEpoch).toBe(oldest);
          }
          if (action === 'hold') {
            if (clock.ms < grantedUntilMs + GRACE_MS) holds.push(watcher.acquire('search'));
            else expect(() => watcher.acquire('search')).toThrow();
          }
          if (clock.ms >= grantedUntilMs) expect(() => watcher.acquire('write')).toThrow();
        }
        await watcher.stop();
      }),
      { numRuns: 60 },
    );
  });
});
