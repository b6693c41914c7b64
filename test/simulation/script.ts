// What happens in a run, fixed by its seed before it begins: what clients send, what operators want, what breaks. A list, so
// that a failing one can be cut down to what matters.
import type { ChangeKind } from '../../shared/core/change-edits.js';
import type { Write } from './model.js';
import type { Fields } from './node-documents.js';
import { Random } from './random.js';
import type { Shape, Trap } from './world.js';

/** `choice` picks among those that are there at that moment. */
export type Action = { atMs: number; choice: number } & (
  | { do: 'write'; uid: string; write: Write }
  | { do: 'search'; uid: string }
  | { do: 'change'; kind: ChangeKind; retentionMs: number }
  | { do: 'cancel move' }
  | { do: 'end run' }
  | { do: 'collect garbage' }
  | { do: 'kill worker' }
  | { do: 'stop worker'; ms: number }
  | { do: 'trap'; trap: Trap }
  | { do: 'kill proxy' }
  | { do: 'stop proxy'; ms: number }
  | { do: 'node down'; ms: number }
  /** Its disk is emptied, or goes back to what it was so long ago, while it is down. */
  | { do: 'wipe node'; ms: number }
  | { do: 'restore node'; ms: number; agoMs: number }
  | { do: 'slow node'; ms: number; factor: number; newest?: true }
  | { do: 'cut worker from node'; ms: number; other: number }
  | { do: 'cut proxy from node'; ms: number; other: number }
  | { do: 'cut worker from store'; ms: number }
  | { do: 'cut proxy from store'; ms: number }
);

export interface Script {
  seed: number;
  shape: Shape;
  endMs: number;
  actions: Action[];
}

/** Where a worker dies or stands still, and how often it passes there before. */
const POINTS: readonly (readonly [point: string, most: number])[] = [
  ['stream.taken', 2],
  ['index.created', 2],
  ['index.dropped', 1],
  ['fence.renamed', 2],
  ['deliver.sent', 6],
  ['deliver.answered', 6],
  ['stream.copying', 2],
  ['stream.replayed', 2],
  ['snapshot.held', 2],
  ['snapshot.cleared', 2],
  ['snapshot.saved', 2],
  ['copy.chunk', 3],
  ['join.requested', 2],
  ['join.done', 2],
  ['verify.compared', 2],
  ['verify.done', 2],
  ['flip.begin', 2],
  ['flip.committed', 2],
  ['flip.acknowledged', 2],
  ['delete.committed', 2],
  ['delete.deleted', 2],
];

const KINDS: readonly ChangeKind[] = [
  ...['add', 'add', 'drain', 'drain', 'remove', 'replace'],
  ...['set', 'set-replication', 'rebalance', 'rollback', 'rollback'],
] as const;

export const COLOURS = ['red', 'green', 'blue'];

export function writeScript(seed: number): Script {
  const random = new Random(seed);
  const nodes = random.between(3, 4);
  const shape: Shape = {
    nodes,
    workers: random.between(2, 3),
    proxies: random.between(1, 2),
    shards: random.between(1, 3),
    replicas: random.pick([1, 2, 2, 2, 2, 3]),
    strikes: random.pick([0, 0.001, 0.004]),
    slowness: Array.from({ length: nodes }, () => random.pick([1, 1, 1, 6, 20])),
    lateSearches: 0,
  };
  const endMs = random.between(6_000, 12_000);
  const at = () => random.between(700, endMs);
  const actions: Action[] = [];
  const add = (action: Omit<Action, 'choice'>) => {
    actions.push({ ...action, choice: random.below(1_000_000) } as Action);
  };
  let version = 0;
  add({ atMs: 500, do: 'write', uid: 'books', write: { kind: 'create-index' } } as Action);
  add({
    atMs: 520,
    do: 'write',
    uid: 'books',
    write: { kind: 'settings', filterable: ['colour'] },
  } as Action);
  const changes = Array.from({ length: random.pick([1, 1, 2, 2, 3]) }, () =>
    random.between(900, Math.floor(endMs * 0.7)),
  );
  for (const atMs of changes) {
    const kind = random.pick(KINDS);
    add({ atMs, do: 'change', kind, retentionMs: random.pick([0, 0, 800, 4_000]) } as Action);
  }
  // Most of it happens around a change, in bursts: what comes together is delivered together.
  const near = () => (random.chance(0.7) ? random.pick(changes) + random.between(-300, 2_500) : at());
  let burstMs = near();
  for (let count = random.between(20, 45); count > 0; count -= 1) {
    if (random.chance(0.35)) burstMs = near();
    const uid = random.chance(0.93) ? 'books' : 'films';
    const atMs = Math.max(600, burstMs + random.below(120));
    add({ atMs, do: 'write', uid, write: writeOf(random, () => ++version) } as Action);
  }
  for (let count = random.between(10, 25); count > 0; count -= 1)
    add({ atMs: Math.max(600, near()), do: 'search', uid: random.chance(0.9) ? 'books' : 'films' } as Action);
  for (let count = random.below(8); count > 0; count -= 1) add(faultOf(random, at()) as Action);
  // One disk at most: with two, what was on both is gone by right.
  const ms = random.between(20, 1_500);
  if (shape.replicas > 1 && random.chance(0.3))
    add(
      (random.chance(0.6)
        ? { atMs: near(), do: 'wipe node', ms }
        : { atMs: near(), do: 'restore node', ms, agoMs: random.between(200, 3_000) }) as Action,
    );
  addSleepers(new Random(seed ^ 0x7f4a7c15), { seed, shape, endMs, actions }, changes);
  actions.sort((left, right) => left.atMs - right.atMs);
  return { seed, shape, endMs, actions };
}

/** Calls before which somebody falls asleep who does not know on waking up what has become of the world. */
const ASLEEP_AT: readonly (readonly [point: string, most: number])[] = [
  ['search.asked', 8],
  ['store.takeOverStream', 2],
  ['store.planMoves', 1],
  ['store.confirmEntries', 6],
  ['store.setUnclean', 6],
  ['store.finishControl', 6],
  ['store.endCopy', 2],
  ['store.flipMove', 2],
  ['store.beginDelete', 2],
];

/** In some histories calls are made by processes that have just slept, and searches are on their way for long. */
function addSleepers(random: Random, { shape, actions }: Script, changes: readonly number[]): void {
  if (random.chance(0.3)) shape.lateSearches = random.pick([0.02, 0.1]);
  if (random.chance(0.5)) return;
  for (let count = random.between(1, 3); count > 0; count -= 1) {
    const [point, most] = random.pick(ASLEEP_AT);
    const stopMs = random.chance(0.2) ? null : random.between(2_000, 6_000);
    const trap = { point, count: random.between(1, most), stopMs };
    const atMs = random.pick(changes) - random.between(0, 300);
    actions.push({ atMs, do: 'trap', trap, choice: random.below(1_000_000) });
  }
}

export function writeOf(random: Random, version: () => number): Write {
  const id = () => `d${random.below(9)}`;
  const document = (): Fields => {
    const one: Fields = { id: id(), colour: random.pick(COLOURS) };
    one[`f${random.below(3)}`] = version();
    return one;
  };
  const some = <T>(make: () => T): T[] => Array.from({ length: random.between(1, 3) }, make);
  const what = random.next();
  if (what < 0.38) return { kind: 'put', documents: some(document) };
  if (what < 0.66) {
    const documents = some(document);
    // A patch without a colour keeps the one that is there.
    for (const one of documents) if (random.chance(0.5)) delete one.colour;
    return { kind: 'patch', documents };
  }
  if (what < 0.74) return { kind: 'put', documents: [{ ...document(), _geo: 'nowhere' }] };
  if (what < 0.82) return { kind: 'delete', ids: some(id) };
  if (what < 0.94) return { kind: 'delete-by-filter', field: 'colour', value: random.pick(COLOURS) };
  if (what < 0.955) return { kind: 'clear' };
  if (what < 0.975) return { kind: 'settings', filterable: random.pick([['colour'], ['colour', 'f0']]) };
  if (what < 0.98) return { kind: 'delete-index' };
  return { kind: 'put', documents: [{ bookid: id(), colour: random.pick(COLOURS), f0: version() }] };
}

function faultOf(random: Random, atMs: number): object {
  const ms = random.pick([300, 1_500, 4_000, 8_000]);
  const what = random.below(13);
  if (what <= 4) {
    const [point, most] = random.pick(POINTS);
    const stopMs = random.chance(0.35) ? null : random.pick([1_000, 4_000, 7_000]);
    return {
      atMs: Math.floor(atMs * 0.7),
      do: 'trap',
      trap: { point, count: random.between(1, most), stopMs },
    };
  }
  if (what === 5) return { atMs, do: 'kill worker' };
  if (what === 6) return { atMs, do: 'stop worker', ms };
  if (what === 7) return random.chance(0.3) ? { atMs, do: 'kill proxy' } : { atMs, do: 'stop proxy', ms };
  if (what === 8) return { atMs, do: 'node down', ms };
  if (what === 9) return { atMs, do: 'slow node', ms, factor: random.pick([5, 20, 60]) };
  if (what === 10)
    return random.chance(0.5)
      ? { atMs, do: 'cut worker from node', ms, other: random.below(1_000) }
      : { atMs, do: 'cut proxy from node', ms, other: random.below(1_000) };
  if (what === 11)
    return random.chance(0.5)
      ? { atMs, do: 'cut proxy from store', ms }
      : { atMs, do: 'cut worker from store', ms };
  return random.pick([
    { atMs, do: 'cancel move' },
    { atMs, do: 'end run' },
    { atMs, do: 'collect garbage' },
  ]);
}
