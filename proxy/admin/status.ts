// One screen: is the fleet healthy, if not why, and what to do next.
import type { Topology } from '../../shared/core/topology.js';
import type { ChangeRow, MoveRow } from '../../shared/io/store-changes.js';
import type { ChangeEvent } from '../../shared/io/store-control.js';
import type { VerificationRow } from '../../shared/io/store-verifications.js';
import {
  awayNodes,
  type ChangeProgress,
  type IndexView,
  type NodeView,
  sumProgress,
  viewIndexes,
} from './views.js';

export interface Health {
  verdict: 'healthy' | 'degraded';
  reasons: string[];
}

export interface ChangeSummary extends ChangeProgress {
  /** Why it failed or was aborted, or null. */
  reason: string | null;
  id: string;
  kind: string;
  status: string;
  startedAt: string;
  finishedAt: string | null;
}

/** An idle stream is silent; one that says nothing for so long while entries wait is not run by anybody. */
const STALLED_MS = 30_000;
/** Shards that a reason names. */
const MOST_SHARDS = 32;

export interface StatusInput {
  topology: Topology;
  nodes: NodeView[];
  change: ChangeRow | null;
  moves: MoveRow[];
  nowMs: number;
  /** Why the fleet does not heal itself though it should, or null. */
  healingPause: string | null;
  /** The latest one, or null. */
  verification: VerificationRow | null;
}

/** The verdict with its reasons, and the commands that help. */
export function judgeFleet(input: StatusInput): { health: Health; nextSteps: string[] } {
  const reasons: string[] = [];
  const steps = new Set<string>();
  judgeNodes(input, reasons, steps);
  for (const index of viewIndexes(input.topology, awayNodes(input.nodes))) judgeIndex(index, reasons, steps);
  judgeChange(input, reasons, steps);
  if (input.healingPause !== null) reasons.push(`healing waits: ${input.healingPause}`);
  judgeVerification(input.verification, reasons, steps);
  return {
    health: { verdict: reasons.length === 0 ? 'healthy' : 'degraded', reasons },
    nextSteps: [...steps],
  };
}

function judgeNodes({ topology, nodes }: StatusInput, reasons: string[], steps: Set<string>): void {
  const active = nodes.filter((node) => node.state === 'active').length;
  if (active < topology.replicationFactor) {
    reasons.push(
      `${active} active ${active === 1 ? 'node' : 'nodes'}, but the replication factor is ${topology.replicationFactor}`,
    );
    steps.add('miroir-ctl node add <id>=<url>');
  }
  for (const node of nodes) {
    if (!node.reachable) {
      reasons.push(`node ${node.id} does not answer`);
      steps.add(`check that Meilisearch runs at ${node.url}`);
    }
    if (node.health?.state === 'down' || node.health?.state === 'lost')
      reasons.push(
        `node ${node.id} is ${node.health.state} since ${node.health.since}: ${node.health.reason}`,
      );
    const stream = node.stream;
    if (stream === null) continue;
    const stalledMs = Math.min(stream.silentMs, stream.lagMs);
    if (stalledMs > STALLED_MS) {
      reasons.push(
        `the stream of node ${node.id} has delivered nothing for ${Math.round(stalledMs / 1_000)} s while ${stream.lag} entries wait`,
      );
      steps.add('check that the Temporal server and a worker run: miroir worker');
    }
    if (stream.lastError !== null) reasons.push(`the stream of node ${node.id} fails: ${stream.lastError}`);
    if (node.state === 'drained' && Object.keys(node.replicas).length === 0) {
      steps.add(`miroir-ctl node remove ${node.id}`);
    }
  }
}

function judgeVerification(
  verification: VerificationRow | null,
  reasons: string[],
  steps: Set<string>,
): void {
  if (verification === null || verification.status === 'running' || verification.totals.different === 0)
    return;
  reasons.push(
    `the verification of ${verification.startedAt} found ${verification.totals.different} differences that are not repaired`,
  );
  steps.add('miroir-ctl verify show');
}

function judgeIndex(index: IndexView, reasons: string[], steps: Set<string>): void {
  const { uid, shardCount, replicationFactor, unavailable, unavailableShards, underReplicatedShards } = index;
  if (unavailableShards > 0) {
    const named = unavailable.slice(0, MOST_SHARDS).join(', ');
    const more = unavailableShards > MOST_SHARDS ? ', …' : '';
    reasons.push(
      `${unavailableShards} of ${shardCount} shards of index ${uid} have no in-sync replica on a node that is well: ${named}${more}`,
    );
    steps.add('bring back the nodes that hold them: miroir-ctl node list');
  } else if (underReplicatedShards > 0) {
    reasons.push(
      `${underReplicatedShards} of ${shardCount} shards of index ${uid} have fewer than ${replicationFactor} in-sync replicas`,
    );
    steps.add('miroir-ctl node list');
  }
}

function judgeChange({ change, moves }: StatusInput, reasons: string[], steps: Set<string>): void {
  if (change === null) return;
  if (change.status === 'needs-attention') {
    const failed = moves.filter((move) => move.phase === 'failed');
    reasons.push(`the change ${change.kind} waits for you: ${failed.length} of its moves failed`);
  }
  if (change.status === 'awaiting-approval')
    reasons.push(`the change ${change.kind} waits for you: its first moves are verified, and may flip`);
  // A way back is offered where the change is shown; a healthy fleet needs nothing.
  if (change.status !== 'retaining') for (const step of nextStepsOf(change)) steps.add(step);
}

const NEXT_STEPS: Partial<Record<ChangeRow['status'], readonly string[]>> = {
  running: ['miroir-ctl rebalance status --watch'],
  paused: ['miroir-ctl rebalance resume'],
  'awaiting-approval': ['miroir-ctl rebalance approve', 'miroir-ctl rebalance cancel'],
  'needs-attention': ['retry', 'skip', 'abort'].map((action) => `miroir-ctl rebalance ${action}`),
};

/** What an operator may do about a change as it stands; `sources` of it are kept. */
export function nextStepsOf(change: ChangeRow, sources = 0): string[] {
  const back = `miroir-ctl rebalance rollback ${change.id}`;
  if (change.status === 'retaining') return [back];
  if (isUnfinished(change)) return ['miroir-ctl rebalance start', ...(sources > 0 ? [back] : [])];
  return [...(NEXT_STEPS[change.status] ?? [])];
}

/** Ended with moves undone. A change that was refused before it planned any has left nothing to carry on. */
export function isUnfinished(change: ChangeRow): boolean {
  return isEndedEarly(change) && change.plannedMoves > 0;
}

/** Why a change ended before its end, as its record has it. */
export function reasonOf(change: ChangeRow, events: readonly ChangeEvent[]): string | null {
  const end = events.findLast(({ event }) => event === change.status);
  const reason = end?.detail.reason;
  return isEndedEarly(change) && typeof reason === 'string' ? reason : null;
}

function isEndedEarly({ status }: ChangeRow): boolean {
  return status === 'failed' || status === 'aborted';
}

export function summarizeChange(
  change: ChangeRow,
  moves: MoveRow[],
  events: readonly ChangeEvent[],
  nowMs: number,
): ChangeSummary {
  const { id, kind, status, startedAt, finishedAt } = change;
  const reason = reasonOf(change, events);
  return { reason, id, kind, status, startedAt, finishedAt, ...sumProgress(change, moves, nowMs) };
}
