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
  p50Ms: number;
  p95Ms: number;
}

export interface FleetResult {
  nodes: number;
  documents: number;
  queries: number;
  tallies: TauTally[];
  latencies: LatencyRow[];
}

const NODES = 10;
const SETTINGS = { searchableAttributes: ['word', 'text'], typoTolerance: { enabled: false } };

/** Loads both, asks every query of both, and answers what was measured. */
export async function measureFleet(
  corpus: BenchCorpus,
  queries: readonly (readonly string[])[],
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
    const expected = await askAll(reference, queries, 'dfs');
    await reference.stop();
    const fleet = await start({ nodes: NODES, replicationFactor: 1, skew: 'bad' }, world, program, say);
    try {
      return await compare(fleet, corpus, queries, expected.ids);
    } finally {
      await fleet.stop();
    }
  } catch (error) {
    reference.kill();
    throw error;
  }
}

async function start(
  shape: Parameters<typeof ExactFleet.start>[0],
  world: World,
  program: NodeProgram,
  say: (line: string) => void,
): Promise<ExactFleet> {
  say(`${shape.nodes} nodes start and load ${world.texts.length} documents`);
  const fleet = await ExactFleet.start(shape, program, say);
  await fleet.load(world);
  return fleet;
}

async function compare(
  fleet: ExactFleet,
  corpus: BenchCorpus,
  queries: readonly (readonly string[])[],
  expected: readonly (readonly string[])[],
): Promise<FleetResult> {
  const plain = await askAll(fleet, queries, null);
  const local = await askAll(fleet, queries, 'local');
  // The second time nothing was written meanwhile, so that statistics are in the cache.
  const again = await askAll(fleet, queries, 'dfs');
  const cold = await askAll(fleet, queries.filter((query) => query.length > 1).map(reversed), 'dfs');
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
    p50Ms: percentile(ms, 0.5),
    p95Ms: percentile(ms, 0.95),
  });
  return {
    nodes: NODES,
    documents: corpus.documents.length,
    queries: queries.length,
    tallies: [
      tally('plain merge by ranking score details', plain.ids),
      tally('local', local.ids),
      tally('DFS', again.ids),
    ],
    latencies: [
      latency('100 hits, no scoring', plain),
      latency('DFS, statistics gathered', cold),
      latency('DFS, statistics cached', again),
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

/** Asks one query after the other: latencies without waiting for one another. */
async function askAll(
  fleet: ExactFleet,
  queries: readonly (readonly string[])[],
  scoring: 'dfs' | 'local' | null,
): Promise<Asked> {
  const pool = new Pool(fleet.api.url, { connections: 1 });
  const out: Asked = { ids: [], ms: [] };
  try {
    for (const query of queries) {
      const startedMs = performance.now();
      const answer = await pool.request({
        method: 'POST',
        path: '/indexes/synsets/search',
        headers: {
          'content-type': 'application/json',
          ...(scoring === null ? {} : { 'x-miroir-scoring': scoring }),
        },
        body: JSON.stringify({ q: `${query.join(' ')} `, limit: 100, attributesToRetrieve: ['id'] }),
      });
      const text = await answer.body.text();
      out.ms.push(performance.now() - startedMs);
      if (answer.statusCode !== 200) throw new Error(`${query.join(' ')}: ${text}`);
      const { hits } = JSON.parse(text) as { hits: { id: number }[] };
      out.ids.push(hits.map(({ id }) => String(id)));
    }
  } finally {
    await pool.close();
  }
  return out;
}
