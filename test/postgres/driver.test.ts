// What PostgreSQL does that SQLite cannot: several processes at once, connections that are cut, a server that goes away.
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Store } from '../../shared/io/store.js';
import { StoreUnavailable } from '../../shared/io/store-failure.js';
import { numberPlaceholders, toPostgres } from '../../shared/io/store-sql/postgres-dialect.js';
import { openPostgres } from '../../shared/io/store-sql/postgres-driver.js';
import { createSqlStore } from '../../shared/io/store-sql/sql-store.js';
import { appendInput } from '../support/append-input.js';
import { CutProxy } from '../support/cut-proxy.js';
import { PostgresServer } from '../support/postgres-server.js';
import { administer, createSchema } from '../support/test-store.js';

const CLUSTER = { clusterId: 'main', replicationFactor: 2, defaultShardCount: 4 };
const META = { kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null } as const;

let schema: { url: string; drop(): Promise<void> };
const open: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(one: T): T => {
  open.push(one);
  return one;
};

beforeEach(async () => {
  schema = await createSchema(inject('postgresUrl')!);
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await schema?.drop();
});

/** As another process would open it. */
async function openStoreAt(
  url = schema.url,
  options: Parameters<typeof openPostgres>[1] = {},
): Promise<Store> {
  return keep(await createSqlStore(openPostgres(url, options)));
}

const append = (store: Store, requestId: string) =>
  store.appendEntry(appendInput(requestId, 'books', META, undefined, { failure: null }));

describe('several processes', () => {
  it('bring an empty database to the newest schema at the same time', async () => {
    const stores = await Promise.all([openStoreAt(), openStoreAt(), openStoreAt()]);
    const topologies = await Promise.all(stores.map((store) => store.initialize(CLUSTER)));
    expect(new Set(topologies.map((topology) => topology.journalId)).size).toBe(1);
  });

  it('number entries without a gap, and a request that both send once', async () => {
    const stores = [await openStoreAt(), await openStoreAt()];
    await stores[0]!.initialize(CLUSTER);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        append(stores[i % 2]!, `request-${Math.floor(i / 2) % 20}-${i % 3}`),
      ),
    );
    const numbers = answers.map((answer) => (answer.ok ? answer.seq : -1));
    const distinct = [...new Set(numbers)].sort((a, b) => a - b);
    expect(distinct).toEqual(distinct.map((_, i) => i));
    const { rows } = await stores[1]!.listTasks({ limit: 100, reverse: true });
    expect(rows.map((row) => row.uid)).toEqual(distinct);
  });

  it('read one moment, whatever is committed meanwhile', async () => {
    const [reader, writer] = [keep(openPostgres(schema.url)), keep(openPostgres(schema.url))];
    await writer.transaction('write', (tx) => tx.run('CREATE TABLE t (a BIGINT)'));
    const counts = await reader.transaction('read', async (tx) => {
      const before = await tx.all('SELECT COUNT(*) AS count FROM t');
      await writer.transaction('write', (other) => other.run('INSERT INTO t VALUES (?)', [1]));
      return [before, await tx.all('SELECT COUNT(*) AS count FROM t')];
    });
    expect(counts).toEqual([[{ count: 0 }], [{ count: 0 }]]);
    await expect(reader.transaction('read', (tx) => tx.run('INSERT INTO t VALUES (?)', [2]))).rejects.toThrow(
      /read-only transaction/,
    );
  });

  it('take the lock from one that stands still within a transaction', async () => {
    const stopped = keep(openPostgres(schema.url, { idleInTransactionMs: 200 }));
    const other = keep(openPostgres(schema.url));
    await other.transaction('write', (tx) => tx.run('CREATE TABLE t (a BIGINT)'));
    let ended = () => {};
    const release = new Promise<void>((resolve) => {
      ended = resolve;
    });
    let started = () => {};
    const inside = new Promise<void>((resolve) => {
      started = resolve;
    });
    const standing = stopped.transaction('write', async (tx) => {
      await tx.run('INSERT INTO t VALUES (?)', [1]);
      started();
      await release;
      return tx.run('INSERT INTO t VALUES (?)', [2]);
    });
    standing.catch(() => {});
    await inside;
    await other.transaction('write', (tx) => tx.run('INSERT INTO t VALUES (?)', [3]));
    ended();
    await expect(standing).rejects.toMatchObject({ name: 'StoreUnavailable', code: '25P03' });
    expect(await stopped.transaction('read', (tx) => tx.all('SELECT a FROM t'))).toEqual([{ a: 3 }]);
  });
});

describe('connections', () => {
  const throughProxy = async () => {
    const server = new URL(schema.url);
    const cut = keep(await CutProxy.open(Number(server.port)));
    server.port = String(cut.port);
    return { cut, url: server.href };
  };

  it('that lose the answer to a commit give the same number when they are asked again', async () => {
    const { cut, url } = await throughProxy();
    const store = await openStoreAt(url);
    await store.initialize(CLUSTER);
    expect(await append(store, 'first')).toMatchObject({ ok: true, seq: 0 });
    cut.cutAnswerOf('COMMIT\0');
    const lost = await append(store, 'second').catch((error: unknown) => error);
    expect(lost).toMatchObject({ name: 'StoreUnavailable', code: '08007' });
    expect(await append(store, 'second')).toMatchObject({ ok: true, seq: 1 });
    expect(await append(store, 'third')).toMatchObject({ ok: true, seq: 2 });
  });

  it('that fall silent are given up after the deadline, and replaced', async () => {
    const { cut, url } = await throughProxy();
    const store = await openStoreAt(url, { statementMs: 300 });
    await store.initialize(CLUSTER);
    await store.readEpoch();
    cut.silence();
    await expect(store.readEpoch()).rejects.toMatchObject({
      name: 'StoreUnavailable',
      code: 'CLIENT_QUERY_TIMEOUT',
    });
    await expect(append(store, 'first')).rejects.toBeInstanceOf(StoreUnavailable);
    cut.restore();
    expect(await append(store, 'first')).toMatchObject({ ok: true, seq: 0 });
  });

  it('are made again when the server was started again, killed even', async () => {
    const server = keep(Object.assign((await PostgresServer.start())!, { close: async () => {} }));
    try {
      const store = await createSqlStore(openPostgres(server.url()));
      await store.initialize(CLUSTER);
      await Promise.all([store.readEpoch(), store.readHead(), append(store, 'first')]);
      await server.process.end('SIGQUIT');
      await expect(store.readEpoch()).rejects.toMatchObject({ name: 'StoreUnavailable' });
      await server.launch();
      expect(await append(store, 'second')).toMatchObject({ ok: true, seq: 1 });
      await store.close();
    } finally {
      await server.stop();
    }
  });

  it('say what is wrong without the password', async () => {
    const nowhere = openPostgres('postgres://miroir:s3cret@127.0.0.1:1/postgres');
    const refused = await nowhere
      .transaction('read', (tx) => tx.all('SELECT 1'))
      .catch((error: Error) => error);
    expect(refused).toMatchObject({ name: 'StoreUnavailable', code: 'ECONNREFUSED' });
    expect(String(refused)).toMatch(/its server cannot be reached/);
    expect(JSON.stringify(refused) + String((refused as Error).stack)).not.toContain('s3cret');
    await nowhere.close();
    const missing = openPostgres(schema.url.replace('/postgres?', '/nothing?'));
    await expect(missing.transaction('read', (tx) => tx.all('SELECT 1'))).rejects.toThrow(
      /no such database: create it/,
    );
    await missing.close();
  });
});

describe('the dialect', () => {
  it('numbers placeholders outside of quotes', () => {
    expect(numberPlaceholders(`SELECT '?''?' AS "a?" WHERE b = ? AND c IN (?, ?)`)).toBe(
      `SELECT '?''?' AS "a?" WHERE b = $1 AND c IN ($2, $3)`,
    );
  });

  it('refuses a trigger that it does not know', () => {
    expect(() => toPostgres('CREATE TRIGGER a BEFORE INSERT ON b BEGIN SELECT 1; END')).toThrow(
      /no such trigger/,
    );
  });

  it('keeps counting by itself where a key is called id, and compares texts by bytes', async () => {
    const driver = keep(openPostgres(schema.url));
    const rows = await driver.transaction('write', async (tx) => {
      for (const statement of toPostgres(
        'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size REAL, data BLOB)',
      ))
        await tx.run(statement);
      for (const name of ['b', 'B', 'é', 'a'])
        await tx.run('INSERT INTO t (name, size, data) VALUES (?, ?, ?)', [
          name,
          0.5,
          new Uint8Array([0, 255]),
        ]);
      return tx.all('SELECT id, name, size, data, SUM(id) OVER () AS total FROM t ORDER BY name');
    });
    expect(rows.map((row) => row.name)).toEqual(['B', 'a', 'b', 'é']);
    expect(rows[0]).toEqual({ id: 2, name: 'B', size: 0.5, data: Buffer.from([0, 255]), total: 10 });
  });

  it('leaves no statement unprepared after a table has got another column', async () => {
    const driver = keep(openPostgres(schema.url));
    const read = () => driver.transaction('read', (tx) => tx.all('SELECT * FROM t'));
    await driver.transaction('write', (tx) => tx.run('CREATE TABLE t (a BIGINT)'));
    await read();
    await administer(schema.url, 'ALTER TABLE t ADD COLUMN b BIGINT; INSERT INTO t VALUES (1, 2)');
    expect(await read()).toEqual([{ a: 1, b: 2 }]);
  });
});
