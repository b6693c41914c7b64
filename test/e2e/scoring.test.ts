// An index that is scored by BM25 by default: its searches have the order of the formula over the whole corpus, whatever
// was replaced, deleted and written in part before, and `explain` shows what was gathered for it.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExplainView } from '../../proxy/admin/explain.js';
import { bm25 } from '../../shared/core/bm25.js';
import { useCluster } from '../support/cluster.js';

const CTL = resolve(import.meta.dirname, '../../dist/ctl/main.js');
const WORDS = ['river', 'stone', 'house', 'winter', 'garden', 'light'];

interface Poem {
  id: number;
  text: string;
  mood?: string;
}
interface Found {
  hits: { id: number; _rankingScoreDetails?: { miroirBm25?: { score: number; documentLength: number } } }[];
  code?: string;
}

const poem = (id: number, salt = 0): Poem => ({
  id,
  text: Array.from({ length: 2 + ((id * 7 + salt) % 9) }, (_, place) => {
    const number = Math.abs(Math.sin((id + salt) * 12.9898 + place * 78.233)) * 43_758;
    return WORDS[Math.floor(number) % WORDS.length]!;
  }).join(' '),
});

/** The scores of the documents that have both words, best first. */
function expected(corpus: ReadonlyMap<number, Poem>, terms: readonly string[]): number[] {
  const texts = [...corpus.values()].map(({ text }) => text.split(' '));
  const statistics = {
    documents: texts.length,
    documentFrequencies: terms.map((term) => texts.filter((words) => words.includes(term)).length),
    averageLength: texts.reduce((sum, words) => sum + words.length, 0) / texts.length,
  };
  return texts
    .filter((words) => terms.every((term) => words.includes(term)))
    .map((words) => {
      const occurrences = terms.map((term) => words.filter((word) => word === term).length);
      return bm25({ occurrences, length: words.length }, statistics);
    })
    .sort((left, right) => right - left);
}

describe('an index with a default scoring', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: 8 });
  const corpus = new Map<number, Poem>();
  const put = async (documents: Poem[]) => {
    for (const document of documents) corpus.set(document.id, document);
    await cluster().write('/indexes/poems/documents', { body: documents });
  };
  const ctl = async (...args: string[]) => {
    const env = { ...process.env, MIROIR_URL: cluster().url, MIROIR_ADMIN_API_KEY: cluster().adminKey };
    return (await promisify(execFile)(process.execPath, [CTL, ...args], { env })).stdout;
  };
  const search = async (q: string, headers: Record<string, string> = {}) => {
    const body = { q, limit: 60, matchingStrategy: 'all', showRankingScoreDetails: true };
    return (await cluster().request<Found>('/indexes/poems/search', { body, headers })).body;
  };
  const explain = (q: string) =>
    cluster().admin<ExplainView>('POST', '/_miroir/explain', {
      indexUid: 'poems',
      q,
      matchingStrategy: 'all',
    });
  /** Ranked as the formula over the whole corpus ranks. */
  const holds = async (q: string) => {
    const scores = (await search(q)).hits.map((hit) => hit._rankingScoreDetails!.miroirBm25!.score);
    const wanted = expected(corpus, q.trim().split(' '));
    expect(wanted.length).toBeGreaterThan(3);
    expect(scores).toHaveLength(wanted.length);
    for (const [at, score] of scores.entries()) expect(score).toBeCloseTo(wanted[at]!, 6);
  };
  const namesOf = (view: ExplainView) => view.gathered.map(({ statistic }) => statistic).sort();

  beforeAll(async () => {
    await cluster().write('/indexes/poems/settings', {
      method: 'PATCH',
      body: { searchableAttributes: ['text'], typoTolerance: { enabled: false } },
    });
    expect(await ctl('index', 'set', 'poems', '--scoring', 'dfs')).toContain('scored by dfs');
    await put(Array.from({ length: 120 }, (_, id) => poem(id)));
  }, 180_000);

  it('ranks by the recorded lengths of all documents, through replacements and deletions', async () => {
    await holds('river stone ');
    await put(Array.from({ length: 40 }, (_, id) => poem(id * 3, 5)));
    const gone = Array.from({ length: 20 }, (_, at) => at * 5);
    for (const id of gone) corpus.delete(id);
    await cluster().write('/indexes/poems/documents/delete-batch', { body: gone });
    await holds('river stone ');
    expect(namesOf(await explain('winter light '))).toEqual(['document frequencies', 'recorded lengths']);
  });

  it('asks nothing of nodes again until a task of the index has succeeded', async () => {
    await explain('garden house ');
    const again = (await explain('garden house ')).gathered;
    expect(again.map(({ cached }) => cached)).toEqual([true, true]);
    await put([poem(500)]);
    const after = (await explain('garden house ')).gathered;
    expect(after.map(({ cached }) => cached)).toEqual([false, false]);
    expect(after[0]!.position!).toBeGreaterThan(again[0]!.position!);
    expect(after[0]!.nodes.flatMap(({ shards }) => shards).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const shown = await ctl('explain', 'poems', 'garden house ');
    expect(shown).toMatch(/recorded lengths +(cache|nodes) +\d+ +[\d.]+ ms +node-\d [\d.]+ ms/);
  });

  it('reads documents through whose length is not known: those that were written in part', async () => {
    const parts = [3, 4, 6].map((id) => ({ id, mood: 'calm' }));
    for (const part of parts) corpus.set(part.id, { ...corpus.get(part.id)!, ...part });
    await cluster().write('/indexes/poems/documents', { method: 'PUT', body: parts });
    await holds('river stone ');
    expect(namesOf(await explain('river stone '))).toContain('lengths read through');
    const text = 'river stone and much more text than before';
    for (const id of [3, 4]) corpus.set(id, { ...corpus.get(id)!, text });
    await cluster().write('/indexes/poems/documents', {
      method: 'PUT',
      body: [3, 4].map((id) => ({ id, text })),
    });
    await holds('river stone ');
  });

  it('leaves the last word to a search, and shows nothing hidden', async () => {
    const plain = await search('river stone ', { 'x-miroir-scoring': 'none' });
    expect(plain.hits[0]!._rankingScoreDetails).not.toHaveProperty('miroirBm25');
    const { text } = await cluster().request('/indexes/poems/documents?limit=200');
    const { text: found } = await cluster().request('/indexes/poems/search', { body: { q: 'river' } });
    expect(text + found).not.toContain('_miroir');
    const bad = await search('river', { 'x-miroir-scoring': 'bm25' });
    expect(bad.code).toBe('miroir_invalid_scoring');
  });

  it('is refused with another word, for an index that is not there, and taken back', async () => {
    const headers = { authorization: `Bearer ${cluster().adminKey}` };
    const patch = (uid: string, body: unknown) =>
      cluster().request(`/_miroir/indexes/${uid}`, { method: 'PATCH', body, headers });
    expect(await patch('poems', { scoring: 'bm25' })).toMatchObject({ status: 400 });
    expect(await patch('nothing', { scoring: 'dfs' })).toMatchObject({
      status: 404,
      body: { code: 'index_not_found' },
    });
    expect(await patch('poems', { scoring: null })).toMatchObject({ status: 200, body: { scoring: null } });
    await cluster().until('the ranking rules', 60_000, async () =>
      (await search('river stone ')).hits[0]!._rankingScoreDetails!.miroirBm25 === undefined ? true : null,
    );
  });
});
