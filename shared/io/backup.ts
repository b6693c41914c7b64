// Backups of the state store: one SQLite file that holds every table, as of one moment, whichever driver keeps them.
// The same file brings a fleet from SQLite to PostgreSQL.
import { copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { openDriver, sqlitePath } from './open-store.js';
import { type CopiedTable, copyTables, listTables, readVersion } from './store-sql/copy-tables.js';
import type { SqlDriver } from './store-sql/driver.js';
import { openLibsql } from './store-sql/libsql-driver.js';
import { markRestored } from './store-sql/restored.js';
import { migrate, NEWEST_VERSION } from './store-sql/schema.js';

/** A backup or a restore cannot be done as asked; nothing was changed. */
export class BackupRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BackupRefused';
  }
}

/** Writes a backup of the store at `url` into a new file, while the fleet runs. Answers the rows of each table. */
export async function writeBackup(url: string, file: string): Promise<CopiedTable[]> {
  if (existsSync(file)) throw new BackupRefused(`${file} exists already: name another file`);
  const path = sqlitePath(url);
  if (path !== null && !existsSync(path)) throw new BackupRefused(`there is no state store at ${path}`);
  const source = openDriver(url);
  const unfinished = `${file}.unfinished`;
  // It holds the keys of the nodes.
  writeFileSync(unfinished, '', { mode: 0o600 });
  // One file from the beginning: a write-ahead log would have to be folded into it at the end.
  const target = openLibsql(unfinished, undefined, 'DELETE');
  try {
    const version = await source.transaction('read', readVersion);
    if (version !== NEWEST_VERSION)
      throw new BackupRefused(
        `the state store has schema version ${version}, this Miroir ${NEWEST_VERSION}: use the Miroir that runs on it`,
      );
    await migrate(target);
    const tables = await source.transaction('read', (from) =>
      target.transaction('write', async (to) => copyTables(from, to, await listTables(to))),
    );
    await target.close();
    renameSync(unfinished, file);
    return tables;
  } catch (error) {
    await target.close().catch(() => undefined);
    rmSync(unfinished, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

/**
 * Fills the empty store at `url` from a backup. The store then waits for an operator: nobody reads it, writes to it or
 * delivers from it before `acceptRestored`. Answers the rows of each table.
 */
export async function restoreBackup(url: string, file: string): Promise<CopiedTable[]> {
  if (!existsSync(file)) throw new BackupRefused(`there is no file ${file}`);
  const { source, done } = await openBackup(file);
  let target: SqlDriver | null = null;
  try {
    target = openDriver(url);
    await migrate(target);
    return await source.transaction('read', (from) =>
      target!.transaction('schema', async (to) => {
        const known = await to.all('SELECT cluster_id FROM cluster');
        if (known.length > 0)
          throw new BackupRefused(
            'the state store that is configured is not empty: restore into an empty one (another file, another database or schema)',
          );
        const tables = await listTables(from);
        const copied = await copyTables(from, to, tables);
        for (const { name, counts } of tables)
          if (counts) for (const statement of target!.continueCounting(name)) await to.all(statement);
        await markRestored(to);
        return copied;
      }),
    );
  } finally {
    await target?.close();
    await source.close();
    done();
  }
}

/** The backup as it is; one of an older Miroir is brought to the newest schema in a copy beside it. */
async function openBackup(file: string): Promise<{ source: SqlDriver; done: () => void }> {
  let source: SqlDriver | null = null;
  let version: number;
  try {
    source = openLibsql(file, undefined, 'DELETE');
    version = await source.transaction('read', readVersion);
  } catch (error) {
    await source?.close();
    throw new BackupRefused(`${file} is no backup of Miroir: ${(error as Error).message}`);
  }
  if (version === NEWEST_VERSION) return { source, done: () => undefined };
  await source.close();
  if (version > NEWEST_VERSION)
    throw new BackupRefused(
      `${file} has schema version ${version}, this Miroir knows ${NEWEST_VERSION}: install the newer Miroir`,
    );
  const copy = `${file}.upgraded`;
  copyFileSync(file, copy);
  const upgraded = openLibsql(copy, undefined, 'DELETE');
  await migrate(upgraded);
  return { source: upgraded, done: () => rmSync(copy, { force: true }) };
}
