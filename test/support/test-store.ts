// A state store of a test's own: SQLite in a folder, or, in the project `postgres`, a schema of its server.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { Store } from '../../shared/io/store.js';
import type { SqlDriver } from '../../shared/io/store-sql/driver.js';
import { openLibsql } from '../../shared/io/store-sql/libsql-driver.js';
import { openPostgres } from '../../shared/io/store-sql/postgres-driver.js';
import { createSqlStore } from '../../shared/io/store-sql/sql-store.js';

export interface TestStore {
  /** What other processes open it with. */
  url: string;
  store: Store;
  driver: SqlDriver;
  /** Closes the store and removes what it kept. */
  close(): Promise<void>;
}

export async function openTestStore(clock?: () => number): Promise<TestStore> {
  const server = inject('postgresUrl') ?? null;
  if (server !== null) return openSchema(server, clock);
  const folder = mkdtempSync(join(tmpdir(), 'miroir-store-'));
  const path = join(folder, 'miroir.db');
  const driver = openLibsql(path, clock);
  const store = await createSqlStore(driver);
  return {
    url: `sqlite:${path}`,
    store,
    driver,
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function openSchema(server: string, clock?: () => number): Promise<TestStore> {
  const schema = await createSchema(server);
  const driver = openPostgres(schema.url, { clock });
  const store = await createSqlStore(driver);
  return {
    url: schema.url,
    store,
    driver,
    async close() {
      await store.close();
      await schema.drop();
    },
  };
}

export interface EmptyStore {
  url: string;
  drop(): Promise<void>;
}

/** A place for a store in which there is nothing yet. */
export async function createEmptyStore(): Promise<EmptyStore> {
  const server = inject('postgresUrl') ?? null;
  if (server !== null) return createSchema(server);
  const folder = mkdtempSync(join(tmpdir(), 'miroir-store-'));
  return {
    url: `sqlite:${join(folder, 'miroir.db')}`,
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** An empty schema of the server, and the URL of stores in it. */
export async function createSchema(server: string): Promise<EmptyStore> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE SCHEMA ${name}`);
  return {
    url: `${server}?options=${encodeURIComponent(`-c search_path=${name}`)}`,
    drop: () => administer(server, `DROP SCHEMA ${name} CASCADE`),
  };
}

export async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
