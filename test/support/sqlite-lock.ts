// Who holds the write lock of a SQLite file?
import Database from 'libsql';

/** Whether nobody holds the write lock of the SQLite file now. */
export function isWritable(file: string): boolean {
  const database = new Database(file, { timeout: 0 });
  try {
    database.exec('BEGIN IMMEDIATE');
    database.exec('ROLLBACK');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
