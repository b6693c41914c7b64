// The state store is lost and comes back from a backup while the nodes went on: nothing older is written over what they
// hold, replicas that differ are not read, and the fleet goes on above every number that was given out.
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Topology } from '../../shared/core/topology.js';
import { useCluster } from '../support/cluster.js';
import { findPostgres } from '../support/postgres-server.js';
import { TestProcess } from '../support/process.js';
import { administer } from '../support/test-store.js';

const MAIN = resolve(import.meta.dirname, '../../dist/up/main.js');
const LIMIT_MS = 300_000;
const books = (first: number, count: number, note: string) =>
  Array.from({ length: count }, (_, at) => ({ id: first + at, note }));

describe.each(['sqlite', 'postgres'] as const)('a store in %s', (store) => {
  describe.skipIf(store === 'postgres' && findPostgres() === null)('that comes back from a backup', () => {
    const cluster = useCluster({
      nodes: 2,
      replicationFactor: 2,
      shardCount: 4,
      store,
      env: { MIROIR_DEMOTE_AFTER_MS: '500' },
    });

    /** Runs `miroir` with this fleet's configuration; answers its exit code and what it said. */
    const miroir = async (...args: string[]) => {
      const child = new TestProcess({
        name: 'miroir',
        command: process.execPath,
        args: [MAIN, ...args],
        env: cluster().env,
        cwd: cluster().dir,
      });
      child.start();
      const code = await child.ended;
      return { code: code.code, text: child.lines.join('\n') };
    };
    const write = (documents: object[]) => cluster().write('/indexes/books/documents', { body: documents });

    it('goes on with what the nodes hold', { timeout: LIMIT_MS }, async () => {
      const c = cluster();
      const backup = join(c.dir, 'backup');
      await c.write('/indexes', { body: { uid: 'books', primaryKey: 'id' } });
      await write(books(0, 40, 'before'));
      expect(await miroir('backup', backup)).toMatchObject({
        code: 0,
        text: expect.stringMatching(/2 nodes, 1 indexes/),
      });

      // After the backup: both nodes get this, and only one of them the last write.
      await write([...books(0, 10, 'after'), ...books(100, 10, 'after')]);
      await c.kill('node-2');
      const last = await write(books(200, 20, 'last'));
      expect(last.status).toBe('succeeded');
      await c.kill('proxy');
      await c.kill('worker');
      if (store === 'postgres')
        await administer(c.storeUrl, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      else for (const end of ['', '-wal', '-shm']) rmSync(join(c.dir, `miroir.db${end}`), { force: true });
      await c.restart('node-2');

      expect(await miroir('restore', backup)).toMatchObject({ code: 0 });
      expect(await miroir('restore', backup)).toMatchObject({
        code: 1,
        text: expect.stringMatching(/is not empty/),
      });
      const refused = c.restart('proxy');
      await expect(refused).rejects.toThrow(/was restored from a backup .* waits for a decision/);

      const report = await miroir('restore', '--report');
      expect(report.code).toBe(0);
      expect(report.text).toContain(`Nodes have seen tasks up to ${last.uid}`);
      expect(report.text).toMatch(/shard \d: node-1 \(\d+ documents\) kept; copied anew: node-2/);
      expect(await miroir('restore', '--accept')).toMatchObject({
        code: 0,
        text: expect.stringMatching(/Accepted/),
      });
      expect(await miroir('restore', '--accept')).toMatchObject({ code: 1 });

      await c.restart('worker');
      await c.restart('proxy');
      const found = await c.request<{ results: { id: number; note: string }[]; total: number }>(
        '/indexes/books/documents?limit=1000',
      );
      const expected = [
        ...books(0, 10, 'after'),
        ...books(10, 30, 'before'),
        ...books(100, 10, 'after'),
        ...books(200, 20, 'last'),
      ];
      const byId = (a: { id: number }, b: { id: number }) => a.id - b.id;
      expect([...found.body.results].sort(byId)).toEqual(expected);

      const next = await write([{ id: 300, note: 'next' }]);
      expect(next.status).toBe('succeeded');
      expect(next.uid).toBeGreaterThan(last.uid);
      const gone = await c.request(`/tasks/${next.uid - 1}`);
      expect(gone.body).toMatchObject({ status: 'failed', error: { code: 'miroir_store_restored' } });

      // What is not read is copied anew by the next change, or by the fleet's own healing.
      const rebalance = await c.request<{ changeId?: string }>('/_miroir/rebalance', {
        method: 'POST',
        body: {},
        headers: { authorization: `Bearer ${c.adminKey}` },
      });
      expect([202, 409]).toContain(rebalance.status);
      await c.until('two equal replicas of every shard', LIMIT_MS, async () => {
        const { indexes } = await c.admin<Topology>('GET', '/_miroir/topology');
        return indexes[0]!.shards.every(
          (shard) => shard.filter(({ state }) => state === 'in-sync').length === 2,
        )
          ? true
          : null;
      });
      const again = await c.request<{ total: number }>('/indexes/books/documents?limit=0');
      expect(again.body.total).toBe(expected.length + 1);
      expect(existsSync(`${backup}.unfinished`)).toBe(false);
    });
  });
});
