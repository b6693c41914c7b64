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
  const { random, actions, add, end } = straight(script, 0x38b34ae5);
  for (let count = 0; count < 3; count += 1) {
    const trap = { point: 'flip.begin', count: 1, lateMs: random.between(300, 700), slowMs: 2_000 };
    add({ atMs: ADD_MS - 100, do: 'trap', trap });
  }
  addWrites(random, add, { fromMs: ADD_MS, toMs: 7_000, everyMs: [50, 110] }, put);
  addSearches(random, add, ADD_MS, 7_000);
  return end(actions, { endMs: 7_000 });
}

/** The node that is copied to indexes slowly, so that its stream is behind what was copied to it. */
export function slowTargets(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x38b34ae5);
  const factor = random.pick([4, 8, 16]);
  add({ atMs: ADD_MS + 100, do: 'slow node', ms: CHANGE_MS, factor, newest: true });
  // Then silence, in which a difference stays what it is.
  const toMs = ADD_MS + random.between(1_500, 3_000);
  addWrites(random, add, { fromMs: ADD_MS, toMs, everyMs: [15, 60] }, recolour);
  return end(actions, { shards: 1, endMs: 5_000 });
}

/** Every stream keeps up with what is written, while moves stand still between their copy and their replay. */
export function heldLong(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x2c1b3c6d);
  for (let count = 0; count < 2; count += 1) {
    const point = random.pick(['copy.chunk', 'join.requested', 'store.endCopy']);
    const trap = { point, count: random.between(1, 3), lateMs: random.between(300, 900) };
    add({ atMs: ADD_MS - 100, do: 'trap', trap });
  }
  addBursts(random, add, fresh);
  return end(actions, {});
}

/** Workers stop for long enough that others take over, wherever they are, and wake among many writes and searches. */
export function sleepers(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x297a2d39);
  for (let atMs = 800; atMs < 6_000; atMs += random.between(300, 900)) {
    const stopMs = random.between(2_600, 4_000);
    if (random.chance(0.4)) add({ atMs, do: 'stop worker', ms: stopMs });
    const point = random.pick([
      'store.takeOverStream',
      'store.takeOverStream',
      'store.hasWork',
      'store.readGroup',
    ]);
    add({ atMs, do: 'trap', trap: { point, count: random.between(1, 4), stopMs } });
  }
  addWrites(random, add, { fromMs: 800, toMs: 8_000, everyMs: [10, 90] }, writeOf);
  addSearches(random, add, 800, 8_500);
  return end(
    actions.filter((action) => action.do !== 'change'),
    { strikes: 0.01, workers: 3, endMs: 8_500 },
  );
}

/** Searches are on their way for long, or their proxies stop just before they ask, while sources go at once. */
export function lateSearches(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x165667b1);
  for (let count = 0; count < 2; count += 1) {
    const trap = {
      point: 'search.asked',
      count: random.between(1, 10),
      stopMs: random.between(3_200, 6_000),
    };
    add({ atMs: ADD_MS + random.between(-200, 500), do: 'trap', trap });
  }
  addSearches(random, add, ADD_MS - 200, 5_000);
  return end(actions, { lateSearches: 0.3, endMs: 8_000 });
}

/** Planners fall asleep just before they save their plan, and wake when the moves of another plan are under way. */
export function latePlanners(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x1f123bb5);
  const trap = { point: 'store.planMoves', count: 1, stopMs: random.between(2_600, 4_500) };
  add({ atMs: ADD_MS - 50, do: 'trap', trap });
  add({ atMs: ADD_MS + 500, do: 'slow node', ms: 8_000, factor: random.pick([8, 20, 40]), newest: true });
  addWrites(random, add, { fromMs: ADD_MS, toMs: 7_000, everyMs: [60, 200] }, colourful);
  return end(actions, { endMs: 8_000 });
}

type Add = (action: object) => void;
type Writer = (random: Random, version: () => number) => Write;

const ADD_MS = 1_500;

/** A short history in which nothing breaks but what an aim adds: some documents, then a node is added. */
function straight(script: Script, salt: number) {
  const { random, actions, add } = begin({ ...script, actions: script.actions.slice(0, 2) }, salt);
  for (let id = 0; id < 9; id += 1) {
    const documents = [{ id: `d${id}`, colour: random.pick(COLOURS), f0: id }];
    add({ atMs: 700 + 30 * id, do: 'write', uid: 'books', write: { kind: 'put', documents } });
  }
  add({ atMs: ADD_MS, do: 'change', kind: 'add', retentionMs: 0 });
  const end = (all: Action[], more: Partial<Script['shape']> & { endMs?: number }): Script => {
    const { endMs = 4_500, ...shape } = more;
    const plain = { strikes: 0, lateSearches: 0, slowness: script.shape.slowness.map(() => 1), replicas: 2 };
    return inOrder({ ...script, endMs, shape: { ...script.shape, ...plain, proxies: 2, ...shape } }, all);
  };
  return { random, actions, add, end };
}

function addWrites(
  random: Random,
  add: Add,
  { fromMs, toMs, everyMs }: { fromMs: number; toMs: number; everyMs: readonly [number, number] },
  writer: Writer,
): void {
  let version = 1_000 + fromMs;
  for (let atMs = fromMs; atMs < toMs; atMs += random.between(...everyMs))
    add({ atMs, do: 'write', uid: 'books', write: writer(random, () => ++version) });
}

/** Many writes at once, then none for a while, in which a difference stays what it is. */
function addBursts(random: Random, add: Add, writer: Writer): void {
  for (let fromMs = ADD_MS + random.between(0, 300); fromMs < 4_000; ) {
    const toMs = fromMs + random.between(200, 600);
    addWrites(random, add, { fromMs, toMs, everyMs: [6, 30] }, writer);
    fromMs = toMs + random.between(600, 1_500);
  }
}

function addSearches(random: Random, add: Add, fromMs: number, toMs: number): void {
  for (let atMs = fromMs; atMs < toMs; atMs += random.between(20, 70))
    add({ atMs, do: 'search', uid: 'books' });
}

const put: Writer = (random, version) => ({
  kind: 'put',
  documents: [{ id: `d${random.below(9)}`, colour: random.pick(COLOURS), f0: version() }],
});

/** Patches that keep what is there, and deletions by what they change. */
const colourful: Writer = (random, version) => {
  const id = `d${random.below(9)}`;
  const colour = random.pick(COLOURS);
  const what = random.next();
  if (what < 0.1) return { kind: 'delete-by-filter', field: 'colour', value: colour };
  if (what < 0.75) return { kind: 'patch', documents: [{ id, colour }] };
  return { kind: 'put', documents: [{ id, colour, f0: version() }] };
};

/** Few colours change, so that most are not what they were when an earlier deletion was made. */
const recolour: Writer = (random, version) => {
  const colour = random.pick(COLOURS);
  const what = random.next();
  if (what < 0.07) return { kind: 'delete-by-filter', field: 'colour', value: colour };
  if (what < 0.4) return { kind: 'patch', documents: [{ id: `d${random.below(9)}`, colour }] };
  return { kind: 'put', documents: [{ id: 'other', f0: version() }] };
};

/** Documents that no list of a copy has, and deletions of those that it has. */
const fresh: Writer = (random, version) =>
  random.chance(0.8)
    ? { kind: 'put', documents: [{ id: `e${version()}`, colour: random.pick(COLOURS) }] }
    : { kind: 'delete', ids: [`d${random.below(9)}`] };

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
