// What a SQL driver offers to the store: transactions in which statements run one after the other.

export type SqlValue = string | number | null | Uint8Array;
export type Row = Record<string, SqlValue>;

/** Statements inside one transaction; `nowMs` is the wall clock at its begin. */
export interface Tx {
  readonly nowMs: number;
  all<T = Row>(sql: string, params?: readonly SqlValue[]): Promise<T[]>;
  /** Answers how many rows changed. */
  run(sql: string, params?: readonly SqlValue[]): Promise<number>;
}

/**
 * `read` sees one moment and changes nothing. `write` transactions of all processes run one after the other, each
 * seeing all before it. `stage` only adds rows that nobody reads yet, and need not take turns. `schema` is a write
 * that may take long.
 */
export type TxMode = 'read' | 'write' | 'stage' | 'schema';

export interface SqlDriver {
  /**
   * Runs `work` in a transaction: committed when it resolves, rolled back when it throws. Throws StoreUnavailable
   * where the database cannot be used.
   */
  transaction<T>(mode: TxMode, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** What a statement of a migration, written for SQLite, is in this driver's dialect. */
  toDialect(statement: string): readonly string[];
  /** What lets a table count its keys on after rows were brought with keys of their own. */
  continueCounting(table: string): readonly string[];
  close(): Promise<void>;
}

/** The only row of a query, or undefined. */
export async function one<T = Row>(
  tx: Tx,
  sql: string,
  params: readonly SqlValue[] = [],
): Promise<T | undefined> {
  const rows = await tx.all<T>(sql, params);
  return rows[0];
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** `?, ?, ?` for an IN list. */
export function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

/** What one statement is given at most, and a power of two. */
const MOST_AT_ONCE = 256;

/**
 * Cuts what a statement is to be given into batches. The last item fills each up to a power of two, so that few
 * statements are prepared: giving it again must change nothing.
 */
export function cutBatches<T>(items: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let first = 0; first < items.length; first += MOST_AT_ONCE) {
    const batch = items.slice(first, first + MOST_AT_ONCE);
    const length = 2 ** Math.ceil(Math.log2(batch.length));
    batches.push([...batch, ...Array<T>(length - batch.length).fill(batch.at(-1)!)]);
  }
  return batches;
}

export function parseJson<T>(text: SqlValue | undefined): T | null {
  return typeof text === 'string' ? (JSON.parse(text) as T) : null;
}

export function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
