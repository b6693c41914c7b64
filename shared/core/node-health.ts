// The health of a node, from what is seen of it again and again. With hysteresis: one bad answer makes it suspect, only
// a lasting good time makes it healthy again, and a node that comes and goes does not count as back.
import type { NodeId } from './topology.js';

export const HEALTH_STATES = ['healthy', 'suspect', 'down', 'lost'] as const;
/** `lost`: gone for so long that its shards are to be copied elsewhere. */
export type HealthState = (typeof HEALTH_STATES)[number];

export interface NodeHealth {
  node: NodeId;
  state: HealthState;
  /** When it got its state. */
  sinceMs: number;
  /** The first bad answer since it was healthy, or null. */
  badSinceMs: number | null;
  /** The first good answer since the last bad one, or null while it is healthy or bad. */
  goodSinceMs: number | null;
  observedAtMs: number;
  /** What was wrong last; null while it is healthy. */
  reason: string | null;
  /** Its shards were copied elsewhere while it was lost: what is too much goes once it is back. */
  healedAway: boolean;
}

export interface HealthLimits {
  downAfterMs: number;
  /** 0: never. */
  lostAfterMs: number;
  recoverAfterMs: number;
  /** After a pause of the observer as long as this nothing is known of the time in between. */
  gapMs: number;
}

export interface Observation {
  isGood: boolean;
  reason: string | null;
}

/** A node that nobody has looked at before. */
export function newHealth(node: NodeId, nowMs: number): NodeHealth {
  return {
    node,
    state: 'healthy',
    sinceMs: nowMs,
    badSinceMs: null,
    goodSinceMs: null,
    observedAtMs: nowMs,
    reason: null,
    healedAway: false,
  };
}

export function stepHealth(
  before: NodeHealth,
  seen: Observation,
  nowMs: number,
  limits: HealthLimits,
): NodeHealth {
  const isGap = nowMs - before.observedAtMs > limits.gapMs;
  const known = isGap ? { ...before, goodSinceMs: null, badSinceMs: before.badSinceMs && nowMs } : before;
  const next = seen.isGood ? stepGood(known, nowMs, limits) : stepBad(known, seen, nowMs, limits);
  return { ...next, sinceMs: next.state === before.state ? before.sinceMs : nowMs, observedAtMs: nowMs };
}

function stepGood(before: NodeHealth, nowMs: number, limits: HealthLimits): NodeHealth {
  if (before.state === 'healthy') return before;
  const goodSinceMs = before.goodSinceMs ?? nowMs;
  if (nowMs - goodSinceMs < limits.recoverAfterMs) return { ...before, goodSinceMs };
  return { ...before, state: 'healthy', badSinceMs: null, goodSinceMs: null, reason: null };
}

function stepBad(before: NodeHealth, seen: Observation, nowMs: number, limits: HealthLimits): NodeHealth {
  const badSinceMs = before.badSinceMs ?? nowMs;
  const badMs = nowMs - badSinceMs;
  const reached: HealthState =
    limits.lostAfterMs > 0 && badMs >= limits.lostAfterMs
      ? 'lost'
      : badMs >= limits.downAfterMs
        ? 'down'
        : 'suspect';
  // It may have been worse before the observer paused: only good answers make it better.
  const isWorse = HEALTH_STATES.indexOf(reached) > HEALTH_STATES.indexOf(before.state);
  const state = isWorse ? reached : before.state;
  return { ...before, state, badSinceMs, goodSinceMs: null, reason: seen.reason };
}
