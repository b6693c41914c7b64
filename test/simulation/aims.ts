// Histories that lead to what a variant is broken in: with more of it, or straight to it and with nothing else.
import type { Write } from './model.js';
import { Random } from './random.js';
import { type Action, COLOURS, type Script, writeOf } from './script.js';

const CHANGE_MS = 4_000;

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

/**
 * The node that is copied to comes to one deletion by filter after another later than its copy was read. Each matches
 * nothing, for what it would match is given another colour just before; but the copy may have a document that is given
 * that colour just after, and is not touched in between.
 */
export function slowTargets(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x38b34ae5);
  add({ atMs: ADD_MS + 100, do: 'slow node', ms: 2_500, factor: random.between(3, 8), newest: true });
  let atMs = ADD_MS;
  const write = (what: Write) => {
    atMs += random.between(15, 35);
    add({ atMs, do: 'write', uid: 'books', write: what });
  };
  const remove = (value: string) => write({ kind: 'delete-by-filter', field: 'colour', value });
  const paint = (id: string, colour: string) => write({ kind: 'patch', documents: [{ id, colour }] });
  for (let id = 0; id < 9; id += 1) paint(`d${id}`, 'green');
  for (let cycle = 0; atMs < 4_500; cycle += 1) {
    paint(`d${cycle % 9}`, 'red');
    for (let count = random.between(3, 7); count > 0; count -= 1) remove('none');
    paint(`d${cycle % 9}`, 'green');
    remove('red');
  }
  return end(actions, { shards: 1, endMs: 5_000 });
}

/** A node is away for long enough to be demoted, and catches up slowly while others are written to and searched. */
export function backSlowly(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x3c6ef372);
  add({ atMs: ADD_MS, do: 'node down', ms: random.between(2_000, 2_600) });
  addWrites(random, add, { fromMs: 1_300, toMs: 6_500, everyMs: [30, 90] }, put);
  addSearches(random, add, 3_000, 7_000);
  const slowness = script.shape.slowness.map(() => random.between(2, 4));
  return end(withoutChange(actions), { slowness, endMs: 7_000 });
}

/** The nodes that are copied from index slowly, so that others have what they lack when they are let go. */
export function slowSources(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x4cf5ad43);
  addWrites(random, add, { fromMs: ADD_MS, toMs: 7_000, everyMs: [50, 110] }, put);
  addSearches(random, add, ADD_MS + 500, 7_000);
  const factor = random.between(8, 16);
  return end(actions, { replicas: 1, slowness: script.shape.slowness.map(() => factor), endMs: 7_000 });
}

/** The first documents of a shard are deleted one by one while it begins to be copied; nobody touches the last ones. */
export function thinnedOut(script: Script): Script {
  const { random, actions, add, end } = straight(script, 0x2545f495);
  const ids = Array.from({ length: 50 }, (_, number) => `e${number}`);
  const documents = ids.map((id) => ({ id, colour: 'red' }));
  add({ atMs: 650, do: 'write', uid: 'books', write: { kind: 'put', documents } });
  let atMs = ADD_MS + 100;
  for (const id of ids) {
    atMs += random.between(15, 40);
    add({ atMs, do: 'write', uid: 'books', write: { kind: 'delete', ids: [id] } });
  }
  return end(actions, { shards: 1 });
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

/** Workers fall asleep between two polls, with nothing in flight, and wake among many writes when others deliver. */
export function sleepers(script: Script): Script {
  const { random, add, end, actions } = straight(script, 0x297a2d39);
  for (const atMs of [1_000, 1_300]) {
    const point = random.pick(['store.hasWork', 'store.readGroup']);
    const trap = { point, count: random.between(1, 8), stopMs: random.between(3_200, 4_200) };
    add({ atMs, do: 'trap', trap });
  }
  addWrites(random, add, { fromMs: 800, toMs: 7_000, everyMs: [15, 90] }, writeOf);
  addSearches(random, add, 3_800, 8_000);
  return end(withoutChange(actions), { workers: 3, endMs: 8_000 });
}

/** Whoever comes in the place of a dead worker falls asleep before its takeover, and wakes when another has delivered. */
export function lateTakeovers(script: Script): Script {
  const { random, add, end, actions } = straight(script, 0x51ed270b);
  const trap = { point: 'store.takeOverStream', count: 1, stopMs: random.between(3_600, 5_000) };
  add({ atMs: 1_500, do: 'trap', trap });
  add({ atMs: 1_510, do: 'kill worker' });
  addWrites(random, add, { fromMs: 3_500, toMs: 7_500, everyMs: [20, 70] }, put);
  addSearches(random, add, 4_500, 8_000);
  return end(withoutChange(actions), { workers: 3, endMs: 8_000 });
}

/** Entries that nodes refuse, among others: workers fall asleep when they have sent one of them again, and wake late. */
export function lateResends(script: Script): Script {
  const { random, add, end, actions } = straight(script, 0x6c62272e);
  const trap = {
    point: 'after store.confirmEntries',
    count: random.between(8, 40),
    stopMs: random.between(4_600, 6_000),
  };
  add({ atMs: 1_200, do: 'trap', trap });
  addWrites(random, add, { fromMs: 1_200, toMs: 2_800, everyMs: [10, 60] }, poisoned);
  return end(withoutChange(actions), { workers: 3, endMs: 8_500 });
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

const withoutChange = (actions: readonly Action[]) => actions.filter((action) => action.do !== 'change');

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

const poisoned: Writer = (random, version) => {
  const id = `d${random.below(9)}`;
  if (random.chance(0.15)) return { kind: 'delete', ids: [id] };
  const poison = random.chance(0.3) ? { _geo: 'nowhere' } : {};
  return { kind: 'put', documents: [{ id, f0: version(), ...poison }] };
};

/** Patches that keep what is there, and deletions by what they change. */
const colourful: Writer = (random, version) => {
  const id = `d${random.below(9)}`;
  const colour = random.pick(COLOURS);
  const what = random.next();
  if (what < 0.1) return { kind: 'delete-by-filter', field: 'colour', value: colour };
  if (what < 0.75) return { kind: 'patch', documents: [{ id, colour }] };
  return { kind: 'put', documents: [{ id, colour, f0: version() }] };
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
