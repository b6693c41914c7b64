// Ids that Meilisearch sorts as one, on a node that answers alone.
import { describe, expect, it } from 'vitest';
import { IdKinds, mayFold } from '../../shared/core/folded-ids.js';
import { foldedBodies, splitFolded } from '../../shared/core/search-folded.js';
import { planSearch } from '../../shared/core/search-plan.js';
import { sampleIndex } from '../support/sample-topology.js';

describe('ids that may fold', () => {
  const folds = (...ids: string[]): boolean => {
    const kinds = new IdKinds();
    for (const id of ids) kinds.add(id);
    return mayFold(kinds.bits);
  };

  it('need capitals beside small letters, or many bytes', () => {
    expect(folds('A1', 'B2', '17', '-_')).toBe(false);
    expect(folds('a1', 'b2', '17')).toBe(false);
    expect(folds('A1', 'b2')).toBe(true);
    expect(folds('aB')).toBe(true);
    expect(folds('a'.repeat(468))).toBe(false);
    expect(folds('a'.repeat(469))).toBe(true);
  });
});

describe('a node that answers alone', () => {
  const index = sampleIndex([], { shardCount: 1 });
  const hit = (id: string): string =>
    `{"id":"${id}","_rankingScoreDetails":{"id:asc":{"order":0,"value":"${id.toLowerCase()}"}}}`;
  const ranked = (ids: string[]): string => `{"hits":[${ids.map(hit).join(',')}],"estimatedTotalHits":4}`;
  const alone = (ids: string[]): string =>
    `{"hits":[${ids.map((id) => `{"id":"${id}"}`).join(',')}],"query":"","limit":1,"offset":1,"estimatedTotalHits":4,"facetDistribution":{"f":{"x":4}}}`;

  it('shows ties by raw id, asking on where the tie is cut, with the rest of its own answer', async () => {
    const plan = planSearch({ offset: 1, limit: 1 }, index);
    expect(foldedBodies(plan, [0]).map((body) => JSON.parse(body))).toMatchObject([
      { offset: 1, limit: 1 },
      { offset: 0, limit: 3, showRankingScoreDetails: true },
    ]);
    const asked: number[] = [];
    const order = ['b1', 'aaA', 'aAa', 'Aaa'].sort((l, r) => (l.toLowerCase() < r.toLowerCase() ? -1 : 1));
    const text = await splitFolded(plan, [0], [alone(['aAa']), ranked(order.slice(0, 3))], async (body) => {
      asked.push((JSON.parse(body) as { limit: number }).limit);
      return ranked(order);
    });
    expect(asked).toEqual([22]);
    expect(JSON.parse(text!)).toEqual({ ...JSON.parse(alone([])), hits: [{ id: 'aAa' }] });
  });

  it('is asked once where no tie is cut, and lost when it does not answer', async () => {
    const plan = planSearch({ limit: 2 }, index);
    const never = async () => null;
    const whole = await splitFolded(plan, [0], [alone(['a1', 'A1']), ranked(['a1', 'A1', 'b'])], never);
    expect((JSON.parse(whole!) as { hits: unknown }).hits).toEqual([{ id: 'A1' }, { id: 'a1' }]);
    const cut = ranked(['aaA', 'aAa', 'Aaa']);
    expect(await splitFolded(plan, [0], [alone(['aaA', 'aAa']), cut], never)).toBeNull();
  });
});
