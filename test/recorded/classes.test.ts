// Every class of the exactness comparison through the proxy's own routes, judged by what one real Meilisearch answered.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLASSES } from '../../bench/exactness/classes.js';
import { findFailures } from '../../bench/exactness/report.js';
import { countComparison, emptyTally, type Tally } from '../../bench/exactness/tally.js';
import {
  askProxy,
  compareToOne,
  PART_NODES,
  proxyOver,
  questionOf,
  type RecordedAsk,
  unpackRecording,
} from '../../bench/recorded-fleet.js';
import type { NodeRequest } from '../../shared/io/node-client.js';

const recording = unpackRecording(readFileSync(join(import.meta.dirname, 'classes.jsonl.br')));

/** The same question to another part: whichever refuses a query first is asked what is wrong with it. */
function elsewhere(node: string, request: NodeRequest): string[] {
  return PART_NODES.map((other) =>
    questionOf(other, { ...request, path: request.path.replace(`-${node}/`, `-${other}/`) }),
  );
}

/** Answers of parts by their questions. */
function answersOf({ asked }: RecordedAsk): Map<string, { status: number; text: string }> {
  return new Map(asked.map(([question, status, text]) => [question, { status, text }]));
}

describe('recorded classes', () => {
  it('are all classes of the comparison', () => {
    const recorded = new Set(recording.asks.map((entry) => entry.class));
    expect(CLASSES.map(({ name }) => name).filter((name) => !recorded.has(name))).toEqual([]);
  });

  it('are answered over three parts as by one node', { timeout: 120_000 }, async () => {
    let answers = new Map<string, { status: number; text: string }>();
    const missing: string[] = [];
    const app = await proxyOver(recording.indexes, async (node, request) => {
      const question = questionOf(node, request);
      const refusals = elsewhere(node, request).flatMap((other) => answers.get(other) ?? []);
      const found = answers.get(question) ?? refusals.find(({ status }) => status >= 400);
      if (found === undefined) missing.push(question.slice(0, 300));
      return found ?? { status: 500, text: '' };
    });
    const tallies = new Map<string, Tally>();
    for (const entry of recording.asks) {
      answers = answersOf(entry);
      const tally = tallies.get(entry.class) ?? emptyTally(entry.class, 'recorded');
      tallies.set(entry.class, tally);
      countComparison(tally, compareToOne(await askProxy(app, entry.ask), entry.one));
    }
    await app.close();
    expect(missing, 'asked, but not recorded: npm run record').toEqual([]);
    const outcome = { tallies: [...tallies.values()], skipped: [], cases: [], documents: {}, seconds: {} };
    expect(findFailures(outcome, CLASSES)).toEqual([]);
    const different = outcome.tallies.filter(({ identical, queries }) => identical < queries);
    console.log(
      `recorded classes: ${recording.asks.length} queries, ${outcome.tallies.length} classes; not identical: ` +
        different.map((tally) => `${tally.class} ${tally.queries - tally.identical}`).join(', '),
    );
  });
});
