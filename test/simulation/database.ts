// The real state store on one SQLite database in memory, emptied between seeds; statements may be replaced on purpose.

import type { Store } from '../../shared/io/store.js';
import type { SqlDriver } from '../../shared/io/store-sql/driver.js';
import { openLibsql } from '../../shared/io/store-sql/libsql-driver.js';
import { createSqlStore } from '../../shared/io/store-sql/sql-store.js';

export interface Database {
  store: Store;
  driver: SqlDriver;
}

/** Wall clock at virtual time 0. */
const EPOCH_MS = 1_800_000_000_000;
let nowMs = () => 0;
let opened: SqlDriver | null = null;
let tables: string[] = [];

/** An empty store. `rewrite` answers another statement in the place of one, or the same. */
export async function openDatabase(
  clock: () => number,
  rewrite: ((sql: string) => string) | null,
): Promise<Database> {
  nowMs = clock;
  if (opened === null) {
    opened = openLibsql(':memory:', () => EPOCH_MS + Math.floor(nowMs()));
    await createSqlStore(opened);
    const rows = await opened.transaction('read', (tx) =>
      tx.all<{ name: string }>(
        `SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'migrations'`,
      ),
    );
    tables = rows.map(({ name }) => name);
  }
  await opened.transaction('write', async (tx) => {
    for (const table of tables) await tx.run(`DELETE FROM ${table}`);
  });
  const driver = rewrite === null ? opened : rewriting(opened, rewrite);
  return { store: await createSqlStore(driver), driver: opened };
}

function rewriting(driver: SqlDriver, rewrite: (sql: string) => string): SqlDriver {
  const known = new Map<string, string>();
  const replace = (sql: string) => {
    let other = known.get(sql);
    if (other === undefined) {
      other = rewrite(sql);
      known.set(sql, other);
    }
    return other;
  };
  return {
    ...driver,
    transaction: (mode, work) =>
      driver.transaction(mode, (tx) =>
        work({
          nowMs: tx.nowMs,
          all: (sql, params) => tx.all(replace(sql), params),
          run: (sql, params) => tx.run(replace(sql), params),
        }),
      ),
  };
}
