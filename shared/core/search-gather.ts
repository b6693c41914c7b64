// Merges the answers of several nodes, asking again where one of them was cut inside a group of equal hits or did not
// count. How a node is asked is the caller's matter.

import { type Answer, cutAnswer } from './answer.js';
import { type AskAgain, countDistinct, type DistinctCount } from './distinct-count.js';
import { fieldText } from './hits.js';
import { hitsBefore } from './merge.js';
import type { MergeKey } from './merge-keys.js';
import { mergeAnswers, type NodeAnswer } from './search-answer.js';
import { askedOf, countBody, nodeBody, type SearchPlan, withoutDistinct } from './search-plan.js';

export interface ShardAnswer {
  /** The answer to nodeBody(plan, shards, false), as byte text. */
  readonly text: string;
  readonly shards: readonly number[];
  /** The text as it was cut before, for some other purpose. */
  readonly cut?: Answer;
}

/** The merged answer as byte text, or null when a node that had to be asked again gave no answer. */
export async function gatherMerged(
  plan: SearchPlan,
  answers: readonly ShardAnswer[],
  ask: AskAgain,
  elapsedMs: () => number,
): Promise<string | null> {
  const parts: NodeAnswer[] = answers.map(({ text, cut }) => ({ text, cut, asked: askedOf(plan) }));
  let counted: DistinctCount | 'uncountable' | null = null;
  for (;;) {
    // Nodes never give more than maxTotalHits; what is tied there stays as it came.
    const final = parts.some((part) => part.asked > plan.settings.maxTotalHits + 1);
    const result = mergeAnswers(parts, plan, elapsedMs(), final, counted);
    if (result.done) return result.text;
    if (result.reason === 'several-values') {
      const raw = withoutDistinct(plan);
      const texts = await Promise.all(
        answers.map(({ shards }, source) => ask.search(source, nodeBody(raw, shards, false))),
      );
      if (texts.includes(null)) return null;
      const again = answers.map(({ shards }, source) => ({ shards, text: texts[source]! }));
      return gatherMerged(raw, again, ask, elapsedMs);
    }
    if (result.reason === 'uncounted-distinct') {
      counted = await countDistinct(plan, answers, result.kept, ask);
      if (counted === null) return null;
      continue;
    }
    const given = await Promise.all(
      result.sources.map((source) =>
        result.reason === 'uncounted'
          ? askCounts(plan, answers[source]!, parts[source]!, result.last, (body) => ask.search(source, body))
          : askMore(plan, answers[source]!, parts[source]!, (body) => ask.search(source, body)),
      ),
    );
    for (const [position, part] of given.entries()) {
      if (part === null) return null;
      parts[result.sources[position]!] = part;
    }
  }
}

async function askMore(
  plan: SearchPlan,
  { shards }: ShardAnswer,
  part: NodeAnswer,
  ask: (body: string) => Promise<string | null>,
): Promise<NodeAnswer | null> {
  const asked = 2 * part.asked + 16;
  const text = await ask(nodeBody(plan, shards, false, asked));
  return text === null ? null : { ...part, text, asked };
}

/** Counts without the threshold; hits below it that come before the last one do not count, so they are looked at. */
async function askCounts(
  plan: SearchPlan,
  { shards }: ShardAnswer,
  part: NodeAnswer,
  last: MergeKey | null,
  ask: (body: string) => Promise<string | null>,
): Promise<NodeAnswer | null> {
  const threshold = plan.query.rankingScoreThreshold!;
  for (let asked = last === null ? 0 : part.asked; ; asked = 4 * asked + 16) {
    const counts = await ask(countBody(plan, shards, asked));
    if (counts === null) return null;
    if (last === null) return { ...part, counts };
    const { hits, isCut } = hitsBefore(cutAnswer(counts), last, asked, plan.byDistance);
    if (isCut && asked <= plan.settings.maxTotalHits) continue;
    const scores = hits.map(({ start }) => Number(fieldText(counts, start, '_rankingScore')));
    return { ...part, counts, rejected: scores.filter((score) => score < threshold).length };
  }
}
