// A first write creates the index on three nodes; everything is found once, whatever the replication factor.
import { describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';

const COUNT = 300;
const documents = Array.from({ length: COUNT }, (_, id) => ({
  id,
  title: id % 3 === 0 ? `red fox ${id}` : `grey heron ${id}`,
  group: `g${id % 5}`,
}));

interface SearchAnswer {
  hits: { id: number }[];
  estimatedTotalHits: number;
}

describe('three nodes with two replicas', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: 8 });

  it('creates the index by its first write and finds every document once', async () => {
    const task = await cluster().write('/indexes/birds/documents', { body: documents });
    expect(task).toMatchObject({
      indexUid: 'birds',
      status: 'succeeded',
      type: 'documentAdditionOrUpdate',
      error: null,
      details: { receivedDocuments: COUNT, indexedDocuments: COUNT },
    });
    expect(task.duration).toMatch(/^P/);

    const index = await cluster().request('/indexes/birds');
    expect(index.body).toMatchObject({ uid: 'birds', primaryKey: 'id' });

    const found = await cluster().request<SearchAnswer>('/indexes/birds/search', {
      body: { q: 'fox', limit: COUNT },
    });
    expect(found.status).toBe(200);
    expect(found.body.estimatedTotalHits).toBe(100);
    expect(new Set(found.body.hits.map((hit) => hit.id)).size).toBe(100);
    expect(found.text).not.toContain('_miroir');
  });

  it('counts documents and fields once', async () => {
    const stats = await cluster().request('/indexes/birds/stats');
    expect(stats.body).toMatchObject({
      numberOfDocuments: COUNT,
      isIndexing: false,
      fieldDistribution: { id: COUNT, title: COUNT, group: COUNT },
    });
    expect(stats.text).not.toContain('_miroir');
    const all = await cluster().request<{ indexes: Record<string, unknown> }>('/stats');
    expect(all.body.indexes.birds).toMatchObject({ numberOfDocuments: COUNT });
  });

  it('makes a settings change and a deletion visible to the next search', async () => {
    const settings = await cluster().write('/indexes/birds/settings', {
      method: 'PATCH',
      body: { filterableAttributes: ['group'] },
    });
    expect(settings).toMatchObject({ status: 'succeeded', details: { filterableAttributes: ['group'] } });
    const deletion = await cluster().write('/indexes/birds/documents/delete-batch', {
      body: [0, 3, 1_000_000],
    });
    expect(deletion).toMatchObject({ status: 'succeeded', details: { providedIds: 3, deletedDocuments: 2 } });
    const found = await cluster().request<SearchAnswer>('/indexes/birds/search', {
      body: { q: 'fox', filter: 'group = g0', limit: COUNT },
    });
    // Multiples of 15 below 300, without 0.
    expect(found.body.estimatedTotalHits).toBe(19);
    const shown = await cluster().request('/indexes/birds/settings/filterable-attributes');
    expect(shown.body).toEqual(['group']);
  });

  it('gives documents back as they were written: numbers, escapes, the order of keys', async () => {
    const fields = String.raw`"n":9007199254740993,"f":1.0,"z":[12345678901234567890,-0.5],"a":{"y":1,"b":"q\"\\\n\u0001 é 😀"}`;
    const text = [1, 2, 3].map((id) => `{"id":${id},${fields},"word":"raw"}`);
    // The first document decides the order of keys in all.
    const other = `{"word":"raw","a":{"y":1},"z":[],"id":4,"f":2.0,"n":1}`;
    const task = await cluster().write('/indexes/raw/documents', { body: `[${[...text, other].join(',')}]` });
    expect(task).toMatchObject({ status: 'succeeded' });
    const searched = await cluster().request('/indexes/raw/search', { body: { q: 'raw' } });
    const listed = await cluster().request('/indexes/raw/documents?limit=9');
    const fetched = await cluster().request('/indexes/raw/documents/fetch', { body: { limit: 9 } });
    for (const { text: answer } of [searched, listed, fetched]) {
      for (const document of text) expect(answer).toContain(document);
      expect(answer).toContain(`{"id":4,"n":1,"f":2.0,"z":[],"a":{"y":1},"word":"raw"}`);
    }
    for (const [at, document] of text.entries())
      expect((await cluster().request(`/indexes/raw/documents/${at + 1}`)).text).toBe(document);
    const several = { queries: [{ indexUid: 'raw', q: 'raw', limit: 1 }] };
    expect((await cluster().request('/multi-search', { body: several })).text).toContain(text[0]);
  });

  it('fails a task with the code of Meilisearch and goes on', async () => {
    const failed = await cluster().write('/indexes/birds/documents', { body: [{ id: 'not valid!' }] });
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'invalid_document_id' } });
    const again = await cluster().write('/indexes', { body: { uid: 'birds' } });
    expect(again).toMatchObject({ status: 'failed', error: { code: 'index_already_exists' } });
    const gone = await cluster().write('/indexes/nothing', { method: 'DELETE' });
    expect(gone).toMatchObject({ status: 'failed', error: { code: 'index_not_found' } });
  });

  it('answers while one node is dead', async () => {
    await cluster().kill('node-2');
    const found = await cluster().request<SearchAnswer>('/indexes/birds/search', {
      body: { q: '', limit: COUNT },
    });
    expect(found.status).toBe(200);
    expect(found.body.hits).toHaveLength(COUNT - 2);
    await cluster().restart('node-2');
    const task = await cluster().write('/indexes/birds/documents', {
      body: [{ id: 0, title: 'back again' }],
    });
    expect(task.status).toBe('succeeded');
  });
});
