// Properties of routing: every shard exactly once, by an in-sync holder, with as few nodes as possible.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseReplicas } from '../../shared/core/routing.js';
import { sampleIndex, sampleReplica } from '../support/sample-topology.js';

const indexArb = (nodeCount: number, maxShards: number) =>
  fc
    .array(
      fc.uniqueArray(
        fc.tuple(
          fc.nat(nodeCount - 1),
          fc.constantFrom('in-sync', 'in-sync', 'in-sync', 'joined', 'retained', 'copying'),
        ),
        { selector: ([node]) => node, maxLength: 4 },
      ),
      { minLength: 1, maxLength: maxShards },
    )
    .map((shards) =>
      sampleIndex(
        shards.map((replicas) =>
          replicas.map(([node, state]) => sampleReplica(`n${node}`, state as 'in-sync')),
        ),
      ),
    );

const optionsArb = fc.record({
  costs: fc.array(fc.constantFrom(0, 0.5, 1, 10, 500, Number.POSITIVE_INFINITY), {
    minLength: 30,
    maxLength: 30,
  }),
  stickyKey: fc.integer(),
  excluded: fc.uniqueArray(fc.nat(29), { maxLength: 3 }),
});

function route(
  index: ReturnType<typeof sampleIndex>,
  options: typeof optionsArb extends fc.Arbitrary<infer T> ? T : never,
) {
  return chooseReplicas(index, {
    cost: (node) => options.costs[Number(node.slice(1))]!,
    stickyKey: options.stickyKey,
    exclude: new Set(options.excluded.map((node) => `n${node}`)),
  });
}

describe('routing', () => {
  it('covers every shard exactly once by a replica that may be asked, or says that it cannot', () => {
    fc.assert(
      fc.property(fc.oneof(indexArb(6, 24), indexArb(30, 64)), optionsArb, (index, options) => {
        const { assignments, unavailable } = route(index, options);
        const seen = [...assignments.values()].flat().concat(unavailable);
        expect(seen.sort((a, b) => a - b)).toEqual(index.shards.map((_, shard) => shard));
        const holders = index.shards.map((replicas) =>
          replicas
            .filter(
              (replica) =>
                replica.state === 'in-sync' && !options.excluded.includes(Number(replica.node.slice(1))),
            )
            .map((replica) => replica.node),
        );
        for (const shard of unavailable) expect(holders[shard]).toEqual([]);
        for (const [node, shards] of assignments) {
          expect(shards.length).toBeGreaterThan(0);
          for (const shard of shards) {
            expect(holders[shard]).toContain(node);
            const down = (id: string) => options.costs[Number(id.slice(1))] === Number.POSITIVE_INFINITY;
            if (down(node)) expect(holders[shard]!.every(down)).toBe(true);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it('asks no more nodes than any choice must', () => {
    fc.assert(
      fc.property(indexArb(7, 16), fc.integer(), (index, stickyKey) => {
        const { assignments } = chooseReplicas(index, { cost: () => 1, stickyKey, exclude: new Set() });
        const holders = index.shards
          .map((replicas) =>
            replicas.filter((replica) => replica.state === 'in-sync').map((replica) => replica.node),
          )
          .filter((nodes) => nodes.length > 0);
        for (let subset = 0; subset < 1 << 7; subset++) {
          const chosen = new Set(Array.from({ length: 7 }, (_, at) => at).filter((at) => subset & (1 << at)));
          const covers = holders.every((nodes) => nodes.some((node) => chosen.has(Number(node.slice(1)))));
          if (covers) expect(assignments.size).toBeLessThanOrEqual(chosen.size);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('drops no coverage and keeps no superfluous node in a large fleet', () => {
    fc.assert(
      fc.property(indexArb(30, 64), fc.integer(), (index, stickyKey) => {
        const { assignments } = chooseReplicas(index, { cost: () => 1, stickyKey, exclude: new Set() });
        for (const node of assignments.keys()) {
          const others = new Set([...assignments.keys()].filter((other) => other !== node));
          const needed = index.shards.some((replicas) => {
            const readable = replicas.filter((replica) => replica.state === 'in-sync');
            return readable.length > 0 && !readable.some((replica) => others.has(replica.node));
          });
          expect(needed).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});
