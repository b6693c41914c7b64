// What the fleet says of a search: a filter on the primary key asks only the shards that it pins, and `explain` tells
// where a search went and which rule orders its first hits.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExplainView } from '../../proxy/admin/explain.js';
import { useCluster } from '../support/cluster.js';

const COUNT = 300;
const SHARDS = 8;
const CTL = resolve(import.meta.dirname, '../../dist/ctl/main.js');

interface Found {
  estimatedTotalHits: number;
  hits: { id: number }[];
}

describe('explain', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 1, shardCount: SHARDS });
  const explain = (body: object) => cluster().admin<ExplainView>('POST', '/_miroir/explain', body);

  beforeAll(async () => {
    const documents = Array.from({ length: COUNT }, (_, id) => ({
      id,
      title: id % 3 === 0 ? 'grey heron' : 'heron in the grey rain',
    }));
    await cluster().write('/indexes/birds/documents', { body: documents });
    await cluster().write('/indexes/birds/settings', {
      method: 'PATCH',
      body: { filterableAttributes: ['id'] },
    });
  }, 180_000);

  it.each<[string, number[]]>([
    ['id = 7', [7]],
    ['id IN [7, 8, 250, 999]', [7, 8, 250]],
    ['id = 7 AND id = 8', []],
    ['id = 7 AND title EXISTS OR id = 11', [7, 11]],
  ])('asks only the shards that %s pins', async (filter, ids) => {
    await cluster().write('/indexes/birds/settings', {
      method: 'PATCH',
      body: { filterableAttributes: ['id', 'title'] },
    });
    const found = await cluster().request<Found>('/indexes/birds/search', { body: { filter } });
    expect(found.body.hits.map((hit) => hit.id).sort((a, b) => a - b)).toEqual(ids);
    expect(found.body.estimatedTotalHits).toBe(ids.length);
    const view = await explain({ indexUid: 'birds', filter });
    expect(view.shards.asked).toBeLessThan(SHARDS);
    expect(view.answers.flatMap((answer) => answer.shards)).toHaveLength(view.shards.asked);
    expect(view.hits.map((hit) => hit.id).sort()).toEqual([...ids].sort());
  });

  it('says where a search went and what puts each hit before the next', async () => {
    const query = { q: 'grey heron', limit: 20 };
    const view = await explain({ indexUid: 'birds', ...query });
    const found = await cluster().request<Found>('/indexes/birds/search', { body: query });
    expect(view.shards).toEqual({ asked: SHARDS, of: SHARDS });
    expect(view.answers.flatMap((answer) => answer.shards).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(view.answers.reduce((sum, answer) => sum + answer.total, 0)).toBe(found.body.estimatedTotalHits);
    expect(view.hits.map((hit) => hit.id)).toEqual(found.body.hits.slice(0, 10).map((hit) => hit.id));
    expect(view.hits[0]!.beforeNextBy).toMatchObject({
      rule: 'id:asc',
      own: { value: 0 },
      next: { value: 3 },
    });
    expect(view.hits.at(-1)!.beforeNextBy).toBe(null);
    const nodes = new Map(view.answers.map((answer) => [answer.node, answer.shards]));
    for (const hit of view.hits) expect(nodes.get(hit.node)).toContain(hit.shard);
  });

  it('is refused as a search is', async () => {
    const bad = await cluster().request('/_miroir/explain', {
      body: { indexUid: 'birds', filter: 'nothing = 1' },
      headers: { authorization: `Bearer ${cluster().adminKey}` },
    });
    expect(bad).toMatchObject({ status: 400, body: { code: 'invalid_search_filter' } });
    const none = await cluster().request('/_miroir/explain', {
      body: { q: 'no index' },
      headers: { authorization: `Bearer ${cluster().adminKey}` },
    });
    expect(none).toMatchObject({ status: 400, body: { code: 'bad_request' } });
  });

  it('is shown by the command line', async () => {
    const env = { ...process.env, MIROIR_URL: cluster().url, MIROIR_ADMIN_API_KEY: cluster().adminKey };
    const { stdout } = await promisify(execFile)(process.execPath, [CTL, 'explain', 'birds', 'grey heron'], {
      env,
    });
    expect(stdout).toContain(`all ${SHARDS} shards on 3 nodes, ${COUNT} documents match`);
    expect(stdout).toMatch(/1 +0 +\d +node-\d +id:asc: \{"value":0\} before \{"value":3\}/);
  });
});
