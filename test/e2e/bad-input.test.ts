// What users do wrong, from outside: each mistake gets a clear error, leaves nothing behind, and the fleet goes on.
import Database from 'libsql';
import { afterEach, describe, expect, it } from 'vitest';
import { type Cluster, useCluster } from '../support/cluster.js';

const PAYLOAD_LIMIT_BYTES = 200_000;
const LINKS = 'https://docs.meilisearch.com/errors#';
const CLAIM_KEY = '6d69726f-6972-4c6c-8169-6d0000000001';

interface ErrorBody {
  message: string;
  code: string;
  type: string;
  link: string;
}

/** A write that is refused at once. */
async function refused(
  cluster: Cluster,
  path: string,
  options: Parameters<Cluster['request']>[1],
): Promise<ErrorBody & { status: number }> {
  const answer = await cluster.request<ErrorBody>(path, options);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  if (!answer.body.code.startsWith('miroir_')) expect(answer.body.link).toBe(`${LINKS}${answer.body.code}`);
  return { status: answer.status, ...answer.body };
}

/** Rows of parts that no entry of the journal has claimed. */
function stagedRows(cluster: Cluster): number {
  const database = new Database(cluster.storeUrl.replace('sqlite:', ''), { readonly: true });
  try {
    const row = database
      .prepare('SELECT COUNT(*) AS count FROM parts WHERE staging_id IS NOT NULL')
      .get() as {
      count: number;
    };
    return row.count;
  } finally {
    database.close();
  }
}

/** The documents of an index by their ids, whatever a search would show. */
async function idsOf(cluster: Cluster, uid: string): Promise<unknown[]> {
  const answer = await cluster.request<{ results: { id: unknown }[] }>(
    `/indexes/${uid}/documents?limit=1000`,
  );
  return answer.status === 404 ? [] : answer.body.results.map(({ id }) => id);
}

/** What a node itself holds of an index. */
async function onNode(cluster: Cluster, id: string, path: string, init: RequestInit = {}): Promise<Response> {
  const { url, masterKey } = cluster.nodes.get(id)!;
  const headers = { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' };
  return fetch(`${url}${path}`, { ...init, headers });
}

async function topologyNodes(cluster: Cluster): Promise<string[]> {
  const view = await cluster.admin<{ nodes: { id: string }[] }>('GET', '/_miroir/topology');
  return view.nodes.map(({ id }) => id).sort();
}

describe('bad input', () => {
  const cluster = useCluster({
    nodes: 1,
    env: { MIROIR_PAYLOAD_LIMIT_BYTES: String(PAYLOAD_LIMIT_BYTES), MIROIR_RETENTION_MS: '0' },
  });
  let round = 0;

  // After every mistake: nothing is staged, and the next write is found.
  afterEach(async () => {
    expect(stagedRows(cluster())).toBe(0);
    if ((await topologyNodes(cluster())).length < 2) return;
    const id = `after-${round++}`;
    expect((await cluster().write('/indexes/steady/documents', { body: [{ id }] })).status).toBe('succeeded');
    expect((await cluster().request(`/indexes/steady/documents/${id}`)).body).toEqual({ id });
  });

  describe('too few nodes', () => {
    it('refuses the first write, in whatever form, and creates no index', async () => {
      const documents = await refused(cluster(), '/indexes/early/documents', { body: [{ id: 1 }] });
      expect(documents).toMatchObject({ status: 503, code: 'miroir_shards_unavailable' });
      expect(documents.message).toMatch(/needs 2 active nodes.* only 1 of 1/);
      expect(await refused(cluster(), '/indexes', { body: { uid: 'early' } })).toMatchObject({
        code: 'miroir_shards_unavailable',
      });
      expect(
        await refused(cluster(), '/indexes/early/settings', { method: 'PATCH', body: { stopWords: ['a'] } }),
      ).toMatchObject({ code: 'miroir_shards_unavailable' });
      expect((await cluster().request('/indexes/early')).status).toBe(404);
    });

    it('takes the same write when there are enough, and refuses to go below again', async () => {
      await cluster().spawnNode();
      await cluster().addNode('node-2');
      expect((await cluster().write('/indexes/early/documents', { body: [{ id: 1 }] })).status).toBe(
        'succeeded',
      );
      for (const path of ['/_miroir/nodes/node-2/drain', '/_miroir/nodes/node-2']) {
        const method = path.endsWith('drain') ? 'POST' : 'DELETE';
        await expect(cluster().admin(method, path)).rejects.toThrow(
          /400 .*1 active node would be left.*Add 1 more/,
        );
      }
      expect(await topologyNodes(cluster())).toEqual(['node-1', 'node-2']);
    });
  });

  describe('documents', () => {
    const PATH = '/indexes/bad/documents';

    it('has an index with three documents', async () => {
      const task = await cluster().write(PATH, { body: [{ id: 1 }, { id: 2 }, { id: 3, name: 'third' }] });
      expect(task.status).toBe('succeeded');
    });

    it.each([
      ['JSON', 'application/json', '[{"id":10},\n{"id":11},\n{"id":}]', 'line 3 column'],
      ['JSON that ends early', 'application/json', '[{"id":10},{"id":11}', 'EOF while parsing'],
      ['NDJSON', 'application/x-ndjson', '{"id":10}\n{"id":11\n', 'malformed'],
      ['CSV with a short record', 'text/csv', 'id,name\n10,a\n11\n', 'line: 3'],
      ['CSV with a wrong number', 'text/csv', 'id,price:number\n10,1\n11,cheap\n', 'at line 2'],
    ])('refuses malformed %s and says where', async (_name, contentType, body, place) => {
      const error = await refused(cluster(), PATH, { body, contentType });
      expect(error).toMatchObject({ status: 400, code: 'malformed_payload' });
      expect(error.message).toContain(place);
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
    });

    it('refuses a malformed end after megabytes that were staged already', async () => {
      const many = Array.from({ length: 1_500 }, (_, n) => `{"id":${n + 100},"text":"${'x'.repeat(80)}"}`);
      const error = await refused(cluster(), PATH, {
        body: `${many.join('\n')}\n{"id":`,
        contentType: 'application/x-ndjson',
      });
      expect(error.code).toBe('malformed_payload');
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
    });

    it('refuses a body beyond the limit, with and without its length told', async () => {
      const body = JSON.stringify([{ id: 10, text: 'x'.repeat(PAYLOAD_LIMIT_BYTES) }]);
      const error = await refused(cluster(), PATH, { body });
      expect(error).toMatchObject({ status: 413, code: 'payload_too_large' });
      const streamed = await fetch(`${cluster().url}${PATH}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new Blob([body]).stream(),
        duplex: 'half',
      } as RequestInit);
      expect(streamed.status).toBe(413);
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
    });

    it.each([
      ['without an id', [{ id: 10 }, { name: 'none' }], 'missing_document_id'],
      ['with an id of spaces', [{ id: 10 }, { id: 'a b' }], 'invalid_document_id'],
      ['with a fraction as id', [{ id: 10 }, { id: 1.5 }], 'invalid_document_id'],
      ['with an object as id', [{ id: 10 }, { id: {} }], 'invalid_document_id'],
      ['with an endless id', [{ id: 10 }, { id: 'a'.repeat(512) }], 'invalid_document_id'],
      ['with _miroir', [{ id: 10 }, { id: 11, _miroir: '!!' }], 'miroir_reserved_field'],
      ['that changes _miroir', [{ id: 3, _miroir: null }], 'miroir_reserved_field'],
    ])('fails the whole task for a document %s', async (_name, body, code) => {
      for (const method of ['POST', 'PUT']) {
        const task = await cluster().write(PATH, { method, body });
        expect(task).toMatchObject({
          status: 'failed',
          details: { receivedDocuments: body.length, indexedDocuments: 0 },
          error: { code },
        });
      }
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
      expect((await cluster().request(`${PATH}/3`)).body).toEqual({ id: 3, name: 'third' });
    });

    it('fails a first write that names no primary key, and leaves an index without documents', async () => {
      const task = await cluster().write('/indexes/keyless/documents', { body: [{ name: 'x' }] });
      expect(task).toMatchObject({
        status: 'failed',
        error: { code: 'index_primary_key_no_candidate_found' },
      });
      expect((await cluster().request('/indexes/keyless')).body).toMatchObject({ primaryKey: null });
    });
  });

  describe('filters, indexes, settings', () => {
    it('refuses what cannot be parsed, and fails what no document can match', async () => {
      const search = await refused(cluster(), '/indexes/bad/search', { body: { filter: 'name =' } });
      expect(search).toMatchObject({ status: 400, code: 'invalid_search_filter' });
      expect(search.message).not.toContain('_miroir');
      const other = await refused(cluster(), '/indexes/bad/search', { body: { filter: 'name = x' } });
      expect(other).toMatchObject({ status: 400, code: 'invalid_search_filter' });
      expect(other.message).not.toContain('_miroir');
      const deletion = '/indexes/bad/documents/delete';
      expect(await refused(cluster(), deletion, { body: { filter: 'name =' } })).toMatchObject({
        code: 'invalid_document_filter',
      });
      for (const filter of ['name = x', '_miroir = "!!"']) {
        const task = await cluster().write(deletion, { body: { filter } });
        expect(task).toMatchObject({ status: 'failed', error: { code: 'invalid_document_filter' } });
      }
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
    });

    it('does not know an index that nobody created', async () => {
      for (const path of ['/indexes/none', '/indexes/none/documents', '/indexes/none/settings']) {
        expect(await refused(cluster(), path, {})).toMatchObject({ status: 404, code: 'index_not_found' });
      }
      expect(await refused(cluster(), '/indexes/none/search', { body: {} })).toMatchObject({ status: 404 });
      for (const [path, method] of [
        ['/indexes/none', 'DELETE'],
        ['/indexes/none/documents', 'DELETE'],
        ['/indexes/none/documents/1', 'DELETE'],
        ['/indexes/none/settings', 'DELETE'],
      ] as const) {
        const task = await cluster().write(path, { method });
        expect(task).toMatchObject({ status: 'failed', error: { code: 'index_not_found' } });
      }
      expect((await cluster().request('/indexes/none')).status).toBe(404);
    });

    it('refuses an unknown settings key and creates nothing', async () => {
      const path = '/indexes/unborn/settings';
      const error = await refused(cluster(), path, { method: 'PATCH', body: { stopWrds: [] } });
      expect(error).toMatchObject({ status: 400, code: 'bad_request' });
      expect(error.message).toContain('did you mean `stopWords`?');
      const wrong = await refused(cluster(), path, { method: 'PATCH', body: { stopWords: 5 } });
      expect(wrong.code).toBe('invalid_settings_stop_words');
      expect((await cluster().request('/indexes/unborn')).status).toBe(404);
    });

    it('refuses an index uid that leaves no room for what nodes add to it', async () => {
      const error = await refused(cluster(), '/indexes', { body: { uid: 'x'.repeat(371) } });
      expect(error).toMatchObject({ status: 400, code: 'invalid_index_uid' });
      expect(error.message).toContain('can not be more than 370 bytes');
      const longest = 'x'.repeat(370);
      const task = await cluster().write(`/indexes/${longest}/documents`, { body: [{ id: 1 }] });
      expect(task.status).toBe('succeeded');
      expect((await cluster().write(`/indexes/${longest}`, { method: 'DELETE' })).status).toBe('succeeded');
    });
  });

  describe('nodes', () => {
    it('refuses unknown and duplicate ids', async () => {
      const [{ url }] = [cluster().nodes.get('node-1')!];
      const add = (nodes: object[]) => cluster().admin('POST', '/_miroir/nodes', { nodes });
      await expect(cluster().admin('DELETE', '/_miroir/nodes/node-9')).rejects.toThrow(
        /400 .*no node `node-9`/,
      );
      await expect(cluster().admin('POST', '/_miroir/nodes/node-9/drain')).rejects.toThrow(
        /no node `node-9`/,
      );
      await expect(add([{ id: 'node-1', url: 'http://127.0.0.1:1' }])).rejects.toThrow(
        /already in the fleet/,
      );
      await expect(add([{ id: 'twin', url }])).rejects.toThrow(/have the same URL/);
      await expect(add([{ id: 'no good', url }])).rejects.toThrow(/must be letters, digits/);
      await expect(add([{ id: 'x', url: 'ftp://x' }])).rejects.toThrow(/must begin with http/);
      await expect(
        add([
          { id: 'x', url: 'http://127.0.0.1:1' },
          { id: 'x', url: 'http://127.0.0.1:2' },
        ]),
      ).rejects.toThrow(/named twice/);
      expect(await topologyNodes(cluster())).toEqual(['node-1', 'node-2']);
    });

    /** Adds a node of this URL and key; answers why the change failed. */
    async function failedAddition(id: string, url: string, key: string): Promise<string> {
      const { changeId } = await cluster().admin<{ changeId: string }>('POST', '/_miroir/nodes', {
        nodes: [{ id, url, key }],
      });
      const error = await cluster()
        .waitChange(changeId)
        .then(
          () => '',
          (thrown: Error) => thrown.message,
        );
      expect(await topologyNodes(cluster())).toEqual(['node-1', 'node-2']);
      return error;
    }

    it('refuses a node that does not answer', async () => {
      expect(await failedAddition('silent', 'http://127.0.0.1:9', 'x')).toMatch(/does not answer/);
    });

    it('refuses the same node under a second id', async () => {
      const { url, masterKey } = cluster().nodes.get('node-1')!;
      const error = await failedAddition('second', url.replace('127.0.0.1', 'localhost'), masterKey);
      expect(error).toMatch(/this fleet's node "node-1" already/);
    });

    it('refuses a wrong key, no key, a foreign index, and a node of another fleet', async () => {
      const { url, masterKey } = await cluster().spawnNode();
      expect(await failedAddition('node-3', url, 'not-its-key')).toMatch(
        /refuses the key|asks for its master key/,
      );
      const keyless = await cluster().admin<{ changeId: string }>('POST', '/_miroir/nodes', {
        nodes: [{ id: 'node-3', url }],
      });
      await expect(cluster().waitChange(keyless.changeId)).rejects.toThrow(/asks for its master key/);

      const index = JSON.stringify({ uid: 'bad', primaryKey: 'id' });
      const created = await onNode(cluster(), 'node-3', '/indexes', { method: 'POST', body: index });
      const { taskUid } = (await created.json()) as { taskUid: number };
      await cluster().until('the foreign index', 20_000, async () => {
        const task = await (await onNode(cluster(), 'node-3', `/tasks/${taskUid}`)).json();
        return (task as { status: string }).status === 'succeeded' ? true : null;
      });
      expect(await failedAddition('node-3', url, masterKey)).toMatch(/has an index "bad" of its own/);
      expect((await onNode(cluster(), 'node-3', '/indexes/bad')).status).toBe(200);
      await onNode(cluster(), 'node-3', '/indexes/bad', { method: 'DELETE' });

      const claim = JSON.stringify({
        uid: CLAIM_KEY,
        description: 'miroir cluster=elsewhere node=n1',
        actions: ['indexes.get'],
        indexes: ['miroir-claim'],
        expiresAt: null,
      });
      expect((await onNode(cluster(), 'node-3', '/keys', { method: 'POST', body: claim })).status).toBe(201);
      expect(await failedAddition('node-3', url, masterKey)).toMatch(
        /claimed by the fleet "elsewhere" as "n1"/,
      );
      await onNode(cluster(), 'node-3', `/keys/${CLAIM_KEY}`, { method: 'DELETE' });
    });

    it('takes the same node once it is free and its key is right', async () => {
      await cluster().addNode('node-3');
      expect(await topologyNodes(cluster())).toEqual(['node-1', 'node-2', 'node-3']);
      expect(await idsOf(cluster(), 'bad')).toEqual([1, 2, 3]);
    });
  });
});
