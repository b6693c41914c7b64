// What counts beside the kept hits of distinct values, over nodes that each saw their own duplicates only.
import { describe, expect, it } from 'vitest';
import { toByteText } from '../../shared/core/byte-text.js';
import { noneOf } from '../../shared/core/distinct.js';
import { type AskAgain, countDistinct, type Kept } from '../../shared/core/distinct-count.js';
import { documentFacets } from '../../shared/core/document-facets.js';
import { planSearch, type SearchPlan } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { sampleIndex } from '../support/sample-topology.js';

const FACETED = { text: '{"hits":[],"facetDistribution":{"kind":{}}}', shards: [0] };
const PLAIN = { text: '{"hits":[]}', shards: [0] };

function planOf(query: SearchQuery, settings: Record<string, unknown> = {}): SearchPlan {
  return planSearch(
    query,
    sampleIndex([], { shardCount: 4, settings: { filterableAttributes: ['f', 'kind'], ...settings } }),
  );
}

function keptOf(more: Partial<Kept> = {}): Kept {
  return {
    ids: [['"a"'], ['9007199254740993']],
    valueless: [[], []],
    values: ['"x"', '5'],
    isFull: true,
    ...more,
  };
}

/** Answers by route; remembers what it was asked. */
function asking(
  search: string,
  documents: string,
): AskAgain & { bodies: Record<string, unknown>[]; texts: string[] } {
  const bodies: Record<string, unknown>[] = [];
  const texts: string[] = [];
  const answer = (given: string) => async (_: number, body: string) => {
    bodies.push(JSON.parse(body) as Record<string, unknown>);
    texts.push(body);
    return given;
  };
  return { bodies, texts, search: answer(search), documents: answer(documents) };
}

describe('filters without values', () => {
  it('name every value, and give up at a backslash', () => {
    expect(noneOf('f', ['"a \\"b\\" é"', '5', 'true'].map(toByteText))).toBe(
      'NOT "f" IN ["a \\"b\\" é", "5", "true"]',
    );
    expect(noneOf('f', [])).toBe('');
    expect(noneOf('f', ['"a\\\\"'])).toBeNull();
  });
});

describe('counting distinct values', () => {
  it('adds what has none of the kept values, and counts what has no value once', async () => {
    const ask = asking('{"hits":[],"estimatedTotalHits":10}', '');
    const kept = keptOf({ valueless: [['"b"'], []] });
    const found = await countDistinct(
      planOf({ distinct: 'f', filter: 'kind = 1' }),
      [PLAIN, PLAIN],
      kept,
      ask,
    );
    expect(found).toMatchObject({ total: 22 });
    expect(ask.bodies[0]).toMatchObject({
      limit: 0,
      filter: ['kind = 1', 'NOT "f" IN ["x", "5"]', expect.stringContaining('_miroir IN')],
    });
    expect(ask.bodies[0]).not.toHaveProperty('distinct');
  });

  it('asks nobody when everything was kept', async () => {
    const ask = asking('', '');
    const kept = keptOf({ isFull: false, valueless: [['"b"'], []] });
    expect(await countDistinct(planOf({ distinct: 'f' }), [PLAIN, PLAIN], kept, ask)).toMatchObject({
      total: 3,
    });
    expect(ask.bodies).toEqual([]);
  });

  it('reads kept documents for their facets by their raw ids', async () => {
    const search = '{"hits":[],"estimatedTotalHits":1,"facetDistribution":{"kind":{"v":1}},"facetStats":{}}';
    const ask = asking(search, '{"results":[{"id":1,"kind":"n"}],"total":1}');
    const plan = planOf({ distinct: 'f', facets: ['kind'] });
    const found = await countDistinct(plan, [FACETED, FACETED], keptOf(), ask);
    expect(found).toEqual({
      total: 4,
      distributions: ['{"kind":{"v":1}}', '{"kind":{"v":1}}', '{"kind":{"n":2}}'],
      stats: ['{}', '{}', '{}'],
    });
    expect(ask.texts.some((text) => text.includes('"ids":[9007199254740993]'))).toBe(true);
  });

  it('with pages, takes the first document of each further value by its id', async () => {
    const documents =
      '{"results":[{"id":"c","f":"y","kind":"late"},{"id":"b","f":"Y","kind":"early"},{"id":"d","kind":"none"}],"total":3}';
    const ask = asking('', documents);
    const kept = keptOf({ ids: [[]], values: [] });
    const plan = planOf({ distinct: 'f', facets: ['kind'], page: 1, hitsPerPage: 1 });
    expect(await countDistinct(plan, [FACETED], kept, ask)).toEqual({
      total: 2,
      distributions: ['{"kind":{"early":1,"none":1}}'],
      stats: ['{}'],
    });
  });

  it('counts values by a field that nodes cannot filter by, with pages', async () => {
    const plan = planOf({ q: 'x', page: 1, hitsPerPage: 1 }, { distinctAttribute: 'hidden' });
    expect(plan.spread().hiddenFacet).toBeNull();
    expect(plan.spread().body).not.toContain('facets');
    const hits =
      '{"hits":[{"id":"a","hidden":"x"},{"id":"b","hidden":"y"},{"id":"c"}],"estimatedTotalHits":3}';
    const ask = asking(hits, '');
    const kept = keptOf({ ids: [['"a"'], []], values: ['"x"'] });
    expect(await countDistinct(plan, [PLAIN, PLAIN], kept, ask)).toMatchObject({ total: 4 });
    expect(ask.bodies[0]).toMatchObject({ limit: 1000, attributesToRetrieve: ['id', 'hidden'] });
  });

  it('says where nodes cannot tell', async () => {
    const more = asking('{"hits":[],"estimatedTotalHits":9}', '{"results":[],"total":10001}');
    const paged: SearchQuery = { distinct: 'f', facets: ['kind'], page: 1, hitsPerPage: 1 };
    expect(await countDistinct(planOf(paged), [FACETED], keptOf({ ids: [[]] }), more)).toBe('uncountable');
    expect(await countDistinct(planOf({ ...paged, q: 'x' }), [FACETED], keptOf({ ids: [[]] }), more)).toBe(
      'uncountable',
    );
    const unfilterable = planOf({}, { distinctAttribute: 'hidden' });
    expect(await countDistinct(unfilterable, [PLAIN], keptOf(), more)).toBe('uncountable');
    const lost: AskAgain = { search: async () => null, documents: async () => null };
    expect(await countDistinct(planOf({ distinct: 'f' }), [PLAIN], keptOf(), lost)).toBeNull();
  });
});

describe('facets of documents', () => {
  it('are those of a node: each value once a document, nested ones by dotted names', () => {
    const documents = [
      '{"tags":["A","a ",3],"origin":{"part":"n"},"size":1.0,"other":"x"}',
      '{"tags":[3,null,true],"origin":[{"part":"n"},{"part":"v"}],"size":1e21}',
    ];
    const fields = new Set(['tags', 'origin.part', 'size', 'absent']);
    expect(documentFacets(documents.map(toByteText), fields)).toEqual({
      distribution:
        '{"tags":{"3":2,"A":1,"true":1},"origin.part":{"n":2,"v":1},"size":{"1":1,"1000000000000000000000":1},"absent":{}}',
      stats: '{"tags":{"min":3.0,"max":3.0},"size":{"min":1.0,"max":1e+21}}',
    });
  });
});
