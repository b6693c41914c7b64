// What shape a setting has, and Meilisearch's sentences for a value that has another one.
import { ApiError } from './errors.js';
import { unknownField, wrongKind } from './field-errors.js';

/** The shape of a value. Where `nullable` does not matter, null resets and is accepted in fields of objects. */
export type Kind =
  | { is: 'string' }
  | { is: 'boolean' }
  | { is: 'number' }
  | { is: 'any' }
  | { is: 'integer'; max?: number; nonZero?: boolean }
  | { is: 'choice'; of: readonly string[] }
  | { is: 'list'; of: Kind; unique?: 'sorted' | 'first' }
  | { is: 'map'; of: Kind; nullable?: boolean }
  | {
      is: 'object';
      fields: Readonly<Record<string, Kind>>;
      required?: readonly string[];
      check?: ObjectCheck;
    }
  | { is: 'rule'; parse: (value: unknown, path: string, code: string) => unknown };

/** Looks at an object whose fields are sound; throws ApiError. */
export type ObjectCheck = (value: Record<string, unknown>, path: string, code: string) => void;

/** Compares by code points, as Meilisearch's sorted sets do. */
export function compareText(a: string, b: string): number {
  const left = Array.from(a);
  const right = Array.from(b);
  for (let i = 0; i < left.length && i < right.length; i++) {
    if (left[i] !== right[i]) return left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
  }
  return left.length - right.length;
}

export function invalidValue(path: string, problem: string, code: string): ApiError {
  return new ApiError(code, `Invalid value${path === '' ? '' : ` at \`${path}\``}: ${problem}`);
}

/** Checks a value against its kind and answers it in Meilisearch's own form (sets sorted, maps ordered). */
export function checkKind(kind: Kind, value: unknown, path: string, code: string): unknown {
  switch (kind.is) {
    case 'any':
      return value;
    case 'rule':
      return kind.parse(value, path, code);
    case 'string':
      if (typeof value !== 'string') throw wrongKind(path, 'a string', value, code);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongKind(path, 'a boolean', value, code);
      return value;
    case 'number':
      if (typeof value !== 'number') throw wrongKind(path, 'a number', value, code);
      return value;
    case 'integer':
      return checkInteger(kind, value, path, code);
    case 'choice': {
      if (typeof value !== 'string') throw wrongKind(path, 'a string', value, code);
      if (!kind.of.includes(value)) {
        const accepted = kind.of.map((choice) => `\`${choice}\``).join(', ');
        const at = path === '' ? '' : ` at \`${path}\``;
        throw new ApiError(code, `Unknown value \`${value}\`${at}: expected one of ${accepted}`);
      }
      return value;
    }
    case 'list': {
      if (!Array.isArray(value)) throw wrongKind(path, 'an array', value, code);
      const items = value.map((item, position) => checkKind(kind.of, item, `${path}[${position}]`, code));
      if (kind.unique === undefined) return items;
      const unique = [...new Set(items)] as string[];
      return kind.unique === 'sorted' ? unique.sort(compareText) : unique;
    }
    case 'map': {
      const entries = Object.entries(requireObject(value, path, code)).map(([key, item]) => [
        key,
        item === null && kind.nullable ? null : checkKind(kind.of, item, `${path}.${key}`, code),
      ]) as [string, unknown][];
      return Object.fromEntries(entries.sort((a, b) => compareText(a[0], b[0])));
    }
    case 'object':
      return checkObject(kind, value, path, code);
  }
}

function requireObject(value: unknown, path: string, code: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongKind(path, 'an object', value, code);
  }
  return value as Record<string, unknown>;
}

function checkObject(
  kind: Extract<Kind, { is: 'object' }>,
  value: unknown,
  path: string,
  code: string,
): Record<string, unknown> {
  const given = requireObject(value, path, code);
  const accepted = Object.keys(kind.fields);
  const checked: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(given)) {
    const field = Object.hasOwn(kind.fields, key) ? kind.fields[key] : undefined;
    if (field === undefined) throw new ApiError(code, unknownField(key, accepted, path).message);
    const required = kind.required?.includes(key) ?? false;
    checked[key] = item === null && !required ? null : checkKind(field, item, `${path}.${key}`, code);
  }
  for (const key of kind.required ?? []) {
    if (checked[key] === undefined) {
      throw new ApiError(code, `Missing field \`${key}\`${path === '' ? '' : ` inside \`${path}\``}`);
    }
  }
  const ordered = Object.fromEntries(
    accepted.filter((key) => checked[key] !== undefined).map((key) => [key, checked[key]]),
  );
  kind.check?.(ordered, path, code);
  return ordered;
}

function checkInteger(
  kind: Extract<Kind, { is: 'integer' }>,
  value: unknown,
  path: string,
  code: string,
): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw wrongKind(path, 'a positive integer', value, code);
  }
  if (kind.max !== undefined && value > kind.max) {
    throw invalidValue(
      path,
      `value: \`${value}\` is too large to be deserialized, maximum value authorized is \`${kind.max}\``,
      code,
    );
  }
  if (kind.nonZero && value === 0) {
    const limit = '18446744073709551615';
    throw invalidValue(
      path,
      `a non-zero integer value lower than \`${limit}\` was expected, but found a zero`,
      code,
    );
  }
  return value;
}
