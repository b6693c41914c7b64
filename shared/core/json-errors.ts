// What Meilisearch's JSON parser says when it refuses a payload, and the answer that a client gets.
import { ApiError } from './errors.js';

/** Meilisearch's parser would stop here. Lines and columns count from 1, columns in bytes. */
export class JsonSyntaxError extends Error {
  constructor(
    readonly reason: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(line === 0 ? reason : `${reason} at line ${line} column ${column}`);
    this.name = 'JsonSyntaxError';
  }
}

/** Well-formed, but not an object nor a list of objects. */
export class JsonShapeError extends Error {
  constructor() {
    super('data are neither an object nor a list of objects');
    this.name = 'JsonShapeError';
  }
}

const SHOWN_PREFIX = 50;
const SHOWN_SUFFIX = 85;

/** The answer to a malformed documents payload, shortened as Meilisearch does. */
export function malformedDocuments(format: 'json' | 'ndjson', reason: string): ApiError {
  let shown = reason;
  if (shown.length > SHOWN_PREFIX + SHOWN_SUFFIX + 3) {
    shown = `${shown.slice(0, SHOWN_PREFIX)}...${shown.slice(shown.length - SHOWN_SUFFIX)}`;
  }
  return new ApiError(
    'malformed_payload',
    `The \`${format}\` payload provided is malformed. \`Couldn't serialize document value: ${shown}\`.`,
  );
}
