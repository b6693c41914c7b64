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
