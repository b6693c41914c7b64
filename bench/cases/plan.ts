// Planning for a large fleet: 1,000 nodes, 65,536 shards, RF 3, one node more.
import { placeShards } from '../../shared/core/placement.js';
import { planMoves } from '../../shared/core/plan.js';
import type { Topology, TopologyIndex, TopologyNode } from '../../shared/core/topology.js';
import { loadHash } from '../../shared/io/hash.js';
import { median } from '../statistics.js';
import type { Outcome } from './search.js';

const NODES = 1_000;
/** 64 indexes of the most shards that an index may have. */
const INDEXES = 64;
const SHARDS_AN_INDEX = 1_024;
const REPLICATION_FACTOR = 3;

export async function measurePlan(): Promise<Outcome> {
  const hash = await loadHash();
  const nodes: TopologyNode[] = Array.from({ length: NODES + 1 }, (_, at) => ({
    id: `n${at}`,
    url: `http://n${at}`,
    zone: null,
    weight: 1,
    state: 'active',
  }));
  const indexes: TopologyIndex[] = Array.from({ length: INDEXES }, (_, at) => ({
    uid: `i${at}`,
    incarnation: at,
    primaryKey: 'id',
    shardCount: SHARDS_AN_INDEX,
    replicationFactor: REPLICATION_FACTOR,
    settings: {},
    visible: true,
    createdAt: '',
    updatedAt: '',
    deletedSeq: null,
    physicalNames: {},
    shards: placeShards({
      incarnationKey: at,
      shardCount: SHARDS_AN_INDEX,
      replicationFactor: REPLICATION_FACTOR,
      nodes: nodes.slice(0, NODES),
      hash,
    }).map((holders) =>
      holders.map((node) => ({ node, state: 'in-sync' as const, sinceEpoch: 1, moveId: null })),
    ),
  }));
  const topology: Topology = {
    clusterId: 'bench',
    journalId: 'bench',
    epoch: 1,
    replicationFactor: REPLICATION_FACTOR,
    defaultShardCount: 64,
    nextIncarnation: INDEXES,
    nodes,
    indexes,
  };
  const times: number[] = [];
  // One thread and no waiting: the time that an idle processor would take, however busy this one is.
  const processorTimes: number[] = [];
  let moves = 0;
  for (let round = 0; round < 5; round += 1) {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    const plan = planMoves({ topology, desiredNodes: nodes.map((node) => node.id), hash });
    times.push(performance.now() - startedMs);
    const spent = process.cpuUsage(before);
    processorTimes.push((spent.user + spent.system) / 1_000);
    if (plan.refusal !== null) throw new Error(plan.refusal);
    moves = plan.moves.length;
  }
  return {
    measures: [
      {
        name: 'processor time to plan',
        value: median(processorTimes) / 1_000,
        unit: 's',
        target: { most: 1 },
      },
    ],
    details: { moves, 'elapsed ms': median(times), 'slowest ms': Math.max(...times) },
  };
}
