// What nodes are asked again for, beyond ties: counts under a threshold, and typos that only some nodes allow.
import { describe, expect, it } from 'vitest';
import { cutAnswer } from '../../shared/core/answer.js';
import { gatherMerged } from '../../shared/core/search-gather.js';
import { planSearch } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { TypoMaxima } from '../../shared/core/typo-maxima.js';
import { sampleIndex } from '../support/sample-topology.js';

const RULES = ['sort', 'words', 'typo'];

function hit(id: number, size: number, score: number): string {
  const words = `"words":{"order":1,"matchingWords":1,"maxMatchingWords":1,"score":1.0}`;
  return `{"id":${id},"_rankingScore":${score},"_rankingScoreDetails":{"size:asc":{"order":0,"value":${size}.0},${words},"id:asc":{"order":2,"value":${id}.0}}}`;
}

const answer = (total: number, ...hits: string[]): string =>
  `{"hits":[${hits.join(',')}],"query":"x","limit":2,"offset":0,"estimatedTotalHits":${total}}`;

async function gather(query: SearchQuery, answers: string[], again: (body: SearchQuery) => string) {
  const index = sampleIndex([], {
    shardCount: 4,
    settings: { sortableAttributes: ['size'], rankingRules: RULES },
  });
  const bodies: SearchQuery[] = [];
  const text = await gatherMerged(
    planSearch(query, index),
    answers.map((given, at) => ({ text: given, shards: [at] })),
    {
      search: async (_, body) => {
        bodies.push(JSON.parse(body) as SearchQuery);
        return again(bodies.at(-1)!);
      },
      documents: async () => null,
    },
    () => 0,
  );
  return { merged: JSON.parse(text!) as Record<string, unknown>, bodies };
}

describe('totals under a threshold with a sort', () => {
  it('leave out what was rejected before the last hit, and only that', async () => {
    const query = { q: 'x', sort: ['size:asc'], rankingScoreThreshold: 0.5, limit: 2 };
    const own = [answer(7, hit(1, 1, 0.9), hit(9, 9, 0.9)), answer(7, hit(2, 3, 0.9))];
    // Without the threshold: one hit of 0.2 ranks before the second hit, another behind it.
    const all = answer(7, hit(1, 1, 0.9), hit(4, 2, 0.2), hit(5, 5, 0.2));
    const { merged, bodies } = await gather(query, own, () => all);
    expect(merged).toMatchObject({ estimatedTotalHits: 12, hits: [{ id: 1 }, { id: 2 }] });
    expect(bodies).toHaveLength(2);
    expect(bodies[0]).toMatchObject({ limit: 3, showRankingScore: true });
    expect(bodies[0]).not.toHaveProperty('rankingScoreThreshold');
  });

  it('asks for more while what is rejected may go on', async () => {
    const query = { q: 'x', sort: ['size:asc'], rankingScoreThreshold: 0.5, limit: 1 };
    const own = [answer(9, hit(1, 9, 0.9))];
    const worse = [hit(4, 2, 0.2), hit(5, 3, 0.2), hit(6, 4, 0.2)];
    const { merged, bodies } = await gather(query, own, (body) =>
      answer(4, ...[...worse, hit(1, 9, 0.9)].slice(0, body.limit)),
    );
    expect(bodies.map(({ limit }) => limit)).toEqual([2, 24]);
    expect(merged).toMatchObject({ estimatedTotalHits: 1 });
  });

  it('count as before where scores come first', async () => {
    const { merged, bodies } = await gather(
      { q: 'x', rankingScoreThreshold: 0.5, limit: 1 },
      [answer(3, hit(1, 1, 0.9)), answer(0)],
      () => answer(5),
    );
    expect(bodies.map(({ limit }) => limit)).toEqual([0, 0]);
    expect(merged).toMatchObject({ estimatedTotalHits: 10 });
  });
});

describe('typos that nodes allow at most', () => {
  const typed = (typos: number, most: number, score: number): string =>
    `{"id":1,"_rankingScore":${score},"_rankingScoreDetails":{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},` +
    `"typo":{"order":1,"typoCount":${typos},"maxTypoCount":${most},"score":${(most + 1 - typos) / (most + 1)}}}}`;
  const list = (...hits: string[]) => cutAnswer(answer(1, ...hits));

  it('are the largest of all nodes, in details and in the score', () => {
    const maxima = new TypoMaxima([list(typed(1, 2, 2 / 3 / 2 + 1 / 2)), list(typed(0, 3, 1))]);
    // Both words match: 1 - 1/2 of a step is left for typos.
    const corrected = maxima.correct(typed(1, 2, (1 * 3 + 2) / 6));
    expect(corrected).toBe(typed(1, 3, (1 * 4 + 3) / 8));
    expect(maxima.correct(typed(0, 3, 1))).toBe(typed(0, 3, 1));
  });

  it('are left alone where nodes agree', () => {
    const own = typed(1, 2, 0.8333333333333334);
    expect(new TypoMaxima([list(own), list(own)]).correct(own)).toBe(own);
  });
});
