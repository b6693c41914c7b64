// The activities of the watch over the fleet.
import { withBeat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { type HealingCall, watchHealth } from './watch.js';

/** Then the workflow continues as new, so that its history stays short. */
const WATCH_MS = 3_600_000;

export function healthActivities(
  deps: ActivityDeps & { heartbeatIntervalMs: number; isEnding: () => boolean },
) {
  return {
    watchHealth: (): Promise<HealingCall | null> =>
      withBeat(deps.heartbeatIntervalMs, (beat) => {
        const endMs = deps.clock.nowMs() + WATCH_MS;
        return watchHealth(deps, () => deps.isEnding() || deps.clock.nowMs() > endMs, beat);
      }),

    /** What is copied elsewhere goes again when its node is back. */
    noteHealing: (lost: string[]): Promise<void> => deps.store.setHealedAway(lost, true),
  };
}
