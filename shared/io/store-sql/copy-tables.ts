// All rows of all tables, from one database to another of the same schema. What tables there are is read from SQLite's
// catalogue: one side of a backup and of a restore is always a SQLite file.
import { marks, one, type SqlValue, type Tx } from './driver.js';

export interface Table {
  name: string;
  columns: string[];
  /** The columns of the primary key, in its order. */
  key: string[];
  /** Whether the database counts its key `id`. */
  counts: boolean;
}

export interface CopiedTable {
  name: string;
  rows: number;
}

/** Written by migrations themselves, or of no use in another place. */
const LEFT_OUT: readonly string[] = ['migrations', 'leases'];
/** Rows that are read at once; payloads are large. */
const PAGE_ROWS = 500;
const PAGE_PAYLOADS = 16;
/** Below the limits of both databases. */
const PARAMETERS = 2_000;

/** The newest migration of a database. */
export async function readVersion(tx: Tx): Promise<number> {
  const row = await one<{ version: number | null }>(tx, 'SELECT MAX(version) AS version FROM migrations');
  return row?.version ?? 0;
}

/** The tables of a SQLite database. */
export async function listTables(sqlite: Tx): Promise<Table[]> {
  const tables: Table[] = [];
  const names = await sqlite.all<{ name: string }>(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
  );
  for (const { name } of names) {
    if (LEFT_OUT.includes(name)) continue;
    const columns = await sqlite.all<{ name: string; pk: number; type: string }>(
      'SELECT name, pk, type FROM pragma_table_info(?) ORDER BY cid',
      [name],
    );
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    if (key.length === 0)
      throw new Error(`the table ${name} has no primary key, so that it cannot be backed up`);
    tables.push({
      name,
      columns: columns.map((column) => column.name),
      key: key.map((column) => column.name),
      counts: key.length === 1 && key[0]!.name === 'id' && key[0]!.type === 'INTEGER',
    });
  }
  return tables;
}

export async function copyTables(from: Tx, to: Tx, tables: readonly Table[]): Promise<CopiedTable[]> {
  const copied: CopiedTable[] = [];
  for (const table of tables) copied.push({ name: table.name, rows: await copyTable(from, to, table) });
  return copied;
}

async function copyTable(from: Tx, to: Tx, { name, columns, key }: Table): Promise<number> {
  const page = name === 'payloads' ? PAGE_PAYLOADS : PAGE_ROWS;
  const select = `SELECT ${columns.join(', ')} FROM ${name}`;
  const order = `ORDER BY ${key.join(', ')} LIMIT ${page}`;
  const after = `WHERE (${key.join(', ')}) > (${marks(key.length)})`;
  let last: SqlValue[] | null = null;
  for (let count = 0; ; ) {
    const rows: Record<string, SqlValue>[] =
      last === null
        ? await from.all(`${select} ${order}`)
        : await from.all(`${select} ${after} ${order}`, last);
    const atOnce = Math.max(1, Math.floor(PARAMETERS / columns.length));
    for (let first = 0; first < rows.length; first += atOnce) {
      const some = rows.slice(first, first + atOnce);
      await to.run(
        `INSERT INTO ${name} (${columns.join(', ')}) VALUES ${some.map(() => `(${marks(columns.length)})`).join(', ')}`,
        some.flatMap((row) => columns.map((column) => row[column]!)),
      );
    }
    count += rows.length;
    if (rows.length < page) return count;
    last = key.map((column) => rows.at(-1)![column]!);
  }
}
