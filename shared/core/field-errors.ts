// Meilisearch's sentences about wrong fields and parameters, for everything that validates a request.
import { ApiError } from './errors.js';

/** Optimal string alignment distance with adjacent transpositions, as Meilisearch's suggestion uses it. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = new Array(b.length + 1);
    rows.push(row);
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) {
        row[j] = i + j;
        continue;
      }
      const changed = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      row[j] = best;
    }
  }
  return rows[a.length]![b.length]!;
}

/** `did you mean ...? `, or nothing. */
export function didYouMean(received: string, accepted: readonly string[]): string {
  const length = received.length;
  if (length <= 3) return '';
  const allowed = length <= 7 ? 1 : length <= 12 ? 2 : length <= 17 ? 3 : length <= 24 ? 4 : 5;
  let found: { name: string; distance: number } | null = null;
  for (const name of accepted) {
    const distance = editDistance(received, name);
    if (distance <= allowed && (found === null || distance < found.distance)) found = { name, distance };
  }
  return found === null ? '' : `did you mean \`${found.name}\`? `;
}

function listOf(accepted: readonly string[]): string {
  return accepted.map((name) => `\`${name}\``).join(', ');
}

/** An unknown query parameter. */
export function unknownParameter(name: string, accepted: readonly string[]): ApiError {
  const hint = didYouMean(name, accepted);
  return new ApiError(
    'bad_request',
    `Unknown parameter \`${name}\`: ${hint}expected one of ${listOf(accepted)}`,
  );
}

/** An unknown key of a JSON body; `inside` is the path of the object, like `.faceting`. */
export function unknownField(name: string, accepted: readonly string[], inside = ''): ApiError {
  const where = inside === '' ? '' : ` inside \`${inside}\``;
  const hint = didYouMean(name, accepted);
  return new ApiError(
    'bad_request',
    `Unknown field \`${name}\`${where}: ${hint}expected one of ${listOf(accepted)}`,
  );
}

/** A key that exists but that nobody may change. */
export function immutableField(name: string, accepted: readonly string[], code: string): ApiError {
  return new ApiError(
    code,
    `Immutable field \`${name}\`: ${didYouMean(name, accepted)}expected one of ${listOf(accepted)}`,
  );
}

/** A JSON value with its kind, as error messages quote it. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return `${kindOf(value)}: \`${JSON.stringify(value)}\``;
}

function kindOf(value: unknown): string {
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return 'a number';
    return value < 0 ? 'a negative integer' : 'a positive integer';
  }
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** A JSON value of the wrong kind; `path` like `.uid`, empty for the body itself. */
export function wrongKind(path: string, expected: string, value: unknown, code: string): ApiError {
  const at = path === '' ? '' : ` at \`${path}\``;
  return new ApiError(
    code,
    `Invalid value type${at}: expected ${expected}, but found ${describeValue(value)}`,
  );
}

const INDEX_UID = /^[A-Za-z0-9_-]+$/;
/** What Meilisearch takes; its sentence names another number. */
const MEILISEARCH_UID_BYTES = 400;
/** Nodes hold an index under its uid with incarnation and fence behind it, which need their room. */
export const INDEX_UID_BYTES = 370;

/** What is wrong with an index uid, or null. */
export function indexUidProblem(uid: string): string | null {
  const isWellFormed = INDEX_UID.test(uid) && uid.length <= MEILISEARCH_UID_BYTES;
  if (isWellFormed && uid.length <= INDEX_UID_BYTES) return null;
  return (
    `\`${uid}\` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric ` +
    `characters, hyphens (-) and underscores (_), and can not be more than ${isWellFormed ? INDEX_UID_BYTES : 512} bytes.`
  );
}

/** Throws invalid_index_uid for an index uid of the path that cannot be one. */
export function requireIndexUid(uid: string): string {
  const problem = indexUidProblem(uid);
  if (problem !== null) throw new ApiError('invalid_index_uid', problem);
  return uid;
}

export function indexNotFound(uid: string): ApiError {
  return new ApiError('index_not_found', `Index \`${uid}\` not found.`);
}
