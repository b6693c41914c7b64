// Watching: every node is probed and its stream's report is read; what is seen goes through the pure core into the store.
// Ends when the fleet is to heal itself.
import { activeNodes } from '../../shared/core/change-edits.js';
import {
  describeNeed,
  findNeed,
  type HealingNeed,
  isHealing,
  lostNodes,
  pauseHealing,
} from '../../shared/core/healing.js';
import {
  type HealthLimits,
  type NodeHealth,
  newHealth,
  type Observation,
  stepHealth,
} from '../../shared/core/node-health.js';
import { planMoves } from '../../shared/core/plan.js';
import type { Topology, TopologyNode } from '../../shared/core/topology.js';
import type { StreamPosition } from '../../shared/io/store.js';
import { type ChangeRow, OPEN_CHANGES } from '../../shared/io/store-changes.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';

const PROBE_MS = 2_000;
const INTERVAL_MS = 1_000;
/** The store is written when something has changed, and so often at least. */
const SAVE_MS = 10_000;
/** After a healing change that failed, was aborted, or left something undone. */
const RETRY_MS = 60_000;

export interface HealingCall {
  cause: string;
  lost: string[];
}

/** Watches until healing is due, or until `isOver`. */
export async function watchHealth(
  deps: ActivityDeps,
  isOver: () => boolean,
  beat: Beat,
): Promise<HealingCall | null> {
  const { store } = deps;
  let savedMs = Number.NEGATIVE_INFINITY;
  let pause = await store.readHealingPause();
  const intervalMs = Math.min(INTERVAL_MS, deps.options.health.recoverAfterMs / 3);
  while (!isOver()) {
    const topology = await store.readTopology();
    const before = await store.readHealth();
    const health = await observe(deps, topology, before);
    const isChanged = health.some((row) =>
      isNews(
        before.find((known) => known.node === row.node),
        row,
      ),
    );
    if (isChanged || deps.clock.nowMs() - savedMs > SAVE_MS) {
      await store.saveHealth(health);
      savedMs = deps.clock.nowMs();
    }
    beat.report({ health: health.map(({ node, state }) => `${node} ${state}`) });
    const decision = deps.options.health.lostAfterMs === 0 ? {} : await decide(deps, topology, health);
    if ((decision.pause ?? null) !== pause) {
      pause = decision.pause ?? null;
      await store.saveHealingPause(pause);
    }
    if (decision.call) return decision.call;
    await beat.sleep(intervalMs);
  }
  return null;
}

function isNews(before: NodeHealth | undefined, row: NodeHealth): boolean {
  return (
    before === undefined ||
    before.state !== row.state ||
    before.badSinceMs !== row.badSinceMs ||
    before.goodSinceMs !== row.goodSinceMs ||
    before.reason !== row.reason
  );
}

async function observe(
  deps: ActivityDeps,
  topology: Topology,
  before: readonly NodeHealth[],
): Promise<NodeHealth[]> {
  const streams = await deps.store.readStreams();
  const limits: HealthLimits = deps.options.health;
  return Promise.all(
    topology.nodes.map(async (node) => {
      const seen = await look(
        deps,
        node,
        streams.find((stream) => stream.node === node.id),
      );
      // Wall time: another worker goes on with it after this one.
      const nowMs = Date.now();
      return stepHealth(
        before.find((row) => row.node === node.id) ?? newHealth(node.id, nowMs),
        seen,
        nowMs,
        limits,
      );
    }),
  );
}

async function look(
  deps: ActivityDeps,
  node: TopologyNode,
  stream: StreamPosition | undefined,
): Promise<Observation> {
  try {
    const client = await deps.nodes.client(node.id);
    await client.json({ method: 'GET', path: '/health', deadlineMs: PROBE_MS });
  } catch (error) {
    return { isGood: false, reason: (error as Error).message };
  }
  // It answers, and still cannot be delivered to: its disk is full, it was wiped, it is another one.
  const reason = stream?.lastError ?? null;
  return { isGood: reason === null, reason };
}

async function decide(
  deps: ActivityDeps,
  topology: Topology,
  health: readonly NodeHealth[],
): Promise<{ call?: HealingCall; pause?: string }> {
  const need = findNeed(topology, health);
  const cause = describeNeed(need, health);
  if (cause === null) return {};
  const paused = pauseHealing(topology, health);
  if (paused !== null) return { pause: paused };
  const change = await deps.store.readLatestChange();
  if (change !== null && OPEN_CHANGES.has(change.status)) return waitFor(change);
  const lost = lostNodes(health, []);
  const plan = planMoves({
    topology,
    lost,
    desiredNodes: activeNodes(topology),
    hash: deps.hash,
  });
  if (!plan.moves.some(isHealing)) return nothingToMove(deps, need, plan.refusal, cause);
  const pause = whyLater(change, cause, Date.now());
  if (pause !== null) return { pause };
  return { call: { cause, lost: [...lost] } };
}

/** Changes run one at a time. One that heals is what is needed, unless it waits for somebody. */
function waitFor({ kind, status }: ChangeRow): { pause?: string } {
  if (kind === 'heal' && status === 'running') return {};
  return { pause: `the change ${kind} is ${status}, and comes first` };
}

/** One that has just failed would fail again. */
function whyLater(change: ChangeRow | null, cause: string, nowMs: number): string | null {
  if (change === null || change.kind !== 'heal' || change.finishedAt === null) return null;
  const waitMs = Date.parse(change.finishedAt) + RETRY_MS - nowMs;
  const hasHelped = change.status === 'done' && change.input.cause !== cause;
  return waitMs > 0 && !hasHelped
    ? `the last healing change was ${change.status}: the next one begins a minute after it`
    : null;
}

async function nothingToMove(
  deps: ActivityDeps,
  need: HealingNeed,
  refusal: string | null,
  cause: string,
): Promise<{ pause?: string }> {
  // It came back before anything was copied elsewhere, or what was too much is gone.
  await deps.store.setHealedAway(need.returned, false);
  if (need.missing === 0 && need.diverged === 0) return {};
  return { pause: `${cause}; ${refusal ?? 'no other node can hold them: add nodes'}` };
}
