// Two proxies and two workers on one PostgreSQL: any one of each may be lost for good, and a proxy that the network
// cuts off from the store stops in time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../up/tour/random.js';
import { ChaosClient } from '../chaos/client.js';
import { ChaosSearcher } from '../chaos/searcher.js';
import { ChaosWriter } from '../chaos/writer.js';
import { useCluster } from '../support/cluster.js';
import { CutProxy } from '../support/cut-proxy.js';
import { findPostgres } from '../support/postgres-server.js';
import { makeDocuments } from '../support/traffic.js';

interface Status {
  nodes: { id: string; stream: { holder: string | null } | null }[];
}

const CALM = 200;
const LIMIT_MS = 300_000;

describe.skipIf(findPostgres() === null)('two proxies and two workers on PostgreSQL', () => {
  const cluster = useCluster({ nodes: 3, replicationFactor: 2, shardCount: 8, store: 'postgres' });
  const known = ['proxy', 'proxy-2'];
  let cut: CutProxy | null = null;

  beforeAll(async () => {
    await Promise.all([cluster().startProxy('proxy-2'), cluster().startWorker('worker-2')]);
    for (const uid of ['calm', 'busy']) {
      await cluster().write('/indexes', { body: { uid, primaryKey: 'id' } });
      await cluster().write(`/indexes/${uid}/settings`, {
        method: 'PATCH',
        body: {
          filterableAttributes: ['id', 'color', 'rank', 'group', 'writer'],
          sortableAttributes: ['rank'],
        },
      });
    }
    await cluster().write('/indexes/calm/documents', { body: makeDocuments(0, CALM) });
  }, LIMIT_MS);
  afterAll(async () => {
    await cut?.close();
  });

  /** A client that turns to the other proxy when one fails. */
  const client = (seed: number) =>
    new ChaosClient(() => known.map((name) => cluster().urlOf(name)), createRandom(seed));

  it('lose one of each for good under writes and searches, without an error that a retrying client sees', {
    timeout: LIMIT_MS,
  }, async () => {
    const c = cluster();
    const writer = new ChaosWriter({
      name: 'w0',
      index: 'busy',
      client: client(1),
      random: createRandom(11),
      pauseMs: 5,
    });
    const searcher = new ChaosSearcher(client(2), 'calm', 5);
    await searcher.prepare(CALM);
    const active = { on: true };
    const loop = async (step: () => Promise<void>) => {
      while (active.on) await step();
    };
    const loops = [loop(() => writer.step()), loop(() => searcher.step())];
    for (const one of loops)
      one.catch(() => {
        active.on = false;
      });
    const progress = async (what: string) => {
      const [written, searched] = [writer.history.acknowledged + 20, searcher.tally.sent + 20];
      await c.until(what, 180_000, async () =>
        !active.on || (writer.history.acknowledged >= written && searcher.tally.sent >= searched)
          ? true
          : null,
      );
    };
    /** How long a new client's write takes to be accepted, and to succeed. */
    const probe = async () => {
      const begun = performance.now();
      const other = client(3);
      const accepted = await other.ask('POST', '/indexes/busy/documents', [{ id: 'probe', at: begun }], true);
      const acceptedMs = performance.now() - begun;
      const { taskUid } = accepted.body as { taskUid: number };
      await c.until(`task ${taskUid}`, 180_000, async () => {
        const { status } = (await other.ask('GET', `/tasks/${taskUid}`)).body as { status: string };
        return status === 'succeeded' ? true : null;
      });
      return { acceptedMs: Math.round(acceptedMs), succeededMs: Math.round(performance.now() - begun) };
    };

    await progress('writes and searches before the first kill');
    const { nodes } = await c.admin<Status>('GET', '/_miroir/status');
    const holders = nodes.map((node) => node.stream?.holder ?? '');
    const busy = ['worker', 'worker-2'].find((name) =>
      holders.some((holder) => holder.includes(`-${c.pidOf(name)}-`)),
    )!;
    await c.kill(busy);
    const afterWorker = await probe();
    await progress('writes and searches without the worker');
    await c.kill('proxy-2');
    const afterProxy = await probe();
    await progress('writes and searches without the proxy');
    active.on = false;
    await Promise.all(loops);
    process.stderr.write(
      `after the kill of ${busy}: ${JSON.stringify(afterWorker)} ms; of a proxy: ${JSON.stringify(afterProxy)} ms\n`,
    );

    await c.until('all tasks to end', 120_000, async () => {
      const open = await c.request<{ total: number }>('/tasks?statuses=enqueued,processing&limit=1');
      return open.body.total === 0 ? true : null;
    });
    const documents = await c.request<{ results: { id: string }[] }>('/indexes/busy/documents?limit=10000');
    const own = documents.body.results.filter(({ id }) => id !== 'probe');
    const verdict = writer.history.judge(new Map(own.map((document) => [document.id, document])));
    expect({ ...verdict, expected: 0, found: 0 }).toEqual({
      expected: 0,
      found: 0,
      lost: [],
      resurrected: [],
      wrong: [],
    });
    expect(verdict.expected).toBeGreaterThan(0);
    expect({ refused: writer.refused, stale: writer.stale }).toEqual({ refused: [], stale: [] });
    const { failed, incomplete, wrong } = searcher.tally;
    expect({ failed, incomplete, wrong }).toEqual({ failed: [], incomplete: [], wrong: [] });
  });

  it('go on while a third proxy is cut off from the store: it refuses writes and searches until it is back', {
    timeout: LIMIT_MS,
  }, async () => {
    const c = cluster();
    cut = await CutProxy.open(c.postgres!.port);
    await c.startProxy('cut', { MIROIR_STORE_URL: c.postgres!.url('postgres', '127.0.0.1', cut.port) });
    const search = () => c.request('/indexes/calm/search', { body: { q: 'heron' }, proxy: 'cut' });
    const write = () => c.request('/indexes/calm/documents', { body: [{ id: 'late' }], proxy: 'cut' });
    expect(await search()).toMatchObject({ status: 200 });
    cut.silence();
    await c.until('the end of its searches', 60_000, async () =>
      (await search()).status === 503 ? true : null,
    );
    expect(await search()).toMatchObject({ status: 503, body: { code: 'miroir_lease_lost' } });
    expect(await write()).toMatchObject({ status: 503, body: { code: 'miroir_lease_lost' } });
    // Every proxy must have heard of new settings before their task succeeds, or be surely silent.
    const settings = { method: 'PATCH', body: { displayedAttributes: ['id', 'title'] } };
    expect(await c.write('/indexes/calm/settings', settings)).toMatchObject({ status: 'succeeded' });
    cut.restore();
    await c.until('its return', 60_000, async () => ((await search()).status === 200 ? true : null));
    const { hits } = (await search()).body as { hits: object[] };
    expect(Object.keys(hits[0]!).sort()).toEqual(['id', 'title']);
    expect(await write()).toMatchObject({ status: 202 });
    await c.kill('cut', 'SIGTERM');
  });

  it('wait for a server that is started again, and lose nothing that was accepted', {
    timeout: LIMIT_MS,
  }, async () => {
    const c = cluster();
    const before = await c.request<{ taskUid: number }>('/indexes/busy/documents', {
      body: [{ id: 'before' }],
    });
    expect(before.status).toBe(202);
    // As a crash: nothing is written out, every connection breaks.
    await c.postgres!.process.end('SIGQUIT');
    const refused = await c.request('/indexes/busy/documents', { body: [{ id: 'meanwhile' }] });
    expect(refused.status).toBe(503);
    await c.postgres!.launch();
    await c.until('a write that is accepted again', 60_000, async () => {
      const { status } = await c.request('/indexes/busy/documents', { body: [{ id: 'after' }] });
      return status === 202 ? true : null;
    });
    expect(await c.waitTask(before.body.taskUid)).toMatchObject({ status: 'succeeded' });
    await c.write('/indexes/busy/documents', { body: [{ id: 'last' }] });
    for (const id of ['before', 'after', 'last'])
      expect(await c.request(`/indexes/busy/documents/${id}`)).toMatchObject({ status: 200, body: { id } });
  });
});
