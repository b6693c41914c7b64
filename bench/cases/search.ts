// Searches through the proxy against a bare pass-through to the same node: added latency, and processor time a query.
import { setTimeout as sleep } from 'node:timers/promises';

import type { Output } from '../../up/output.js';
import { loadSynsets } from '../../up/tour/corpus.js';
import { BenchFleet } from '../bench-fleet.js';
import { searchTexts, toBatches } from '../corpus.js';
import { burst, compareLatencies, httpTarget, type Target } from '../load.js';
import type { Measure } from '../result.js';
import { median, percentile } from '../statistics.js';

export interface Outcome {
  measures: Measure[];
  details: Record<string, number>;
}

const DOCUMENTS = 20_000;
const INDEX = 'synsets';
const WARM_QUERIES = 8_000;
const IDLE_MS = 2_000;

/** One node with RF 1, or three with RF 2; the pass-through always asks the first node. */
export async function measureSearch(nodeCount: 1 | 3, quick: boolean, output: Output): Promise<Outcome> {
  const synsets = await loadSynsets(quick ? DOCUMENTS / 4 : DOCUMENTS);
  const fleet = await BenchFleet.start({ nodeCount, replicationFactor: nodeCount === 1 ? 1 : 2, output });
  try {
    await fleet.fill(INDEX, toBatches(synsets, 5_000));
    const { node } = fleet.node(0);
    const path = `/indexes/${await fleet.physicalName(0, INDEX)}/search`;
    const direct = httpTarget('direct', node.url, path, node.key);
    const passThrough = httpTarget('pass-through', await fleet.startPassThrough(0), path, null);
    const proxy = httpTarget('proxy', fleet.fleet.proxyUrl, `/indexes/${INDEX}/search`, null);
    const targets = [direct, passThrough, proxy];
    const bodies = searchTexts(synsets, quick ? 300 : 1_000).map((q) => JSON.stringify({ q }));
    // Just-in-time compilers settle first, on the queries that are measured afterwards.
    for (const target of targets) {
      for (let sent = 0; sent < WARM_QUERIES; sent += bodies.length) await burst(target, bodies, 8);
    }

    const times = await compareLatencies(targets, bodies);
    const cpu = await compareCpu(fleet, [passThrough, proxy], bodies, quick ? 5 : 11);
    await Promise.all(targets.map((target) => target.close()));
    return nodeCount === 1 ? oneNode(times, cpu) : threeNodes(times, cpu);
  } finally {
    await fleet.stop();
  }
}

/**
 * Microseconds of processor time a query, by target, a sample a round. What a process spends without queries (the proxy
 * looks after its lease) is taken off: on a busy machine it would measure how long the round took.
 */
async function compareCpu(
  fleet: BenchFleet,
  targets: readonly Target[],
  bodies: readonly string[],
  rounds: number,
): Promise<Map<string, number[]>> {
  const spent = new Map(targets.map((target) => [target.name, [] as number[]]));
  const idle = new Map<string, number>();
  for (const { name } of targets) {
    const { cpuMicros, ms } = await spentDuring(fleet, name, () => sleep(IDLE_MS));
    idle.set(name, cpuMicros / ms);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (let step = 0; step < targets.length; step += 1) {
      const target = targets[(round + step) % targets.length]!;
      const { cpuMicros, ms } = await spentDuring(fleet, target.name, () => burst(target, bodies, 8));
      spent.get(target.name)!.push((cpuMicros - idle.get(target.name)! * ms) / bodies.length);
    }
  }
  return spent;
}

async function spentDuring(
  fleet: BenchFleet,
  name: string,
  work: () => Promise<unknown>,
): Promise<{ cpuMicros: number; ms: number }> {
  const before = await fleet.usage(name);
  const startedMs = performance.now();
  await work();
  const ms = performance.now() - startedMs;
  return { cpuMicros: (await fleet.usage(name)).cpuMicros - before.cpuMicros, ms };
}

function oneNode(times: Map<string, number[]>, cpu: Map<string, number[]>): Outcome {
  const added = (name: string) => times.get(name)!.map((time, at) => time - times.get('direct')![at]!);
  const ownMs = added('proxy');
  const yardstickMs = added('pass-through');
  const most = { most: 1.3 };
  return {
    measures: [
      {
        name: 'added latency, median',
        value: median(ownMs) / median(yardstickMs),
        unit: 'ratio',
        target: most,
      },
      { name: 'CPU a query', value: cpuRatio(cpu), unit: 'ratio', target: most },
      {
        name: 'latency over direct, p95',
        value: percentile(times.get('proxy')!, 0.95) / percentile(times.get('direct')!, 0.95),
        unit: 'ratio',
        target: null,
      },
    ],
    details: {
      ...tellTimes(times),
      'added ms proxy': median(ownMs),
      'added ms pass-through': median(yardstickMs),
      ...tellCpu(cpu),
    },
  };
}

function threeNodes(times: Map<string, number[]>, cpu: Map<string, number[]>): Outcome {
  return {
    measures: [{ name: 'CPU a query', value: cpuRatio(cpu), unit: 'ratio', target: { most: 2.5 } }],
    details: { ...tellTimes(times), ...tellCpu(cpu) },
  };
}

/** The median of the rounds' ratios: both halves of a round saw the same load. */
function cpuRatio(cpu: Map<string, number[]>): number {
  const yardstick = cpu.get('pass-through')!;
  return median(cpu.get('proxy')!.map((micros, round) => micros / yardstick[round]!));
}

function tellTimes(times: Map<string, number[]>): Record<string, number> {
  return Object.fromEntries(
    [...times].flatMap(([name, samples]) => [
      [`${name} ms`, median(samples)],
      [`${name} p95 ms`, percentile(samples, 0.95)],
    ]),
  );
}

function tellCpu(cpu: Map<string, number[]>): Record<string, number> {
  return Object.fromEntries([...cpu].map(([name, samples]) => [`${name} CPU ms`, median(samples) / 1_000]));
}
