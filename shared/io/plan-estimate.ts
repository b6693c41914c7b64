// A plan with its sizes: made for a topology with a change's edits, documents counted on the nodes, sizes and times from
// what earlier moves took.
import {
  activeNodes,
  applyEdits,
  type ChangeEdits,
  leavingNodes,
  pureReplacement,
} from '../core/change-edits.js';
import { lostNodes } from '../core/healing.js';
import type { NodeHealth } from '../core/node-health.js';
import type { Hash64 } from '../core/placement.js';
import { type Plan, type PlannedMove, Planner } from '../core/plan.js';
import { type PlanReport, reportPlan } from '../core/plan-report.js';
import type { MoveSample } from '../core/plan-time.js';
import { shardFilter, type Topology } from '../core/topology.js';
import type { NodeClient } from './node-client.js';
import type { Store } from './store.js';

export interface EstimateDeps {
  store: Pick<Store, 'readMoveSamples'>;
  hash: Hash64;
  /** The client of a node, or undefined where it is unknown. */
  client(node: string): Promise<NodeClient | undefined> | NodeClient | undefined;
  /** Called between the indexes of a plan, for callers that answer others meanwhile. */
  pause?(): Promise<void>;
}

export interface EstimateOptions {
  concurrency: number;
  documentsPerSecond: number | null;
}

/** Earlier moves that sizes and times are taken from. */
const SAMPLES = 200;
/** Counts asked for at the same time. */
const AT_ONCE = 8;
const COUNT_TIMEOUT_MS = 5_000;

/** The moves that a change makes, from a topology on which its edits are made already or not. */
export async function planEdits(
  deps: Pick<EstimateDeps, 'hash' | 'pause'>,
  topology: Topology,
  edits: ChangeEdits,
  health: readonly NodeHealth[] = [],
): Promise<Plan> {
  const after = applyEdits(topology, edits);
  const planner = new Planner({
    topology: after,
    desiredNodes: activeNodes(after),
    replaced: pureReplacement(edits),
    lost: lostNodes(health, leavingNodes(edits)),
    hash: deps.hash,
  });
  for (const index of after.indexes) {
    planner.add(index);
    await deps.pause?.();
  }
  return planner.plan();
}

/** The report of a plan for this topology, as it is before the edits. */
export async function estimatePlan(
  deps: EstimateDeps,
  topology: Topology,
  edits: ChangeEdits,
  plan: Plan,
  options: EstimateOptions,
): Promise<PlanReport> {
  const samples = await deps.store.readMoveSamples(SAMPLES);
  const documents = await inTurns(plan.moves, (move) => countDocuments(deps, topology, move));
  const bytesPerDocument = await measureDocuments(deps, topology, plan, samples);
  return reportPlan({ topology, edits, plan, documents, bytesPerDocument, samples, ...options });
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}

/** Null where the node does not answer: a plan is worth something without this number. */
async function countDocuments(
  deps: EstimateDeps,
  topology: Topology,
  move: PlannedMove,
): Promise<number | null> {
  if (move.kind === 'drop') return 0;
  const answer = await ask<{ total: number }>(deps, topology, move, (name) => ({
    method: 'POST',
    path: `/indexes/${name}/documents/fetch`,
    body: JSON.stringify({ limit: 0, filter: shardFilter([move.shard]) }),
  }));
  return answer?.total ?? null;
}

/** What a document of each index takes: as earlier copies counted it, else as a node has stored it. */
async function measureDocuments(
  deps: EstimateDeps,
  topology: Topology,
  plan: Plan,
  samples: readonly MoveSample[],
): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  const unknown = new Map<number, PlannedMove>();
  for (const move of plan.moves) {
    if (sizes.has(move.incarnation) || unknown.has(move.incarnation)) continue;
    const own = samples.filter((sample) => sample.incarnation === move.incarnation);
    const documents = own.reduce((sum, sample) => sum + sample.documents, 0);
    if (documents === 0) unknown.set(move.incarnation, move);
    else sizes.set(move.incarnation, own.reduce((sum, sample) => sum + sample.bytes, 0) / documents);
  }
  await inTurns([...unknown.values()], async (move) => {
    const stats = await ask<{ avgDocumentSize?: number }>(deps, topology, move, (name) => ({
      method: 'GET',
      path: `/indexes/${name}/stats`,
      admin: true,
    }));
    if (stats?.avgDocumentSize) sizes.set(move.incarnation, stats.avgDocumentSize);
  });
  return sizes;
}

async function ask<T>(
  deps: EstimateDeps,
  topology: Topology,
  move: PlannedMove,
  request: (name: string) => Parameters<NodeClient['json']>[0],
): Promise<T | null> {
  const index = topology.indexes.find((candidate) => candidate.incarnation === move.incarnation);
  const name = index?.physicalNames[move.copyFrom];
  if (name === undefined) return null;
  try {
    const client = await deps.client(move.copyFrom);
    const signal = AbortSignal.timeout(COUNT_TIMEOUT_MS);
    return client ? await client.json<T>({ ...request(name), signal }) : null;
  } catch {
    return null;
  }
}
