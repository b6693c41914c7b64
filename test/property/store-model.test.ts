// Any interleaving of writes, confirmations, demotions, moves, leases and time: what the state store promises to
// proxies holds after every single step.
import fc from 'fast-check';
import { expect, inject, it } from 'vitest';
import { LIVE_STATES, type Topology } from '../../shared/core/topology.js';
import { StaleGeneration, StateConflict } from '../../shared/io/store.js';
import type { NewMove } from '../../shared/io/store-changes.js';
import { StoreFleet } from '../support/store-fleet.js';

const NODES = ['a', 'b', 'c'] as const;
const PROXIES = ['p1', 'p2'] as const;
const SHARDS = [0, 1] as const;

const node = fc.constantFrom(...NODES);
const shard = fc.constantFrom(...SHARDS);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      shards: fc.subarray([...SHARDS], { minLength: 1 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('confirm' as const),
      node,
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('demote' as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('promote' as const), node }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('renew' as const),
      proxy: fc.constantFrom(...PROXIES),
      keep: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(300, 2_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('move' as const), shard, from: node, to: node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), shard, node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flip' as const), move: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('delete' as const),
      move: fc.nat(5),
      side: fc.constantFrom('source' as const, 'target' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), move: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('collect' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Model {
  private readonly moves: string[] = [];
  private readonly writes = new Map<number, readonly number[]>();
  /** What proxies that serve with an epoch read: the in-sync nodes of each shard. */
  private readonly readable = new Map<number, string[][]>();
  private watermark = -1;

  constructor(private readonly fleet: StoreFleet) {}

  /** Refusals by the rules are what the rules are for. */
  async run(one: Step): Promise<void> {
    try {
      await this.act(one);
    } catch (error) {
      if (!(error instanceof StateConflict) && !/target is behind|may still read/.test(String(error)))
        throw error;
      expect(error).not.toBeInstanceOf(StaleGeneration);
    }
  }

  private async act(one: Step): Promise<void> {
    const { fleet } = this;
    const { store } = fleet;
    const moveId = 'move' in one ? this.moves[one.move % Math.max(1, this.moves.length)] : undefined;
    switch (one.do) {
      case 'write':
        this.writes.set(await fleet.write('books', ...one.shards), one.shards);
        return;
      case 'confirm': {
        const streams = await store.readStreams();
        const { position } = streams.find((stream) => stream.node === one.node)!;
        const { journalHead } = await store.readHead();
        return fleet.confirm(one.node, Math.min(position + one.count, journalHead));
      }
      case 'demote':
        await store.demoteNode(one.node, 'a test');
        return;
      case 'promote':
        await store.promoteNode(one.node, fleet.generations[one.node]!, 'a test');
        return;
      case 'renew': {
        const before = (await store.readLeases()).find((lease) => lease.proxyId === one.proxy);
        await fleet.lease(one.proxy, one.keep ? before?.oldestEpoch : undefined);
        return;
      }
      case 'wait':
        fleet.nowMs += one.ms;
        await store.advanceTasks();
        return;
      case 'move': {
        // One replica more, where source and target are the same.
        const from = one.from === one.to ? null : one.from;
        const [other] = (await this.inSync(one.shard)).filter((id) => id !== one.to);
        const copyFrom = from ?? other;
        if (copyFrom === undefined) return;
        return fleet.verifyMove(
          await this.plan(one.shard, { sourceNode: from, copyFrom, targetNode: one.to }),
        );
      }
      case 'drop': {
        const nodes = { sourceNode: one.node, copyFrom: one.node, targetNode: one.node };
        await this.plan(one.shard, { kind: 'drop', ...nodes });
        return;
      }
      case 'flip': {
        const before = moveId ? await store.readMove(moveId) : null;
        const inSync = before ? await this.inSync(before.shard) : [];
        if (!before || !(await store.flipMove(before.id)).flipped) return;
        // One that is gone already only ends its move.
        if (before.kind === 'drop' && inSync.includes(before.targetNode))
          expect((await this.inSync(before.shard)).length, 'replicas after a drop').toBeGreaterThanOrEqual(2);
        return;
      }
      case 'hold':
        if (moveId) await store.holdReplica(moveId);
        return;
      case 'delete':
        if (moveId && (await store.beginDelete(moveId, one.side))) await store.finishDelete(moveId, one.side);
        return;
      case 'collect':
        await store.collectGarbage();
    }
  }

  private async inSync(shard: number): Promise<string[]> {
    return readableIn(await this.fleet.store.readTopology())[shard]!;
  }

  private async plan(
    shard: number,
    move: Pick<NewMove, 'kind' | 'sourceNode' | 'copyFrom' | 'targetNode'>,
  ): Promise<string> {
    const { store } = this.fleet;
    const id = `m${this.moves.length}`;
    const { incarnation } = (await this.fleet.find('books'))!;
    await store.openChange({ id: `change-${id}`, kind: 'rebalance', input: {}, runId: id });
    const planned = { id, indexUid: 'books', incarnation, shard, ...move };
    if (!(await store.planMoves(`change-${id}`, await store.readEpoch(), [planned], 0)))
      throw new Error('the plan met another epoch');
    this.moves.push(id);
    return id;
  }

  async check(): Promise<void> {
    const { store } = this.fleet;
    const topology = await store.readTopology();
    const [index] = topology.indexes;
    const now = readableIn(topology);
    this.readable.set(topology.epoch, now);
    const streams = new Map((await store.readStreams()).map((stream) => [stream.node, stream.position]));

    for (const nodes of now) expect(nodes.length, 'in-sync replicas of a shard').toBeGreaterThan(0);
    const watermark = await store.readWatermark(index!.incarnation);
    expect(watermark).toBeGreaterThanOrEqual(this.watermark);
    this.watermark = watermark;

    const { rows } = await store.listTasks({ limit: 200, reverse: true });
    const firstOpen = rows.findIndex((row) => row.finishedAt === null);
    const inOrder = firstOpen === -1 || rows.slice(firstOpen).every((row) => row.finishedAt === null);
    expect(inOrder, 'tasks of an index finish in order').toBe(true);

    // Every proxy that may still answer, with whatever epoch: it sees all that has succeeded.
    const leased = (await store.readLeases()).map((lease) => lease.oldestEpoch);
    for (const epoch of [topology.epoch, ...leased]) {
      for (const [number, nodes] of (this.readable.get(epoch) ?? []).entries()) {
        for (const id of nodes) {
          const state = index!.shards[number]!.find((replica) => replica.node === id)?.state;
          expect(
            state !== undefined && LIVE_STATES.has(state),
            `${id} serves shard ${number}: ${state}`,
          ).toBe(true);
          for (const row of rows) {
            if (row.finishedAt === null || !this.writes.get(row.uid)?.includes(number)) continue;
            expect(streams.get(id), `${id} at epoch ${epoch} after task ${row.uid}`).toBeGreaterThanOrEqual(
              row.uid,
            );
          }
        }
      }
    }
  }
}

function readableIn(topology: Topology): string[][] {
  return topology.indexes[0]!.shards.map((replicas) =>
    replicas.filter((replica) => replica.state === 'in-sync').map((replica) => replica.node),
  );
}

// A transaction on a server takes longer; the rules are the same SQL.
const isFull = Boolean(process.env.MIROIR_TEST_FULL);
const RUNS = inject('postgresUrl') ? (isFull ? 60 : 8) : isFull ? 400 : 40;

it('keeps its promises in every interleaving', { timeout: isFull ? 1_800_000 : 300_000 }, async () => {
  const steps = fc.array(step, { minLength: 10, maxLength: 45 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const fleet = await StoreFleet.open(NODES);
      try {
        await fleet.createIndex('books', [
          ['a', 'b'],
          ['b', 'c'],
        ]);
        const model = new Model(fleet);
        for (const one of all) {
          await model.run(one);
          await model.check();
        }
      } finally {
        await fleet.close();
      }
    }),
    { numRuns: RUNS },
  );
});
