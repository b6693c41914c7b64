// The list of an index's fields. Written only by the numbering transaction, so that it is in the journal's order. Names
// are kept as JSON text, for one may hold what a database refuses as text.
import { marks, one, type Tx } from './driver.js';

const CHUNK = 500;

/** Puts the names that are new behind the list; answers how many were. */
export async function addFields(tx: Tx, incarnation: number, names: readonly string[]): Promise<number> {
  const texts = [...new Set(names.map((name) => JSON.stringify(name)))];
  const known = new Set<string>();
  for (let at = 0; at < texts.length; at += CHUNK) {
    const some = texts.slice(at, at + CHUNK);
    const rows = await tx.all<{ name: string }>(
      `SELECT name FROM index_fields WHERE incarnation = ? AND name IN (${marks(some.length)})`,
      [incarnation, ...some],
    );
    for (const { name } of rows) known.add(name);
  }
  const fresh = texts.filter((text) => !known.has(text));
  if (fresh.length === 0) return 0;
  const row = await one<{ count: number }>(
    tx,
    'SELECT COUNT(*) AS count FROM index_fields WHERE incarnation = ?',
    [incarnation],
  );
  const first = Number(row?.count ?? 0);
  // Few statements: the whole fleet's writes wait for this transaction.
  for (let at = 0; at < fresh.length; at += CHUNK / 2) {
    const some = fresh.slice(at, at + CHUNK / 2);
    await tx.run(
      `INSERT INTO index_fields (incarnation, ordinal, name) VALUES ${some.map(() => '(?, ?, ?)').join(', ')}`,
      some.flatMap((name, offset) => [incarnation, first + at + offset, name]),
    );
  }
  return fresh.length;
}

export async function readFields(tx: Tx, incarnation: number, from: number): Promise<string[]> {
  const rows = await tx.all<{ name: string }>(
    'SELECT name FROM index_fields WHERE incarnation = ? AND ordinal >= ? ORDER BY ordinal',
    [incarnation, from],
  );
  return rows.map(({ name }) => JSON.parse(name) as string);
}
