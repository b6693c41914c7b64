// Similar documents' pure part: reading requests, the document's vector, and the merge of nodes' answers.
import { describe, expect, it } from 'vitest';
import {
  mergeSimilar,
  planSimilar,
  readSimilarBody,
  readSimilarParams,
  type SimilarQuery,
  similarBody,
  vectorText,
} from '../../shared/core/similar.js';
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
      _rankingScore: similarity ?? 0,
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
  const plan = planSimilar({ id: '5', embedder: 'e', ...query }, INDEX, '[1.0,2.0]');
  const parts = answers.map(([text, hasDocument]) => ({ text, hasDocument }));
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

  it('shows scores and details as /similar does', () => {
    const answer = merge({ showRankingScoreDetails: true, showRankingScore: true }, [
      [node(2, [9, 0.8]), true],
    ]);
    expect(answer?.hits).toEqual([
      { id: 9, _rankingScore: 0.8, _rankingScoreDetails: { vectorSort: { order: 0, similarity: 0.8 } } },
    ]);
  });
});

describe('the question to nodes', () => {
  it('asks by vector for what may be among the first, the document included', () => {
    const query: SimilarQuery = { id: '5', embedder: 'my "e"', offset: 3, limit: 4, filter: 'kind = a' };
    const plan = planSimilar(query, INDEX, '[1.0,2.0]');
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
    const body = similarBody(planSimilar({ id: '5', embedder: 'e' }, INDEX, null), INDEX, [0]);
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
    const body = similarBody(planSimilar({ id: '5', embedder: 'e' }, index, '[1]'), index, [0]);
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

  it('finds the first vector of an embedder in a document', () => {
    const document =
      '{"id":1,"_vectors":{"a":{"embeddings":[[1.0,2.5],[3.0]],"regenerate":false},"b":{"embeddings":[]}}}';
    expect(vectorText(document, 'a')).toBe('[1.0,2.5]');
    expect(vectorText(document, 'b')).toBeNull();
    expect(vectorText(document, 'c')).toBeNull();
    expect(vectorText('{"id":1}', 'a')).toBeNull();
  });
});
