// What nodes are asked beside a search, and how often.
import { expect, it } from 'vitest';
import { mergeFirst, planShared } from '../../proxy/search/preflight.js';
import { planSearch } from '../../shared/core/search-plan.js';
import { sampleIndex } from '../support/sample-topology.js';

const hit = (id: number, name: string, type: string): string =>
  `{"id":${id},"name":"${name}","_rankingScoreDetails":{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"typo":{"order":1,"typoCount":0,"maxTypoCount":2,"score":1.0},"exactness":{"order":2,"matchType":"${type}"${type === 'noExactMatch' ? ',"matchingWords":2,"maxMatchingWords":2' : ''},"score":0.5},"id:asc":{"order":3,"value":${id}.0}}}`;
const answer = (hits: string[]): string =>
  `{"hits":[${hits.join()}],"query":"red door","processingTimeMs":1,"limit":4,"offset":0,"estimatedTotalHits":${hits.length}}`;

const INDEX = sampleIndex([], { primaryKey: 'id', settings: { searchableAttributes: ['name'] } });

/** Two nodes, of which only the second knows the word `door`. Counts requests. */
async function search(first: string, requests: string[]): Promise<number[]> {
  const plan = planSearch({ q: 'red door', limit: 3 }, INDEX);
  const text = await mergeFirst(
    planShared(plan, INDEX),
    [
      { shards: [0], text: answer([first]) },
      { shards: [1], text: answer([hit(2, 'a red door', 'noExactMatch')]) },
    ],
    {
      askNode: async (source, build) => {
        const { path, body } = build(`books--1-${source}`);
        requests.push(path);
        const { queries } = JSON.parse(String(body)) as { queries: { q: string }[] };
        const results = queries.map(
          ({ q }) => `{"hits":[],"estimatedTotalHits":${q === '"door"' ? source : 9}}`,
        );
        return `{"results":[${results.join()}]}`;
      },
      elapsedMs: () => 0,
    },
  );
  const { hits } = JSON.parse(text!) as { hits: { id: number }[] };
  return hits.map(({ id }) => id);
}

it('asks nothing where a hit shows the words of the query', async () => {
  const requests: string[] = [];
  expect(await search(hit(5, 'red door', 'matchesStart'), requests)).toEqual([5, 2]);
  expect(requests).toEqual([]);
});

it('asks each node once which words it knows, and puts its hits behind', async () => {
  const requests: string[] = [];
  expect(await search(hit(5, 'red doormat', 'matchesStart'), requests)).toEqual([2, 5]);
  expect(requests).toEqual(['/multi-search', '/multi-search']);
});
