// Health with hysteresis, and when the fleet heals itself.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeNeed, findNeed, pauseHealing } from '../../shared/core/healing.js';
import { type HealthLimits, type NodeHealth, newHealth, stepHealth } from '../../shared/core/node-health.js';
import type { Replica, Topology } from '../../shared/core/topology.js';

const limits: HealthLimits = { downAfterMs: 10, lostAfterMs: 100, recoverAfterMs: 20, gapMs: 50 };

/** `+` a good answer, `-` a bad one, every 5 ms; digits wait so many steps without an answer. */
function play(script: string, from = newHealth('n1', 0)): NodeHealth {
  let health = from;
  let nowMs = health.observedAtMs;
  for (const sign of script) {
    nowMs += 5 * (/\d/.test(sign) ? Number(sign) : 1);
    if (/\d/.test(sign)) continue;
    health = stepHealth(
      health,
      { isGood: sign === '+', reason: sign === '-' ? 'silent' : null },
      nowMs,
      limits,
    );
  }
  return health;
}

describe('the health of a node', () => {
  it.each([
    ['++++', 'healthy'],
    ['+-', 'suspect'],
    ['-+', 'suspect'],
    ['-++++', 'suspect'],
    ['-+++++', 'healthy'],
    ['---', 'down'],
    ['---++++-', 'down'],
    ['---+++++', 'healthy'],
    [`-${'-'.repeat(19)}`, 'down'],
    [`-${'-'.repeat(20)}`, 'lost'],
    [`-${'-'.repeat(20)}++++-++++`, 'lost'],
    [`-${'-'.repeat(20)}+++++`, 'healthy'],
    // It comes and goes: never long enough to count as back.
    [`${'-++'.repeat(8)}`, 'lost'],
  ])('%s is %s', (script, state) => {
    expect(play(script).state).toBe(state);
  });

  it('is not made worse by a pause of the observer, and forgets nothing of what was known before', () => {
    const down = play('---');
    expect(play(`999-`, down)).toMatchObject({ state: 'down', badSinceMs: 155 });
    expect(play('999++++', play('-')).state).toBe('suspect');
    expect(play('999+', play('---++++')).state).toBe('down');
  });

  it('is never lost where that is switched off', () => {
    let health = newHealth('n1', 0);
    for (let nowMs = 0; nowMs < 10_000; nowMs += 5)
      health = stepHealth(health, { isGood: false, reason: 'silent' }, nowMs, { ...limits, lostAfterMs: 0 });
    expect(health.state).toBe('down');
  });

  it('reaches a state only after its time of bad answers, and healthy only after good ones', () => {
    const steps = fc.array(fc.record({ isGood: fc.boolean(), afterMs: fc.integer({ min: 1, max: 40 }) }));
    fc.assert(
      fc.property(steps, (all) => {
        let health = newHealth('n1', 0);
        let nowMs = 0;
        let lastBadMs = Number.NEGATIVE_INFINITY;
        for (const { isGood, afterMs } of all) {
          nowMs += afterMs;
          const before = health;
          health = stepHealth(health, { isGood, reason: null }, nowMs, limits);
          if (!isGood) lastBadMs = nowMs;
          if (health.state === 'lost' && before.state !== 'lost') {
            expect(isGood).toBe(false);
            expect(nowMs - health.badSinceMs!).toBeGreaterThanOrEqual(limits.lostAfterMs);
          }
          if (health.state === 'healthy' && before.state !== 'healthy')
            expect(nowMs - lastBadMs).toBeGreaterThanOrEqual(limits.recoverAfterMs);
          if (isGood && health.state !== 'healthy') expect(health.state).toBe(before.state);
          expect(health.sinceMs).toBeLessThanOrEqual(nowMs);
        }
      }),
    );
  });
});

const at = (node: string, state: NodeHealth['state'], more: Partial<NodeHealth> = {}): NodeHealth => ({
  ...newHealth(node, 0),
  state,
  ...more,
});

function topology(...shards: Replica[][]): Topology {
  const index = { uid: 'birds', incarnation: 1, deletedSeq: null, replicationFactor: 2, shards };
  const nodes = ['n1', 'n2', 'n3', 'n4'].map((id) => ({ id, state: 'active' }));
  return { nodes, indexes: [index] } as unknown as Topology;
}

const held = (node: string, state: Replica['state'] = 'in-sync', moveId: string | null = null): Replica => ({
  node,
  state,
  moveId,
  sinceEpoch: 1,
});

describe('healing', () => {
  const demoted = held('n2', 'joined');
  const diverged = held('n2', 'joined', 'diverged/7');

  it.each<[string, Topology, NodeHealth[], string | null]>([
    ['a fleet as it should be', topology([held('n1'), held('n2')]), [], null],
    ['a node that is only down', topology([held('n1'), demoted]), [at('n2', 'down')], null],
    [
      'a lost node',
      topology([held('n1'), demoted]),
      [at('n2', 'lost')],
      '1 shards have too few replicas, for n2 is lost',
    ],
    ['one that was healed already', topology([held('n1'), demoted, held('n3')]), [at('n2', 'lost')], null],
    [
      'a shard that is lost altogether',
      topology([held('n2'), held('n3')].slice(0, 1)),
      [at('n2', 'lost')],
      null,
    ],
    ['a diverged replica', topology([held('n1'), diverged]), [], '1 replicas differ and are copied anew'],
    ['one on a node that is away', topology([held('n1'), diverged]), [at('n2', 'suspect')], null],
    [
      'a node that is back',
      topology([held('n1')]),
      [at('n2', 'healthy', { healedAway: true })],
      'n2 is back: what is too much goes',
    ],
  ])('%s', (_, fleet, health, cause) => {
    expect(describeNeed(findNeed(fleet, health), health)).toBe(cause);
  });

  it('waits while half of the fleet or more is away', () => {
    const fleet = topology();
    expect(pauseHealing(fleet, [at('n1', 'lost')])).toBeNull();
    expect(pauseHealing(fleet, [at('n1', 'lost'), at('n2', 'suspect')])).toBeNull();
    expect(pauseHealing(fleet, [at('n1', 'lost'), at('n2', 'down')])).toMatch(/2 of 4 nodes are away/);
  });
});
