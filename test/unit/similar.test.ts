// Similar documents' pure part: reading requests, the document's vector, and the merge of nodes' answers.
import { describe, expect, it } from 'vitest';
import { mergeSimilar, planSimilar, similarBody } from '../../shared/core/similar.js';
import { readSimilarBody, readSimilarParams, type SimilarQuery } from '../../shared/core/similar-request.js';
import { shiftOf, similarityOf, vectorTexts } from '../../shared/core/similar-vectors.js';
import type { TopologyIndex } from '../../shared/core/topology.js';

const INDEX: TopologyIndex = {
  uid: 'books',
  incarnation: 1,
  primaryKey: 'id',
  shardCount: 4,
  replicationFactor: 1,
  settings: { filterableAttributes: ['kind'] },
  visible: true,
  createdAt: '',
  updatedAt: '',
  deletedSeq: null,
  physicalNames: {},
  shards: [],
};

/** A node's answer to a search by vector: ids with their similarity, null for a document without a vector. */
function node(total: number, ...hits: [id: number, similarity: number | null][]): string {
  return JSON.stringify({
    hits: hits.map(([id, similarity]) => ({
      id,
      _miroir: '!!!!',
      _rankingScoreDetails: {
        vectorSort: { order: 0, similarity },
        'id:asc': { order: 1, value: id },
      },
    })),
    query: '',
    processingTimeMs: 1,
    limit: 20,
    offset: 0,
    estimatedTotalHits: total,
  });
}

function merge(
  query: Partial<SimilarQuery>,
  answers: [text: string, hasDocument: boolean][],
  documentMatches: boolean | null = null,
): Record<string, unknown> | null {
  const plan = planSimilar({ id: '5', embedder: 'e', ...query }, INDEX, ['[1.0,2.0]']);
  const parts = answers.map(([text, hasDocument]) => ({ text, hasDocument, at: 0, asked: plan.asked }));
  const merged = mergeSimilar(plan, parts, 7, documentMatches);
  return merged.done ? (JSON.parse(merged.text) as Record<string, unknown>) : null;
}

const ids = (answer: Record<string, unknown> | null): unknown =>
  ((answer?.hits ?? []) as { id: number }[]).map(({ id }) => id);

describe('similar documents of several nodes', () => {
  it('merges by similarity, then by id, without the document and those without a vector', () => {
    const answer = merge({}, [
      [node(4, [5, 1], [9, 0.8], [1, 0.5], [2, null]), true],
      [node(3, [8, 0.9], [3, 0.8], [4, 0.2]), false],
    ]);
    expect(answer).toEqual({
      hits: [{ id: 8 }, { id: 3 }, { id: 9 }, { id: 1 }, { id: 4 }],
      id: '5',
      processingTimeMs: 7,
      limit: 20,
      offset: 0,
      estimatedTotalHits: 6,
    });
  });

  it('cuts pages, and stops at the threshold with what was seen as total', () => {
    const answers: [string, boolean][] = [
      [node(10, [5, 1], [9, 0.8], [1, 0.5]), true],
      [node(10, [8, 0.9], [4, 0.2]), false],
    ];
    expect(ids(merge({ offset: 1, limit: 2 }, answers))).toEqual([9, 1]);
    const stopped = merge({ offset: 1, limit: 3, rankingScoreThreshold: 0.6 }, answers);
    expect(ids(stopped)).toEqual([9]);
    expect(stopped).toMatchObject({ estimatedTotalHits: 2 });
    expect(merge({ limit: 2, rankingScoreThreshold: 0.6 }, answers)).toMatchObject({
      estimatedTotalHits: 19,
    });
  });

  it('counts the document itself only where the filter lets it through', () => {
    const others = node(3, [8, 0.9], [4, 0.2]);
    const filter = 'kind = a';
    expect(merge({ filter }, [[node(1, [9, 0.8]), true]])).toMatchObject({ estimatedTotalHits: 1 });
    expect(merge({ filter }, [[node(2, [5, 1], [9, 0.8]), true]])).toMatchObject({ estimatedTotalHits: 1 });
    // The owner's answer is full: the document may stand behind.
    expect(merge({ filter, limit: 0 }, [[others, true]])).toBeNull();
    expect(merge({ filter, limit: 0 }, [[others, true]], true)).toMatchObject({ estimatedTotalHits: 2 });
    expect(merge({ filter, limit: 0 }, [[others, true]], false)).toMatchObject({ estimatedTotalHits: 3 });
  });

  it('compares first vectors with first ones, and asks for more until none can come before', () => {
    const several = (...hits: [id: number, similarity: number, vectors: number[][]][]) =>
      JSON.stringify({
        hits: hits.map(([id, similarity, embeddings]) => ({
          id,
          _vectors: { e: { embeddings, regenerate: false } },
          _rankingScoreDetails: { vectorSort: { order: 0, similarity }, 'id:asc': { order: 1, value: id } },
        })),
        estimatedTotalHits: hits.length,
      });
    const plan = planSimilar(
      { id: '5', embedder: 'e', limit: 1, showRankingScore: true },
      INDEX,
      ['[1.0,0.0]'],
      true,
    );
    const part = (text: string, asked: number) => [{ text, hasDocument: true, at: 0, asked }];
    // The second vector of 7 is the nearest, but only its first one counts: that is at a right angle.
    const seven: [number, number, number[][]] = [
      7,
      1,
      [
        [0, 1],
        [1, 0],
      ],
    ];
    const first = several(seven, [8, 0.9, [[3, 1]]]);
    expect(mergeSimilar(plan, part(first, 2), 0, null)).toMatchObject({ done: true });
    const again = mergeSimilar(plan, part(several(seven), 1), 0, null);
    expect(again).toEqual({ done: false, reason: 'more' });
    const all = mergeSimilar({ ...plan, paging: { offset: 0, limit: 2 } }, part(first, 4), 0, null);
    expect(all.done && JSON.parse(all.text)).toMatchObject({
      hits: [
        { id: 8, _rankingScore: 0.9 },
        { id: 7, _rankingScore: 0.5 },
      ],
    });
  });

  it('shows scores and details as /similar does', () => {
    const answer = merge({ showRankingScoreDetails: true, showRankingScore: true }, [
      [node(2, [9, 0.8]), true],
    ]);
    expect(answer?.hits).toEqual([
      { id: 9, _rankingScore: 0.8, _rankingScoreDetails: { vectorSort: { order: 0, similarity: 0.8 } } },
    ]);
  });
});

describe('similarity', () => {
  it('is 1 for the same direction, one half at a right angle, and 0 for the opposite', () => {
    expect(similarityOf([1, 2], [2, 4])).toBe(1);
    expect(similarityOf([1, 0], [0, 5])).toBe(0.5);
    expect(similarityOf([1, 0], [-3, 0])).toBe(0);
    expect(similarityOf([0, 0], [1, 0])).toBe(1);
  });

  it('is shifted as an embedder says', () => {
    expect(shiftOf({ e: { distribution: null } }, 'e')(0.7)).toBe(0.7);
    const shift = shiftOf({ e: { distribution: { mean: 0.7, sigma: 0.2 } } }, 'e');
    expect(shift(Math.fround(0.7))).toBeCloseTo(0.5, 6);
    expect(shift(0.8)).toBeCloseTo(0.7, 6);
    expect(shift(0.1)).toBe(2 ** -23);
    expect(shift(1)).toBe(1);
  });
});

describe('the question to nodes', () => {
  it('asks by vector for what may be among the first, the document included', () => {
    const query: SimilarQuery = { id: '5', embedder: 'my "e"', offset: 3, limit: 4, filter: 'kind = a' };
    const plan = planSimilar(query, INDEX, ['[1.0,2.0]']);
    expect(JSON.parse(similarBody(plan, INDEX, [0]))).toMatchObject({
      vector: [1, 2],
      hybrid: { embedder: 'my "e"', semanticRatio: 1 },
      filter: ['kind = a', '_miroir IN ["!!!!"]'],
      offset: 0,
      limit: 9,
    });
    expect(similarBody(plan, INDEX, [0])).toContain('"vector":[1.0,2.0]');
  });

  it('only counts when the document has no vector', () => {
    const body = similarBody(planSimilar({ id: '5', embedder: 'e' }, INDEX, []), INDEX, [0]);
    expect(JSON.parse(body)).toMatchObject({ limit: 0 });
    expect(body).not.toContain('vector');
  });

  it('keeps distinct attributes and early ranking rules from deciding', () => {
    const settings = {
      filterableAttributes: ['kind'],
      distinctAttribute: 'kind',
      rankingRules: ['size:asc', 'words'],
    };
    const index = { ...INDEX, settings };
    const body = similarBody(planSimilar({ id: '5', embedder: 'e' }, index, ['[1]']), index, [0]);
    expect(JSON.parse(body)).toMatchObject({ distinct: '_miroir.none', limit: 1_000 });
  });
});

describe('reading', () => {
  it('takes ids as text, however large', () => {
    const text = '{"embedder":"e","id":9007199254740993}';
    expect(readSimilarBody(JSON.parse(text), text)?.id).toBe('9007199254740993');
    expect(readSimilarBody({ id: 'a', embedder: 'e' }, '')?.id).toBe('a');
    for (const wrong of [
      '{"embedder":"e","id":1.5}',
      '{"id":1}',
      '{"id":null,"embedder":"e"}',
      '[]',
      '{"id":1,"embedder":"e","q":""}',
    ]) {
      expect(readSimilarBody(JSON.parse(wrong), wrong)).toBeNull();
    }
  });

  it('reads parameters', () => {
    const params = new URLSearchParams(
      'id=7&embedder=e&limit=3&filter=["a = 1"]&attributesToRetrieve=a,b&retrieveVectors=true',
    );
    expect(readSimilarParams(params)).toEqual({
      id: '7',
      embedder: 'e',
      limit: 3,
      filter: ['a = 1'],
      attributesToRetrieve: ['a', 'b'],
      retrieveVectors: true,
    });
    expect(readSimilarParams(new URLSearchParams('id=7&embedder=e&limit=x'))).toBeNull();
    expect(readSimilarParams(new URLSearchParams('id=7'))).toBeNull();
  });

  it('finds the vectors of an embedder in a document', () => {
    const document =
      '{"id":1,"_vectors":{"a":{"embeddings":[[1.0,2.5],[3.0]],"regenerate":false},"b":{"embeddings":[]}}}';
    expect(vectorTexts(document, 0, 'a')).toEqual(['[1.0,2.5]', '[3.0]']);
    expect(vectorTexts(document, 0, 'b')).toEqual([]);
    expect(vectorTexts(document, 0, 'c')).toEqual([]);
    expect(vectorTexts('{"id":1}', 0, 'a')).toEqual([]);
    expect(vectorTexts('{"_vectors":{"a":[1.5,2.5]}}', 0, 'a')).toEqual(['[1.5,2.5]']);
  });
});
