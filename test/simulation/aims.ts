// Histories with more of what a variant that is broken on purpose is met with; all else in them stays as it was.
import type { Write } from './model.js';
import { Random } from './random.js';
import { type Action, COLOURS, type Script, writeOf } from './script.js';

const CHANGE_MS = 4_000;

/** Many writes and searches around each change, while nodes are slow, or down for long enough to be demoted. */
export function restless(script: Script): Script {
  const { random, actions, add } = begin(script, 0x5bd1e995);
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

/** The node that is copied to falls behind just before a flip, while others go on. */
export function slowBeforeFlip(script: Script): Script {
  const { random, actions, add } = begin(script, 0x38b34ae5);
  let version = 1_000;
  for (const fromMs of changesOf(script)) {
    for (let count = 0; count < 2; count += 1) {
      const trap = { point: 'flip.begin', count: 1, stopMs: random.between(300, 900), slowMs: 2_500 };
      add({ atMs: fromMs - 100, do: 'trap', trap });
    }
    for (let atMs = fromMs; atMs < fromMs + CHANGE_MS; atMs += random.between(40, 160))
      add({ atMs, do: 'write', uid: 'books', write: colourful(random, () => ++version) });
    for (let atMs = fromMs; atMs < fromMs + CHANGE_MS; atMs += random.between(30, 90))
      add({ atMs, do: 'search', uid: 'books' });
  }
  return inOrder(script, actions.map(asAddition));
}

/** Nodes are added that index slowly, so that their streams are behind what was copied to them. */
export function slowTargets(script: Script): Script {
  const { random, actions, add } = begin(script, 0x38b34ae5);
  for (const fromMs of changesOf(script)) {
    add({
      atMs: fromMs + 100,
      do: 'slow node',
      ms: CHANGE_MS,
      factor: random.pick([6, 12, 25]),
      newest: true,
    });
    addBursts(fromMs, random, add);
  }
  return inOrder(script, actions.map(asAddition));
}

/** Every stream keeps up with what is written, while moves stand still between their copy and their replay. */
export function heldLong(script: Script): Script {
  const { random, actions, add } = begin(script, 0x2c1b3c6d);
  for (const fromMs of changesOf(script)) {
    const point = random.pick(['copy.chunk', 'join.requested', 'store.endCopy']);
    const trap = { point, count: random.between(1, 3), stopMs: random.between(400, 1_500) };
    add({ atMs: fromMs - 100, do: 'trap', trap });
    addBursts(fromMs, random, add);
  }
  const shape = { ...script.shape, slowness: script.shape.slowness.map(() => 1) };
  return inOrder({ ...script, shape }, actions.map(asAddition));
}

/** Many writes at once, then none for a while, in which a difference stays what it is. */
function addBursts(fromMs: number, random: Random, add: (action: object) => void): void {
  let version = 1_000;
  for (let id = 0; id < 9; id += 1) {
    const documents = [{ id: `d${id}`, colour: random.pick(COLOURS), f0: ++version }];
    add({ atMs: fromMs - 300 + 20 * id, do: 'write', uid: 'books', write: { kind: 'put', documents } });
  }
  let atMs = fromMs + random.between(0, 300);
  while (atMs < fromMs + CHANGE_MS) {
    const endMs = atMs + random.between(200, 600);
    for (; atMs < endMs; atMs += random.between(6, 30))
      add({ atMs, do: 'write', uid: 'books', write: colourful(random, () => ++version) });
    atMs += random.between(600, 1_500);
  }
}

/** Workers stop at any moment, for long enough that others take over, and wake among many writes and searches. */
export function sleepers(script: Script): Script {
  const { random, actions, add } = begin(script, 0x297a2d39);
  let version = 1_000;
  for (let atMs = 900; atMs < script.endMs; atMs += random.between(700, 1_800))
    add({ atMs, do: 'stop worker', ms: random.between(2_600, 5_000) });
  for (let atMs = 800; atMs < script.endMs; atMs += random.between(500, 1_500)) {
    const point = random.pick(['store.takeOverStream', 'store.takeOverStream', 'store.confirmEntries']);
    const trap = { point, count: random.between(1, 2), stopMs: random.between(2_600, 5_000) };
    add({ atMs, do: 'trap', trap });
  }
  for (let atMs = 800; atMs < script.endMs; atMs += random.between(20, 160))
    add({ atMs, do: 'write', uid: 'books', write: writeOf(random, () => ++version) });
  for (let atMs = 800; atMs < script.endMs; atMs += random.between(40, 160))
    add({ atMs, do: 'search', uid: 'books' });
  const shape = { ...script.shape, strikes: 0.01, workers: 3 };
  return inOrder({ ...script, shape }, actions);
}

/** Searches are on their way for long, or their proxies stop just before they ask, while sources go at once. */
export function lateSearches(script: Script): Script {
  const { random, actions, add } = begin(script, 0x165667b1);
  for (const fromMs of changesOf(script)) {
    for (let count = 0; count < 3; count += 1) {
      const trap = {
        point: 'search.asked',
        count: random.between(1, 10),
        stopMs: random.between(3_200, 6_000),
      };
      add({ atMs: fromMs + random.between(-200, 500), do: 'trap', trap });
    }
    for (let atMs = fromMs - 200; atMs < fromMs + CHANGE_MS; atMs += random.between(15, 60))
      add({ atMs, do: 'search', uid: 'books' });
  }
  const hurried = actions.map((action) => (action.do === 'change' ? { ...action, retentionMs: 0 } : action));
  return inOrder({ ...script, shape: { ...script.shape, lateSearches: 0.25 } }, hurried);
}

/** Planners fall asleep just before they save their plan, and wake when the moves of another plan are under way. */
export function latePlanners(script: Script): Script {
  const { random, actions, add } = begin(script, 0x1f123bb5);
  for (const fromMs of changesOf(script)) {
    const trap = { point: 'store.planMoves', count: 1, stopMs: random.between(2_600, 4_500) };
    add({ atMs: fromMs - 50, do: 'trap', trap });
  }
  return slowTargets(inOrder(script, actions));
}

/** Patches that keep what is there, and deletions by what they change. */
function colourful(random: Random, version: () => number): Write {
  const id = `d${random.below(9)}`;
  const colour = random.pick(COLOURS);
  const what = random.next();
  if (what < 0.1) return { kind: 'delete-by-filter', field: 'colour', value: colour };
  if (what < 0.75) return { kind: 'patch', documents: [{ id, colour }] };
  return { kind: 'put', documents: [{ id, colour, f0: version() }] };
}

function asAddition(action: Action): Action {
  return action.do === 'change' && action.kind !== 'rollback' ? { ...action, kind: 'add' } : action;
}

function begin(script: Script, salt: number) {
  const random = new Random(script.seed ^ salt);
  const actions = [...script.actions];
  const add = (action: object) => actions.push({ ...action, choice: random.below(1_000_000) } as Action);
  return { random, actions, add };
}

const changesOf = (script: Script) =>
  script.actions.filter((action) => action.do === 'change').map(({ atMs }) => atMs);

function inOrder(script: Script, actions: Action[]): Script {
  return { ...script, actions: actions.sort((left, right) => left.atMs - right.atMs) };
}
