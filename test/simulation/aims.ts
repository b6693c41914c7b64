// Histories with more of what a variant that is broken on purpose is met with; all else in them stays as it was.
import { Random } from './random.js';
import { type Action, type Script, writeOf } from './script.js';

const CHANGE_MS = 4_000;

/** Many writes and searches around each change, while nodes are slow, or down for long enough to be demoted. */
export function restless(script: Script): Script {
  const random = new Random(script.seed ^ 0x5bd1e995);
  const actions = [...script.actions];
  const add = (action: object) => actions.push({ ...action, choice: random.below(1_000_000) } as Action);
  let version = 1_000;
  for (const fromMs of changesOf(script)) {
    for (let atMs = fromMs; atMs < fromMs + CHANGE_MS; atMs += random.between(20, 120))
      add({ atMs, do: 'search', uid: 'books' });
    for (let atMs = fromMs; atMs < fromMs + CHANGE_MS; atMs += random.between(40, 200))
      add({ atMs, do: 'write', uid: 'books', write: writeOf(random, () => ++version) });
    const atMs = fromMs + random.between(0, 1_500);
    add(
      random.chance(0.5)
        ? { atMs, do: 'slow node', ms: 3_000, factor: random.pick([20, 60]) }
        : { atMs, do: 'node down', ms: random.pick([1_800, 2_500]) },
    );
  }
  return inOrder(script, actions);
}

/** Short retentions, and rollbacks that come when these are just over. */
export function manyRollbacks(script: Script): Script {
  const random = new Random(script.seed ^ 0x1b873593);
  const actions = script.actions.map((action) =>
    action.do === 'change' ? { ...action, retentionMs: random.between(500, 1_500) } : action,
  );
  for (const fromMs of changesOf(script))
    for (let atMs = fromMs + 800; atMs < fromMs + CHANGE_MS; atMs += random.between(50, 200))
      actions.push({
        atMs,
        do: 'change',
        kind: 'rollback',
        retentionMs: 800,
        choice: random.below(1_000_000),
      });
  return inOrder(script, actions);
}

const changesOf = (script: Script) =>
  script.actions.filter((action) => action.do === 'change').map(({ atMs }) => atMs);

function inOrder(script: Script, actions: Action[]): Script {
  return { ...script, actions: actions.sort((left, right) => left.atMs - right.atMs) };
}
