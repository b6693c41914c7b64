// What it means when the state store fails: which of a driver's errors are outages, and what an operator is told.

/** The store cannot be used now. `code` is the driver's own, or `STORE_STOPPED` when its thread has ended. */
export class StoreUnavailable extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'StoreUnavailable';
  }
}

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^SQLITE_(BUSY|LOCKED)/, 'another process keeps its file locked'],
  [/^SQLITE_FULL/, 'its disk is full'],
  [/^SQLITE_(CORRUPT|NOTADB)/, 'its file is damaged: restore it from a backup'],
  [/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM|PROTOCOL|NOMEM)/, 'its file cannot be read or written'],
];

/** The outage that a driver's error stands for; any other error (a broken rule, a fault of ours) as it is. */
export function nameStoreFailure(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string' || error instanceof StoreUnavailable) return error;
  const known = SENTENCES.find(([pattern]) => pattern.test(code));
  if (known === undefined) return error;
  const { message } = error as Error;
  return new StoreUnavailable(code, `The state store cannot be used: ${known[1]} (${message}).`);
}
