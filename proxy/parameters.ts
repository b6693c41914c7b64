// Query parameters with Meilisearch's errors: unknown names, numbers, booleans and comma-separated lists.
import { ApiError } from '../shared/core/errors.js';
import { unknownParameter } from '../shared/core/field-errors.js';

export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** Throws for the first parameter that is not accepted. */
export function checkParameters(query: Query, accepted: readonly string[]): void {
  for (const name of Object.keys(query)) if (!accepted.includes(name)) throw unknownParameter(name, accepted);
}

/** The text of a parameter, or undefined; a repeated one counts with its last value. */
export function textParameter(query: Query, name: string): string | undefined {
  const value = query[name];
  return Array.isArray(value) ? value.at(-1) : value;
}

function invalid(place: string, problem: string, code: string): ApiError {
  return new ApiError(code, `Invalid value in parameter \`${place}\`: ${problem}`);
}

function parseUnsigned(text: string, max: number): number | null {
  if (!/^\+?[0-9]+$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** A non-negative integer, or undefined. */
export function integerParameter(
  query: Query,
  name: string,
  code: string,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = textParameter(query, name);
  if (text === undefined) return undefined;
  const value = parseUnsigned(text, max);
  if (value === null) throw invalid(name, `could not parse \`${text}\` as a positive integer`, code);
  return value;
}

export function booleanParameter(query: Query, name: string, code: string): boolean | undefined {
  const text = textParameter(query, name);
  if (text === undefined) return undefined;
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw invalid(
    name,
    `could not parse \`${text}\` as a boolean, expected either \`true\` or \`false\``,
    code,
  );
}

/** A comma-separated list; undefined when absent or `*`. `parse` throws a string: what is wrong with an item. */
export function listParameter<T>(
  query: Query,
  name: string,
  code: string,
  parse: (item: string) => T,
): T[] | undefined {
  const text = textParameter(query, name);
  if (text === undefined || text === '*') return undefined;
  // An empty list is not an absent one: nothing is in it.
  const items = text === '' ? [] : text.split(',');
  const parsed = items.map((item, position) => {
    if (item === '*') return undefined;
    try {
      return parse(item);
    } catch (problem) {
      if (typeof problem !== 'string') throw problem;
      throw invalid(items.length > 1 ? `${name}[${position}]` : name, problem, code);
    }
  });
  return parsed.includes(undefined) ? undefined : (parsed as T[]);
}

/** An item parser for listParameter: a 32-bit unsigned integer. */
export function parseUid(item: string): number {
  const value = parseUnsigned(item, 0xffff_ffff);
  if (value === null) throw `could not parse \`${item}\` as a positive integer`;
  return value;
}

/** A day or a time in RFC 3339; a day counts from its end with `after`, from its start with `before`. */
export function timeParameter(
  query: Query,
  name: string,
  code: string,
  side: 'before' | 'after',
): string | undefined {
  const text = textParameter(query, name);
  if (text === undefined || text === '*') return undefined;
  const dayMs = 86_400_000;
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const midnight = Date.parse(`${text}T00:00:00Z`);
    // Date.parse turns February 31st into March; Meilisearch refuses it.
    if (!Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(text)) {
      return new Date(side === 'after' ? midnight + dayMs : midnight).toISOString();
    }
  } else if (/^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.test(text)) {
    const time = Date.parse(text.replace(' ', 'T').toUpperCase());
    if (!Number.isNaN(time)) return new Date(time).toISOString();
  }
  throw invalid(
    name,
    `\`${text}\` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format.`,
    code,
  );
}
