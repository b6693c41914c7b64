// The libsql driver. Its calls block their thread: only tests and the store's own worker thread may hold one.
import Database from 'libsql';
import { nameStoreFailure } from '../store-failure.js';
import type { Row, SqlDriver, SqlValue, Tx, TxMode } from './driver.js';

type Values = (SqlValue | ArrayBuffer)[];

interface Statement {
  raw(): unknown;
  columns(): { name: string }[];
  all(params: readonly SqlValue[]): Values[];
  run(params: readonly SqlValue[]): { changes: number };
}

/** Opens (and creates) a database file with a full fsync a commit; with WAL, unless it must stay one file. */
export function openLibsql(
  path: string,
  clock: () => number = Date.now,
  journal: 'WAL' | 'DELETE' = 'WAL',
): SqlDriver {
  const database = new Database(path, { timeout: 10_000 });
  database.exec(`PRAGMA journal_mode = ${journal}`);
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA busy_timeout = 10000');
  const statements = new Map<string, Statement>();
  let tail: Promise<unknown> = Promise.resolve();

  const prepare = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql) as unknown as Statement;
      // IN lists of many lengths would otherwise pile up.
      if (statements.size > 500) statements.clear();
      statements.set(sql, statement);
    }
    return statement;
  };

  // Rows come as arrays: objects cost the binding twice the time, and have a hidden `_metadata`.
  const columns = new WeakMap<Statement, string[]>();
  const all = (sql: string, params: readonly SqlValue[]): Row[] => {
    const statement = prepare(sql);
    let names = columns.get(statement);
    if (names === undefined) statement.raw();
    const rows = statement.all(params.map(toDriver));
    // Another number of columns: the schema has been changed since.
    if (names === undefined || (rows.length > 0 && rows[0]!.length !== names.length)) {
      names = statement.columns().map(({ name }) => name);
      columns.set(statement, names);
    }
    return rows.map((values) => toRow(names, values));
  };

  const run = async <T>(mode: TxMode, work: (tx: Tx) => Promise<T>): Promise<T> => {
    database.exec(mode === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE');
    const tx: Tx = {
      nowMs: clock(),
      all: async <R>(sql: string, params: readonly SqlValue[] = []) => all(sql, params) as R[],
      run: async (sql, params = []) => prepare(sql).run(params.map(toDriver)).changes,
    };
    try {
      const result = await work(tx);
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk or a broken file has rolled back already.
      if (database.inTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };

  return {
    // One connection: a transaction begins when the one before has ended.
    transaction(mode, work) {
      const next = tail
        .then(() => run(mode, work))
        .catch((error: unknown) => {
          throw nameStoreFailure(error);
        });
      tail = next.catch(() => undefined);
      return next;
    },
    toDialect: (statement) => [statement],
    continueCounting: () => [],
    async close() {
      await tail;
      database.close();
    },
  };
}

function toDriver(value: SqlValue): SqlValue {
  return value instanceof Uint8Array && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
}

/** Blobs arrive as ArrayBuffer. */
function toRow(names: readonly string[], values: Values): Row {
  const row: Row = {};
  for (const [at, value] of values.entries())
    row[names[at]!] = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  return row;
}
