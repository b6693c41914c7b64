import { describe, expect, it } from 'vitest';
import { ApiError } from '../../shared/core/errors.js';
import { findHiddenFilter } from '../../shared/core/search-judge.js';
import { nodeBody, planSearch } from '../../shared/core/search-plan.js';
import {
  readPaging,
  readSearchBody,
  readSearchParams,
  type SearchQuery,
} from '../../shared/core/search-request.js';
import { shardFilter, type TopologyIndex } from '../../shared/core/topology.js';
import { sampleIndex } from '../support/sample-topology.js';

function indexWith(settings: Record<string, unknown>): TopologyIndex {
  return sampleIndex([], { uid: 'books', shardCount: 4, settings });
}

function bodyOf(
  query: SearchQuery,
  settings: Record<string, unknown>,
  alone = false,
): Record<string, unknown> {
  return JSON.parse(nodeBody(planSearch(query, indexWith(settings)), [0, 2], alone));
}

function refusal(query: SearchQuery, settings: Record<string, unknown>): [code: string, message: string] {
  try {
    planSearch(query, indexWith(settings));
  } catch (error) {
    if (error instanceof ApiError) return [error.code, error.message];
    throw error;
  }
  return ['', ''];
}

describe('reading a search', () => {
  it('leaves wrong types and unknown fields to a node', () => {
    expect(readSearchBody({ q: 'a', limit: 3, filter: [['a = 1']] })).toEqual({
      q: 'a',
      limit: 3,
      filter: [['a = 1']],
    });
    for (const body of [
      { limit: -1 },
      { limit: 'x' },
      { limit: null },
      { doggo: 1 },
      { q: 3 },
      [],
      null,
      { sort: 'a' },
    ]) {
      expect(readSearchBody(body)).toBeNull();
    }
    expect(readSearchBody({ constructor: 1 })).toBeNull();
  });

  it('reads the parameters of a GET as the fields of a POST', () => {
    const text =
      'q=a+b&limit=5&attributesToRetrieve=x,,y&sort=_geoPoint(1.5,%202):asc,title:desc&showRankingScore=true&filter=[["a%20=%201"]]&rankingScoreThreshold=0.5';
    expect(readSearchParams(new URLSearchParams(text))).toEqual({
      q: 'a b',
      limit: 5,
      attributesToRetrieve: ['x', 'y'],
      sort: ['_geoPoint(1.5,2):asc', 'title:desc'],
      showRankingScore: true,
      filter: [['a = 1']],
      rankingScoreThreshold: 0.5,
    });
    expect(readSearchParams(new URLSearchParams('limit=x'))).toBeNull();
    expect(readSearchParams(new URLSearchParams('showRankingScore=yes'))).toBeNull();
  });

  it('knows both ways of paging', () => {
    expect(readPaging({ offset: 990, limit: 20 }, 1000)).toMatchObject({
      skip: 990,
      take: 20,
      required: 1000,
    });
    expect(readPaging({ page: 3, hitsPerPage: 7, offset: 1 }, 1000)).toMatchObject({
      skip: 14,
      take: 7,
      required: 21,
    });
    expect(readPaging({ page: 0 }, 1000)).toMatchObject({ mode: 'page', take: 0, required: 0, second: 20 });
  });
});

describe('the query for nodes', () => {
  it('joins the client filter with the shards, and asks from the top', () => {
    const body = bodyOf({ q: 'x', filter: 'a = 1 OR b = 2', offset: 10, limit: 5 }, {});
    expect(body).toMatchObject({ filter: ['a = 1 OR b = 2', shardFilter([0, 2])], offset: 0, limit: 16 });
    expect(body.showRankingScoreDetails).toBe(true);
    expect(bodyOf({ filter: [['a = 1', 'b = 2'], 'c = 3'] }, {}).filter).toEqual([
      ['a = 1', 'b = 2'],
      'c = 3',
      shardFilter([0, 2]),
    ]);
  });

  it('asks a node that answers alone for the client page, without details', () => {
    const body = bodyOf({ q: 'x', offset: 10, limit: 5 }, {}, true);
    expect(body).toEqual({ q: 'x', filter: [shardFilter([0, 2])], offset: 10, limit: 5 });
  });

  it('leaves the shard filter out only where it would name every shard', () => {
    const asked = (query: SearchQuery, shards: number[]) =>
      JSON.parse(nodeBody(planSearch(query, indexWith({ filterableAttributes: ['a'] })), shards, true))
        .filter;
    expect(asked({}, [0, 1, 2, 3])).toBeUndefined();
    expect(asked({ filter: 'a = 1' }, [0, 1, 2, 3])).toBe('a = 1');
    expect(asked({ filter: [['a = 1', 'a = 2']] }, [0, 1, 2, 3])).toEqual([['a = 1', 'a = 2']]);
    expect(asked({}, [0, 1, 3])).toEqual([shardFilter([0, 1, 3])]);
    expect(asked({ filter: 'a = 1' }, [0, 1, 3])).toEqual(['a = 1', shardFilter([0, 1, 3])]);
  });

  it('cuts fields to the displayed ones, and adds what only the merge needs', () => {
    const settings = { displayedAttributes: ['title', 'size'] };
    const body = bodyOf({ attributesToHighlight: ['*'], attributesToCrop: ['*:3', 'secret'] }, settings);
    expect(body.attributesToRetrieve).toEqual(['title', 'size', 'id']);
    expect(body.attributesToHighlight).toEqual(['title', 'size']);
    expect(body.attributesToCrop).toEqual(['title:3', 'size:3']);
    const view = planSearch({}, indexWith(settings)).spread().view;
    expect([...view.drop]).toEqual(['_miroir', 'id']);
    expect(bodyOf({ attributesToRetrieve: ['*'] }, {}).attributesToRetrieve).toEqual(['*']);
    const nested = (attributesToRetrieve: string[]): unknown =>
      bodyOf({ distinct: 'origin.place', attributesToRetrieve }, { filterableAttributes: ['origin'] })
        .attributesToRetrieve;
    expect(nested(['title'])).toEqual(['title', 'id', 'origin.place']);
    expect(nested(['title', 'origin'])).toEqual(['title', 'origin', 'id']);
    // Could not be told from the client's own part of the object.
    expect(nested(['origin.part'])).toEqual(['origin.part', 'id']);
  });
});

describe('what nodes cannot judge', () => {
  it('refuses a sort by the primary key that only nodes may sort by', () => {
    expect(refusal({ sort: ['id:asc'] }, { sortableAttributes: ['b', 'a'] })).toEqual([
      'invalid_search_sort',
      'Index `books`: Attribute `id` is not sortable. Available sortable attributes are: `a, b`.',
    ]);
    expect(refusal({ sort: ['id:asc'] }, {})[1]).toContain('does not have configured sortable attributes.');
    expect(refusal({ sort: ['id:desc'] }, { sortableAttributes: ['id'] })).toEqual(['', '']);
  });

  it('refuses the hidden field as an attribute, but not as a value', () => {
    const [code, message] = refusal(
      { filter: 'a = 1 AND _miroir = "!!!!"' },
      { filterableAttributes: ['a'] },
    );
    expect(code).toBe('invalid_search_filter');
    expect(message).toContain(
      'Attribute `_miroir` is not filterable. Available filterable attribute patterns are: `a`.',
    );
    for (const filter of ['"_miroir" IN [a]', ["'_miroir' EXISTS"], [['x = 1', 'NOT _miroir != 3']]]) {
      expect(findHiddenFilter(filter)).not.toBeNull();
    }
    for (const filter of [
      'a = _miroir',
      'a IN [x, "_miroir"]',
      'a = "_miroir = 1"',
      '(a = _miroir) OR b = 1',
    ]) {
      expect(findHiddenFilter(filter)).toBeNull();
    }
  });

  it('refuses facets where the user has no filterable attributes', () => {
    expect(refusal({ facets: ['*'] }, {})).toEqual([
      'invalid_search_facets',
      'Invalid facet distribution: Pattern `*` is not filterable. This index does not have configured filterable attributes.',
    ]);
    expect(
      refusal({ facets: ['_miroir'] }, { filterableAttributes: ['b', { attributePatterns: ['a*'] }] })[1],
    ).toBe(
      'Invalid facet distribution: Pattern `_miroir` is not filterable. Available filterable attributes patterns are: `a*, b`.',
    );
  });

  it('says what is not supported', () => {
    expect(refusal({ personalize: { userContext: 'e' } }, {})[0]).toBe('miroir_not_supported');
    expect(refusal({ vector: null, useNetwork: null }, {})).toEqual(['', '']);
  });
});
