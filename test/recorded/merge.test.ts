// The merge against recorded answers of a real Meilisearch: identical hits, totals and facets, counted by class.
import { describe, expect, it } from 'vitest';
import {
  compareAnswers,
  type Difference,
  mergeRecorded,
  type RecordedAnswers,
  type Recording,
  readRecording,
  relayRecorded,
} from './recording.js';

/** Why an answer may differ. Whatever has no cause here must be identical, byte for byte. */
const CAUSES = {
  /** An index knows its own words only: which short prefixes have a list of their own, and which words one stands for. */
  prefix: 'a short last word, for which each node lists the words that it has',
  /** One node shows the spelling of its first document. */
  spelling: 'the shown spelling of a facet value that is written in several ways',
  /** One node's order depends on the shape of a tree over values of documents that do not even match. */
  ties: 'the order of facet values with equal counts, also across the cut',
} as const;
type Cause = keyof typeof CAUSES;

/** The queries whose last word is such a prefix. */
const PREFIXES = new Set(['place an', 'into', 'per']);

function causeOf(recorded: RecordedAnswers, recording: Recording, found: Difference): Cause | null {
  const { query } = recorded;
  if (PREFIXES.has(query.q ?? '')) return 'prefix';
  if (found.hits) return null;
  if (found.total) return null;
  if (found.facets === 'spelling') return recorded.class === 'facet spelling' ? 'spelling' : null;
  const faceting = recording.index.settings.faceting as { sortFacetValuesBy?: unknown } | undefined;
  return found.facets === 'equal counts' && faceting?.sortFacetValuesBy !== undefined ? 'ties' : null;
}

interface Tally {
  queries: number;
  hits: number;
  totals: number;
  facets: number;
}

interface Outcome {
  byClass: Map<string, Tally>;
  unexplained: string[];
  causes: Partial<Record<Cause, number>>;
}

async function compareAll(
  recording: Recording,
  answer: (recorded: RecordedAnswers) => string | Promise<string>,
): Promise<Outcome> {
  const out: Outcome = { byClass: new Map(), unexplained: [], causes: {} };
  for (const recorded of recording.answers) {
    const tally = out.byClass.get(recorded.class) ?? { queries: 0, hits: 0, totals: 0, facets: 0 };
    out.byClass.set(recorded.class, tally);
    const found = compareAnswers(recording, recorded.one, await answer(recorded));
    tally.queries++;
    if (!found.hits) tally.hits++;
    if (!found.total) tally.totals++;
    if (found.facets === 'none') tally.facets++;
    if (!found.hits && !found.total && found.facets === 'none') continue;
    const cause = causeOf(recorded, recording, found);
    if (cause === null) out.unexplained.push(`${JSON.stringify(recorded.query)} ${JSON.stringify(found)}`);
    else out.causes[cause] = (out.causes[cause] ?? 0) + 1;
  }
  return out;
}

function print(title: string, outcome: Outcome): void {
  const rows = [...outcome.byClass].map(([name, { queries, hits, totals, facets }]) => {
    const line = `  ${name.padEnd(26)} ${queries} queries`;
    if (hits === queries && totals === queries && facets === queries) return `${line}, all identical`;
    return `${line}; identical hits ${hits}, totals ${totals}, facets ${facets}`;
  });
  const causes = Object.entries(outcome.causes).map(
    ([cause, count]) => `  ${count}: ${CAUSES[cause as Cause]}`,
  );
  console.log([`${title}:`, ...rows, ...causes].join('\n'));
}

/** How many answers of three parts differ, by cause. Fewer is as wrong as more: then this page is out of date. */
const EXPECTED: Record<string, Partial<Record<Cause, number>>> = {
  words: { prefix: 1, spelling: 6 },
  tuned: { prefix: 3, ties: 3 },
  cities: { ties: 6 },
  folded: {},
  shared: {},
  hybrid: {},
};

describe.each(Object.keys(EXPECTED))('recorded answers: %s', (name) => {
  const recording = readRecording(name);

  it('three parts merge into what one node answers', async () => {
    const outcome = await compareAll(recording, (recorded) => mergeRecorded(recording, recorded));
    print(`${name}, three parts`, outcome);
    expect(outcome.unexplained).toEqual([]);
    expect(outcome.causes).toEqual(EXPECTED[name]);
  });

  it('one node with every shard is relayed as one without hidden parts answers', async () => {
    const outcome = await compareAll(recording, (recorded) => relayRecorded(recording, recorded));
    print(`${name}, one node`, outcome);
    expect(outcome.unexplained).toEqual([]);
    expect(outcome.causes).toEqual({});
  });
});
