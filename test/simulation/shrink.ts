// Cuts a failing script down: as long as it still fails, with as few actions as can be.
import { type RunOptions, runScript } from './run.js';
import type { Script } from './script.js';

/** Runs at most so many scripts. */
const MOST_RUNS = 60;

export async function shrink(script: Script, options: RunOptions): Promise<Script> {
  let best = script;
  let runs = 0;
  const fails = async (candidate: Script) => {
    runs += 1;
    return (await runScript(candidate, options)).violations.length > 0;
  };
  for (
    let size = Math.ceil(best.actions.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = best.actions.length - size; at > -size && runs < MOST_RUNS; at -= size) {
      const from = Math.max(0, at);
      const actions = [...best.actions.slice(0, from), ...best.actions.slice(from + size)];
      if (actions.length === best.actions.length) continue;
      const candidate = { ...best, actions };
      if (await fails(candidate)) best = candidate;
    }
  }
  return best;
}
