// The BM25 mode as it is served: a fleet of ten badly skewed nodes beside one node with everything, both through the
// proxy. Compared are the orders of hits, and the time that the preflight takes.
import { Pool } from 'undici';
import type { NodeProgram } from '../../up/nodes.js';
import { kendallTau } from '../exactness/comparison.js';
import { ExactFleet } from '../exactness/fleet.js';
import type { World } from '../exactness/worlds.js';
import { percentile } from '../statistics.js';
import type { BenchCorpus } from './corpus.js';
import type { TauTally } from './simulation.js';

export interface LatencyRow {
  name: string;
  queries: number;
  p50Ms: number;
  p95Ms: number;
  meanMs: number;
}

export interface FleetResult {
  nodes: number;
  documents: number;
  queries: number;
  /** Queries with the very hits of one node, in its order, and those with others. */
  sameHits: number;
  otherHits: string[];
  tallies: TauTally[];
  latencies: LatencyRow[];
}

const NODES = 10;
const SETTINGS = { searchableAttributes: ['word', 'text'], typoTolerance: { enabled: false } };

export interface FleetPlan {
  queries: readonly (readonly string[])[];
  /** How many of them are also ranked without statistics of the whole corpus. */
  compared: number;
  /** How many of them are asked one by one, to see how long each takes. */
  timed: number;
  /** Queries at a time where no time is taken. */
  connections: number;
}

/** Loads both, asks every query of both, and answers what was measured. */
export async function measureFleet(
  corpus: BenchCorpus,
  plan: FleetPlan,
  program: NodeProgram,
  say: (line: string) => void,
): Promise<FleetResult> {
  const world: World = {
    name: 'synsets',
    settings: SETTINGS,
    documents: [],
    texts: corpus.documents.map((document) => JSON.stringify(document)),
    vocabulary: { lines: [], all: [], common: [], rare: [] },
    needsVectors: false,
  };
  const reference = await start({ nodes: 1, replicationFactor: 1, skew: 'even' }, world, program, say);
  try {
    say(`one node answers ${plan.queries.length} queries`);
    const expected = await askAll(reference, plan.queries, 'dfs', plan.connections);
    await reference.stop();
    const fleet = await start({ nodes: NODES, replicationFactor: 1, skew: 'bad' }, world, program, say);
    try {
      return await compare(fleet, corpus, plan, expected.ids, say);
    } finally {
      await fleet.stop();
    }
  } catch (error) {
    reference.kill();
    throw error;
  }
}

/** The fleet records lengths as documents are written; the one node reads them through, so each checks the other. */
async function start(
  shape: Parameters<typeof ExactFleet.start>[0],
  world: World,
  program: NodeProgram,
  say: (line: string) => void,
): Promise<ExactFleet> {
  say(`${shape.nodes} nodes start and load ${world.texts.length} documents`);
  const fleet = await ExactFleet.start(shape, program, say);
  await fleet.load(world, shape.skew === 'bad' ? 'dfs' : null);
  return fleet;
}

async function compare(
  fleet: ExactFleet,
  corpus: BenchCorpus,
  { queries, compared, timed, connections }: FleetPlan,
  expected: readonly (readonly string[])[],
  say: (line: string) => void,
): Promise<FleetResult> {
  say(`the fleet answers ${queries.length} queries`);
  const dfs = await askAll(fleet, queries, 'dfs', connections);
  const some = queries.slice(0, compared);
  say(`and ${some.length} of them with other rankings`);
  const local = await askAll(fleet, some, 'local', connections);
  const plain = await askAll(fleet, some, 'none', connections);
  // Drawn from the end: the cache keeps what was asked last.
  const sample = queries.slice(-timed);
  say(`and ${sample.length} one by one`);
  const alone = await askAll(fleet, sample, 'none', 1);
  const cold = await askAll(fleet, sample.filter((query) => query.length > 1).map(reversed), 'dfs', 1);
  await askAll(fleet, sample, 'dfs', connections);
  const cached = await askAll(fleet, sample, 'dfs', 1);
  const tally = (name: string, given: readonly (readonly string[])[]): TauTally => {
    const taus = given.map((ids, at) => kendallTau(ids, expected[at]!) ?? 1);
    return {
      name,
      sum: taus.reduce((sum, tau) => sum + tau, 0),
      queries: taus.length,
      below: taus.filter((tau) => tau < 1).length,
    };
  };
  const latency = (name: string, { ms }: Asked): LatencyRow => ({
    name,
    queries: ms.length,
    p50Ms: percentile(ms, 0.5),
    p95Ms: percentile(ms, 0.95),
    meanMs: ms.reduce((sum, one) => sum + one, 0) / ms.length,
  });
  const others = queries.filter((_, at) => dfs.ids[at]!.join() !== expected[at]!.join());
  return {
    nodes: NODES,
    documents: corpus.documents.length,
    queries: queries.length,
    sameHits: queries.length - others.length,
    otherHits: others.map((query) => query.join(' ')),
    tallies: [
      tally('plain merge by ranking score details', plain.ids),
      tally('local', local.ids),
      tally('DFS', dfs.ids),
    ],
    latencies: [
      latency('100 hits, no scoring', alone),
      latency('DFS, statistics gathered', cold),
      latency('DFS, statistics cached', cached),
    ],
  };
}

/** Terms in another order need other statistics of their last word, and so miss the cache. */
function reversed(query: readonly string[]): string[] {
  return [...query].reverse();
}

interface Asked {
  ids: string[][];
  ms: number[];
}

/** Asks all queries, so many at a time; answers are in the order of the queries. */
async function askAll(
  fleet: ExactFleet,
  queries: readonly (readonly string[])[],
  scoring: 'dfs' | 'local' | 'none',
  connections: number,
): Promise<Asked> {
  const pool = new Pool(fleet.api.url, { connections });
  const out: Asked = { ids: [], ms: [] };
  let next = 0;
  const ask = async () => {
    for (let at = next++; at < queries.length; at = next++) {
      const startedMs = performance.now();
      const answer = await pool.request({
        method: 'POST',
        path: '/indexes/synsets/search',
        headers: { 'content-type': 'application/json', 'x-miroir-scoring': scoring },
        body: JSON.stringify({ q: `${queries[at]!.join(' ')} `, limit: 100, attributesToRetrieve: ['id'] }),
      });
      const text = await answer.body.text();
      out.ms[at] = performance.now() - startedMs;
      if (answer.statusCode !== 200) throw new Error(`${queries[at]!.join(' ')}: ${text}`);
      const { hits } = JSON.parse(text) as { hits: { id: number }[] };
      out.ids[at] = hits.map(({ id }) => String(id));
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, ask));
  } finally {
    await pool.close();
  }
  return out;
}
