// One comparison: the reference is loaded and asked once, every fleet is started when its turn comes, asked the same,
// and stopped.

import type { Api } from '../../up/admin-api.js';
import type { NodeProgram } from '../../up/nodes.js';
import type { Output } from '../../up/output.js';
import { type Answer, compareParts, type Parts, takeApart } from './comparison.js';
import { ExactFleet, type FleetShape, nameOf } from './fleet.js';
import { type Ask, drawQuery, type QueryClass } from './query-class.js';
import { LAST_RULE, type Reference, startReference } from './reference.js';
import { type Case, countComparison, differingParts, emptyTally, type Tally } from './tally.js';
import { buildWorlds, loadCorpora, PRIMARY_KEY, type World } from './worlds.js';

export interface RunOptions {
  documents: number;
  queries: number;
  seed: number;
  shapes: readonly FleetShape[];
  classes: readonly QueryClass[];
  /** The one query of each class to ask; null asks all. */
  only: number | null;
  strictKeys: boolean;
  details: boolean;
  program: NodeProgram;
  output: Output;
  /** Hears of every pair of answers; for --only. */
  onAnswers?: (ask: Ask, fleet: string, ours: Answer, theirs: Answer) => void;
}

export interface Skipped {
  class: string;
  reason: string;
}

export interface Outcome {
  tallies: Tally[];
  skipped: Skipped[];
  cases: Case[];
  documents: Record<string, number>;
  seconds: Record<string, number>;
}

interface Question {
  kind: QueryClass;
  at: number;
  ask: Ask;
  answer: Answer;
  parts: Parts;
}

const PARALLEL = 4;
/** Differing cases that are kept of each class and fleet. */
const KEPT = 3;

/** Runs everything; throws when a server cannot be started or loaded. */
export async function runComparison(options: RunOptions, stops: Set<() => void>): Promise<Outcome> {
  const { program, output } = options;
  const isEngine = program.kind === 'engine';
  const chosen = options.classes.filter((kind) => !isEngine || kind.notInEngine === null);
  const skipped = options.classes.flatMap((kind) =>
    isEngine && kind.notInEngine !== null ? [{ class: kind.name, reason: kind.notInEngine }] : [],
  );
  const worlds = buildWorlds(await loadCorpora(options.documents), options.seed, worldsOf(chosen));
  const outcome: Outcome = {
    tallies: [],
    skipped,
    cases: [],
    documents: Object.fromEntries([...worlds].map(([name, world]) => [name, world.documents.length])),
    seconds: {},
  };
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await work();
    outcome.seconds[name] = Math.round((performance.now() - startedMs) / 100) / 10;
    output.line(`  ${name}: ${outcome.seconds[name]} s`);
    return result;
  };
  output.step('reference: one node with everything');
  const reference = await startReference(program, output.warn);
  stops.add(reference.kill);
  let questions: Question[];
  try {
    await timed('reference, loaded', async () => {
      await Promise.all([...worlds.values()].map((world) => reference.load(world)));
    });
    questions = await timed('reference, asked', () => askReference(reference, chosen, worlds, options));
  } finally {
    await reference.stop();
    stops.delete(reference.kill);
  }
  for (const shape of options.shapes) {
    output.step(nameOf(shape));
    await compareFleet(shape, questions, worlds, options, outcome, timed, stops);
  }
  return outcome;
}

function worldsOf(classes: readonly QueryClass[]): string[] {
  const names = new Set(classes.map((kind) => kind.world));
  // Federated queries go to two indexes.
  if (classes.some((kind) => kind.name.startsWith('federation')))
    for (const name of ['exactly', 'ordered']) names.add(name);
  return [...names];
}

async function askReference(
  reference: Reference,
  classes: readonly QueryClass[],
  worlds: ReadonlyMap<string, World>,
  { queries, seed, only, details }: RunOptions,
): Promise<Question[]> {
  const numbers = only === null ? Array.from({ length: queries }, (_, at) => at) : [only];
  const drawn = classes.flatMap((kind) =>
    numbers.map((at) => {
      const ask = drawQuery(kind, worlds.get(kind.world)!, seed, at);
      return { kind, at, ask: details ? withDetails(ask) : ask };
    }),
  );
  return inParallel(drawn, async (question) => {
    const answer = await send(reference.api, question.ask);
    return { ...question, answer, parts: takeApart(answer, PRIMARY_KEY, LAST_RULE) };
  });
}

function withDetails(ask: Ask): Ask {
  if (!ask.path.endsWith('/search') || ask.body === undefined) return ask;
  return { ...ask, body: { ...ask.body, showRankingScore: true, showRankingScoreDetails: true } };
}

async function compareFleet(
  shape: FleetShape,
  questions: readonly Question[],
  worlds: ReadonlyMap<string, World>,
  options: RunOptions,
  outcome: Outcome,
  timed: <T>(name: string, work: () => Promise<T>) => Promise<T>,
  stops: Set<() => void>,
): Promise<void> {
  const name = nameOf(shape);
  const fleet = await timed(`${name}, started`, () =>
    ExactFleet.start(shape, options.program, options.output.warn),
  );
  const kill = () => fleet.kill();
  stops.add(kill);
  try {
    await timed(`${name}, loaded`, async () => {
      await Promise.all([...worlds.values()].map((world) => fleet.load(world)));
    });
    const tallies = new Map<string, Tally>();
    for (const { kind } of questions) tallies.set(kind.name, emptyTally(kind.name, name));
    await timed(`${name}, asked`, () =>
      inParallel(questions, async (question) => {
        const answer = await send(fleet.api, question.ask);
        judge(question, answer, name, tallies.get(question.kind.name)!, options, outcome.cases);
      }),
    );
    outcome.tallies.push(...tallies.values());
  } finally {
    await fleet.stop();
    stops.delete(kill);
  }
}

function judge(
  { kind, at, ask, answer: theirs, parts }: Question,
  ours: Answer,
  fleet: string,
  tally: Tally,
  options: RunOptions,
  cases: Case[],
): void {
  options.onAnswers?.(ask, fleet, ours, theirs);
  if (ours.status === 501 && ours.text.includes('"miroir_not_supported"')) {
    tally.notSupported += 1;
    return;
  }
  const note = (position: number | null, left: string | null, right: string | null, differing: string[]) => {
    const known = cases.filter((entry) => entry.class === kind.name && entry.fleet === fleet);
    if (known.length >= KEPT) return;
    cases.push({
      class: kind.name,
      only: at,
      fleet,
      ask,
      position,
      ours: left,
      theirs: right,
      parts: differing,
    });
  };
  if (theirs.status >= 400 !== kind.refused) {
    if (options.program.kind === 'engine') {
      tally.notInEngine += 1;
      return;
    }
    tally.unexpected += 1;
    note(null, ours.text, theirs.text, ['unexpected answer of the reference']);
    return;
  }
  const mine = takeApart(ours, PRIMARY_KEY);
  const found = compareParts(mine, parts, options.strictKeys);
  countComparison(tally, found);
  if (found.identical) return;
  const first = found.firstDifferent;
  const differing = differingParts(found);
  if (first !== null) {
    note(first.position, first.ours, first.theirs, differing);
    return;
  }
  const part = differing[0] as 'totals' | 'facets' | 'rest';
  note(null, mine[part], parts[part], differing);
}

async function send(api: Api, { method, path, body }: Ask): Promise<Answer> {
  const { status, text, headers } = await api.send(method, path, body);
  const degraded = headers['x-miroir-degraded'];
  return { status, text, ...(degraded === undefined ? {} : { degraded: String(degraded) }) };
}

/** Maps with a few calls at a time; results stand in the order of the list. */
async function inParallel<T, R>(list: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(list.length);
  let next = 0;
  const work = async () => {
    while (next < list.length) {
      const at = next++;
      results[at] = await map(list[at]!);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return results;
}
