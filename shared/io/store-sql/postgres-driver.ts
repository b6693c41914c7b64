// The PostgreSQL driver. Write transactions of all processes take one lock first, so that they are as serial as
// SQLite's: each statement after it sees everything that earlier holders committed. Reads see one snapshot.
import pg from 'pg';
import { StoreUnavailable } from '../store-failure.js';
import type { Row, SqlDriver, SqlValue, Tx, TxMode } from './driver.js';
import { numberPlaceholders, toPostgres } from './postgres-dialect.js';
import { COMMIT_UNKNOWN, keepsConnection, namePostgresFailure } from './postgres-failure.js';

export interface PostgresOptions {
  /** The wall clock; the server's own by default, one for all processes. */
  clock?: () => number;
  /** A process that stands still within a transaction loses it after so long, and the lock with it. */
  idleInTransactionMs?: number;
  /** How long one statement, and the wait for the lock, may take. */
  statementMs?: number;
}

const CONNECT_MS = 5_000;
/** Reads and staged payloads at the same time; writes have one connection of their own. */
const READERS = 6;
/** Any number, the same in every Miroir; the second half of the key is the schema's. */
const LOCK_CLASS = 0x4d69;
/** IN lists of many lengths would otherwise pile up on the server. */
const MOST_PREPARED = 500;

const LOCK = `SELECT pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(current_schema()))`;
const NOW = 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms';
const BEGIN: Record<TxMode, string> = {
  read: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${NOW}`,
  write: `BEGIN ISOLATION LEVEL READ COMMITTED; ${LOCK}; ${NOW}`,
  stage: `BEGIN ISOLATION LEVEL READ COMMITTED; ${NOW}`,
  schema: `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; ${LOCK}; ${NOW}`,
};

/** BIGINT, and NUMERIC as sums give it, are JavaScript's numbers here: all of them stay below 2^53. */
const NUMBERS: readonly number[] = [pg.types.builtins.INT8, pg.types.builtins.NUMERIC];

interface Statement {
  text: string;
  name?: string;
}

/** Connects to `postgres://user@host:port/database`; the password may come from PGPASSWORD or PGPASSFILE. */
export function openPostgres(url: string, options: PostgresOptions = {}): SqlDriver {
  const { statementMs = 10_000, idleInTransactionMs = 5_000 } = options;
  const config: pg.PoolConfig = {
    connectionString: withSessionOptions(url),
    application_name: 'miroir',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    statement_timeout: statementMs,
    lock_timeout: statementMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    types: {
      getTypeParser: (oid, format) =>
        NUMBERS.includes(oid) && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format),
    },
  };
  const readers = new pg.Pool({ ...config, max: READERS });
  const writer = new pg.Pool({ ...config, max: 1 });
  // A connection that ends while nobody uses it is replaced at its next use; unheard, it would end the process.
  for (const pool of [readers, writer]) {
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
  }
  const statements = new Map<string, Statement>();
  let names = 0;
  let tail: Promise<unknown> = Promise.resolve();

  const prepare = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (!statement) {
      const text = numberPlaceholders(sql);
      if (statements.size >= MOST_PREPARED) return { text };
      statement = { text, name: `m${names++}` };
      statements.set(sql, statement);
    }
    return statement;
  };

  const run = async <T>(mode: TxMode, work: (tx: Tx) => Promise<T>): Promise<T> => {
    // A silent server (a cut network) is given up a little after its own deadline would have ended the statement.
    const silentMs = mode === 'schema' ? undefined : statementMs + 2_000;
    const { client, nowMs } = await begin(
      mode === 'read' || mode === 'stage' ? readers : writer,
      mode,
      silentMs,
    );
    let lost: unknown = null;
    const lose = (error: unknown) => {
      lost ??= error;
    };
    client.on('error', lose);
    const query = async (config: pg.QueryConfig) => {
      try {
        return await client.query<Row>({ ...config, query_timeout: silentMs } as pg.QueryConfig);
      } catch (error) {
        if (!keepsConnection(error)) lose(error);
        throw lost ?? error;
      }
    };
    const ask = (sql: string, values: readonly SqlValue[]) =>
      query({
        ...(mode === 'schema' ? { text: numberPlaceholders(sql) } : prepare(sql)),
        values: values.map(toDriver),
      });
    try {
      const result = await work({
        nowMs: options.clock?.() ?? nowMs,
        all: async <R>(sql: string, params: readonly SqlValue[] = []) => (await ask(sql, params)).rows as R[],
        run: async (sql, params = []) => (await ask(sql, params)).rowCount ?? 0,
      });
      const { command } = await query({ text: 'COMMIT' }).catch((error: unknown) => {
        throw lost === null || mode === 'read' ? error : unknownCommit(error);
      });
      if (command !== 'COMMIT')
        throw new Error('a statement of the transaction failed, and its error was swallowed');
      return result;
    } catch (error) {
      // Nothing but a rollback can follow: where even that fails, the server does it when the connection ends.
      if (lost === null) await query({ text: 'ROLLBACK' }).catch(() => undefined);
      throw error;
    } finally {
      client.off('error', lose);
      client.release(lost !== null);
    }
  };

  /** Begins on a connection that works: nothing has happened yet, so that a dead one is simply replaced. */
  const begin = async (pool: pg.Pool, mode: TxMode, silentMs: number | undefined) => {
    for (let attempt = 0; ; attempt += 1) {
      const client = await pool.connect();
      try {
        const answers = (await client.query({
          text: BEGIN[mode],
          query_timeout: silentMs,
        } as pg.QueryConfig)) as unknown;
        const [row] = (answers as pg.QueryResult<{ now_ms: number }>[]).at(-1)!.rows;
        return { client, nowMs: row!.now_ms };
      } catch (error) {
        client.release(true);
        const { code } = namePostgresFailure(error) as { code?: string };
        const isDead = /^(57P|08|CLIENT_CONNECTION_LOST|E)/.test(code ?? '');
        if (!isDead || attempt >= READERS) throw error;
      }
    }
  };

  return {
    transaction(mode, work) {
      const named = () =>
        run(mode, work)
          .catch((error: unknown) => {
            if (!isOutdatedPlan(error)) throw error;
            // Another Miroir has brought the tables to a newer schema, and nothing was done yet.
            statements.clear();
            return run(mode, work);
          })
          .catch((error: unknown) => {
            throw namePostgresFailure(error);
          });
      if (mode === 'read' || mode === 'stage') return named();
      // Waiting here for the writes of this process costs no connection.
      const next = tail.then(named);
      tail = next.catch(() => undefined);
      return next;
    },
    toDialect: toPostgres,
    continueCounting: (table) => [
      `SELECT setval(pg_get_serial_sequence('${table}', 'id'), COALESCE(MAX(id), 0) + 1, false) FROM ${table}`,
    ],
    async close() {
      await tail;
      await Promise.all([readers.end(), writer.end()]);
    },
  };
}

/** What every session needs, before what the URL itself asks for. */
function withSessionOptions(url: string): string {
  const parsed = new URL(url);
  const own = '-c synchronous_commit=on -c tcp_user_timeout=10000';
  parsed.searchParams.set('options', [own, parsed.searchParams.get('options') ?? ''].join(' ').trim());
  // URL writes a space as `+`, which the client does not read as one.
  return parsed.href.replaceAll('+', '%20');
}

function unknownCommit(error: unknown): StoreUnavailable {
  const { message } = error as Error;
  return new StoreUnavailable(
    COMMIT_UNKNOWN,
    `The state store cannot be used: its server did not answer whether it has kept the last transaction (${message}).`,
  );
}

function isOutdatedPlan(error: unknown): boolean {
  return error instanceof Error && /^cached plan must not change result type/.test(error.message);
}

function toDriver(value: SqlValue): SqlValue {
  return value instanceof Uint8Array && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
}
