// Reads recorded answers, and plays the parts of a fleet from them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { firstRequest, mergeFirst, planShared } from '../../proxy/search/preflight.js';
import { cutAnswer } from '../../shared/core/answer.js';
import { fromByteText, toByteText } from '../../shared/core/byte-text.js';
import { normalizeFacet } from '../../shared/core/facets.js';
import { scanObject } from '../../shared/core/json-scan.js';
import { relayAnswer } from '../../shared/core/search-answer.js';
import { planSearch } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { NodeRequest } from '../../shared/io/node-client.js';
import { sampleIndex } from '../support/sample-topology.js';

export interface RecordedAnswers {
  class: string;
  query: SearchQuery;
  /** What one Meilisearch with all documents and nothing hidden but the last rule answers, as byte text. */
  one: string;
  /** What a node with all shards answers to the rewritten query. */
  all: string;
  /** Every question to a part, as its JSON body, with its answer. */
  asked: [part: number, body: string, answer: string][];
}

export interface Recording {
  name: string;
  index: TopologyIndex;
  parts: number[][];
  answers: RecordedAnswers[];
}

/** Reads a recording made by `npm run record`. */
export function readRecording(name: string): Recording {
  const packed = readFileSync(join(import.meta.dirname, `${name}.jsonl.gz`));
  const [head, ...lines] = gunzipSync(packed).toString('latin1').trimEnd().split('\n');
  const { primaryKey, settings, parts } = JSON.parse(fromByteText(head!)) as {
    primaryKey: string;
    settings: Record<string, unknown>;
    parts: number[][];
  };
  const answers = lines.map((line) => {
    const read = JSON.parse(line) as RecordedAnswers;
    return { ...read, query: JSON.parse(fromByteText(JSON.stringify(read.query))) as SearchQuery };
  });
  return {
    name,
    index: sampleIndex([], { uid: name, primaryKey, settings, shardCount: 64 }),
    parts,
    answers,
  };
}

/** The answer that Miroir gives over the parts. Throws when it would ask something that was not recorded. */
export async function mergeRecorded(recording: Recording, answers: RecordedAnswers): Promise<string> {
  const search = planShared(planSearch(answers.query, recording.index), recording.index);
  const ask = async (part: number, request: NodeRequest): Promise<string> => {
    const body = toByteText(String(request.body));
    const found = answers.asked.find((entry) => entry[0] === part && entry[1] === body);
    if (!found) throw new Error(`part ${part} was never asked ${body}: record again`);
    return found[2];
  };
  const nameOf = (part: number): string => `${recording.name}-${part}`;
  const given = await Promise.all(
    recording.parts.map(async (shards, part) => ({
      shards,
      text: await ask(part, firstRequest(search, nameOf(part), shards)),
    })),
  );
  const text = await mergeFirst(search, given, {
    askNode: (part, build) => ask(part, build(nameOf(part))),
    elapsedMs: () => 0,
  });
  if (text === null) throw new Error('nothing merged');
  return text;
}

/** The answer that Miroir relays from a node that holds every shard. */
export function relayRecorded(recording: Recording, answers: RecordedAnswers): string {
  return relayAnswer(answers.all, planSearch(answers.query, recording.index));
}

/** How facets differ: only in which spelling of a value is shown, only among equal counts, or truly. */
export type FacetDifference = 'none' | 'spelling' | 'equal counts' | 'other';

export interface Difference {
  hits: boolean;
  total: boolean;
  facets: FacetDifference;
}

const TOTALS = [
  'query',
  'limit',
  'offset',
  'estimatedTotalHits',
  'page',
  'hitsPerPage',
  'totalHits',
  'totalPages',
];

/** What of an answer differs from the reference, byte for byte; timings and ids of requests aside. */
export function compareAnswers(recording: Recording, reference: string, given: string): Difference {
  const left = cutAnswer(reference);
  const right = cutAnswer(given);
  const differs = (key: string): boolean => left.rest.get(key) !== right.rest.get(key);
  const keys = [...left.rest.keys()].join() !== [...right.rest.keys()].join();
  return {
    hits: hitsText(recording, reference) !== given.slice(right.hitsStart, right.hitsEnd),
    total: keys || TOTALS.some(differs),
    facets: differs('facetStats')
      ? 'other'
      : compareFacets(left.rest.get('facetDistribution'), right.rest.get('facetDistribution')),
  };
}

function compareFacets(left: string | undefined, right: string | undefined): FacetDifference {
  if (left === right) return 'none';
  const fields = readObject(left ?? '{}');
  const others = readObject(right ?? '{}');
  if (fields.map(([name]) => name).join() !== others.map(([name]) => name).join()) return 'other';
  let found: FacetDifference = 'none';
  for (const [position, [, values]] of fields.entries()) {
    const counts = readCounts(values);
    const otherCounts = readCounts(others[position]![1]);
    if (JSON.stringify(counts) === JSON.stringify(otherCounts)) {
      if (found === 'none' && values !== others[position]![1]) found = 'spelling';
    } else if (sameButTies(counts, otherCounts)) {
      found = 'equal counts';
    } else {
      return 'other';
    }
  }
  return found;
}

type Count = [value: string, count: string];

function readObject(text: string): [key: string, value: string][] {
  const found = scanObject(text, 0);
  const out: [string, string][] = [];
  for (let i = 0; i + 3 < found.length; i += 4) {
    out.push([text.slice(found[i]! + 1, found[i + 1]! - 1), text.slice(found[i + 2]!, found[i + 3]!)]);
  }
  return out;
}

function readCounts(values: string): Count[] {
  return readObject(values).map(([key, count]) => [normalizeFacet(key), count]);
}

/** The same counts in the same order, and the same values wherever a run of equal counts is not cut. */
function sameButTies(left: readonly Count[], right: readonly Count[]): boolean {
  if (left.length !== right.length) return false;
  for (let from = 0; from < left.length; ) {
    let to = from;
    while (to < left.length && left[to]![1] === left[from]![1]) to++;
    const runs = [left.slice(from, to), right.slice(from, to)];
    if (runs[1]!.some(([, count]) => count !== left[from]![1])) return false;
    // Strings follow numbers, so a rise ends a list that was cut just as the end does.
    const cut = to === left.length || Number(left[to]![1]) > Number(left[from]![1]);
    const [values, others] = runs.map((run) =>
      run
        .map(([value]) => value)
        .sort()
        .join('\n'),
    );
    if (!cut && values !== others) return false;
    from = to;
  }
  return true;
}

/** The reference shows its last rule in details, since to itself nothing is hidden; that member is cut out here. */
function hitsText(recording: Recording, reference: string): string {
  const { hitsStart, hitsEnd } = cutAnswer(reference);
  const rule = `${recording.index.primaryKey}:asc`;
  const shown = new RegExp(
    `,"(?:${rule}|<hidden-rule-\\d+>)":\\{"order":\\d+,"value":(?:"[^"]*"|\\d+)\\}\\}(?=\\})`,
    'g',
  );
  return reference.slice(hitsStart, hitsEnd).replace(shown, '}');
}
