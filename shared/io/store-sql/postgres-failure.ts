// What it means when PostgreSQL, or the way to it, fails: outages by code, and what an operator is told.
import { StoreUnavailable } from '../store-failure.js';

/** The answer to a COMMIT was lost: the transaction may have been kept (SQLSTATE of that name). */
export const COMMIT_UNKNOWN = '08007';

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^28/, 'the server refuses its user or password: look at storeUrl, PGPASSWORD and PGPASSFILE'],
  [/^3D000/, 'the server has no such database: create it'],
  [/^(3F000|42501)/, 'its user may not use the schema: grant it'],
  [/^53100/, "the server's disk is full"],
  [/^53/, 'the server is out of connections or memory'],
  [/^55P03/, 'another process keeps its write lock'],
  [/^57014/, 'a statement took too long'],
  [/^25P0[34]/, 'this process stood still within a transaction, which the server has ended'],
  [/^25006/, 'the server takes no writes: it is a standby, or was set to read only'],
  [/^XX00[12]/, "the server's files are damaged: restore them from a backup"],
  [/^(08|57P|E[A-Z_]+$|CLIENT_)/, 'its server cannot be reached or has ended the connection'],
];

/** Errors of the client library have no code: these are what it says when a connection is gone or silent. */
const CLIENT_MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/^Query read timeout/, 'CLIENT_QUERY_TIMEOUT'],
  [
    /timeout exceeded when trying to connect|^Connection terminated due to connection timeout/,
    'CLIENT_CONNECT_TIMEOUT',
  ],
  [
    /^Connection terminated|^Client has encountered a connection error|not queryable|^The server does not support SSL/,
    'CLIENT_CONNECTION_LOST',
  ],
];

/** SQLSTATE, the system's code, or one of ours where the client library gives none. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return code;
  return CLIENT_MESSAGES.find(([pattern]) => pattern.test(error.message))?.[1] ?? null;
}

/** True for an error of one statement, after which the connection can still be rolled back and used. */
export function keepsConnection(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code === null || (/^[0-9A-Z]{5}$/.test(code) && (error as { severity?: unknown }).severity === 'ERROR')
  );
}

/** The outage that an error stands for; any other error (a broken rule, a fault of ours) as it is. */
export function namePostgresFailure(error: unknown): unknown {
  if (error instanceof StoreUnavailable) return error;
  const code = codeOf(error);
  const known = code === null ? undefined : SENTENCES.find(([pattern]) => pattern.test(code));
  if (code === null || known === undefined) return error;
  const { message } = error as Error;
  return new StoreUnavailable(code, `The state store cannot be used: ${known[1]} (${message || code}).`);
}
