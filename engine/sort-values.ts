// Values that documents are sorted by: numbers, then strings by their UTF-8 bytes, then nothing, in either direction.
import type { IndexData } from './index-data.js';

export type SortValue = number | string | null;

function byteOrder(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** Compares as the UTF-8 bytes of both would. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a !== b) return byteOrder(a) - byteOrder(b);
  }
  return left.length - right.length;
}

function rankOf(value: SortValue): number {
  return typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2;
}

/** Orders two values; the direction counts inside one class only. */
export function compareValues(left: SortValue, right: SortValue, ascending: boolean): number {
  if (left === right) return 0;
  const classes = rankOf(left) - rankOf(right);
  if (classes !== 0) return classes;
  const order =
    typeof left === 'number' ? left - (right as number) : compareUtf8(left as string, right as string);
  return ascending ? order : -order;
}

/** The value of a document: the least of several when ascending, the greatest when descending. */
export function sortValue(
  index: IndexData,
  document: number,
  attribute: string,
  ascending: boolean,
): SortValue {
  const values = index.valuesOf(document, attribute);
  if (!values) return null;
  const pick = <T extends SortValue>(list: T[]): SortValue =>
    list.reduce((best, value) => (compareValues(value, best, ascending) < 0 ? value : best));
  if (values.numbers.length > 0) return pick(values.numbers);
  return values.strings.length > 0 ? pick(values.strings) : null;
}
