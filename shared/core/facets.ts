// Merges facet distributions and statistics of disjoint shards into those of one node. Works on raw text: the order
// of keys is part of the answer, and a JavaScript object would reorder keys that look like numbers.
import { compareBytes, fromByteText, toByteText } from './byte-text.js';
import { membersOf } from './json-scan.js';
import { SHARD_FIELD } from './topology.js';

export interface FacetRules {
  /** The user's faceting.maxValuesPerFacet. */
  readonly maxValues: number;
  /** The user's faceting.sortFacetValuesBy: field or `*` to `alpha` or `count`. */
  readonly sortBy: Readonly<Record<string, string>>;
  /** Documents that match over all nodes: Meilisearch sorts numbers differently above 3,000. */
  readonly candidates: number;
  /** A field that was added by Miroir and must not be shown, as key text. */
  readonly hidden: string | null;
}

interface FacetValue {
  /** Raw key text. */
  key: string;
  count: number;
  numeric: boolean;
  /** What strings are compared by. */
  normalized: string;
}

/** Meilisearch walks the documents themselves up to this many candidates. */
const WALKED_CANDIDATES = 3_000;

/** The merged `facetDistribution` as raw text. */
export function mergeDistributions(
  distributions: readonly string[],
  stats: readonly string[],
  rules: FacetRules,
): string {
  const numericFields = new Set(stats.flatMap((text) => membersOf(text, 0).map(([field]) => field)));
  const fields = new Map<string, Map<string, FacetValue>>();
  for (const text of distributions) {
    for (const [field, values] of membersOf(text, 0)) {
      if (field === SHARD_FIELD || field === rules.hidden) continue;
      let merged = fields.get(field);
      if (!merged) {
        merged = new Map();
        fields.set(field, merged);
      }
      addValues(merged, values, numericFields.has(field));
    }
  }
  const names = [...fields.keys()].sort(compareBytes);
  return `{${names.map((name) => `"${name}":${writeValues(name, fields.get(name)!, rules)}`).join(',')}}`;
}

/** A number as Rust prints it: no exponent, no plus sign. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

function addValues(merged: Map<string, FacetValue>, values: string, mayBeNumeric: boolean): void {
  let inNumbers = mayBeNumeric;
  for (const [key, raw] of membersOf(values, 0)) {
    // A node lists numbers before strings, so the first key that is no number ends them.
    inNumbers &&= NUMBER.test(key);
    const normalized = inNumbers ? key : normalizeFacet(key);
    const identity = inNumbers ? `#${key}` : `$${normalized}`;
    const known = merged.get(identity);
    if (known) known.count += Number(raw);
    else merged.set(identity, { key, count: Number(raw), numeric: inNumbers, normalized });
  }
}

/** Facet strings are equal when trimmed, decomposed and lower-cased they are; compared by bytes. */
export function normalizeFacet(keyText: string): string {
  const text = fromByteText(keyText.includes('\\') ? (JSON.parse(`"${keyText}"`) as string) : keyText);
  return toByteText(text.trim().normalize('NFKD').toLowerCase());
}

function writeValues(field: string, values: Map<string, FacetValue>, rules: FacetRules): string {
  const byCount = sortsByCount(field, rules);
  const numbers: FacetValue[] = [];
  const strings: FacetValue[] = [];
  for (const value of values.values()) (value.numeric ? numbers : strings).push(value);
  const number = (value: FacetValue): number => Number(value.key);
  if (byCount) {
    // Equal counts: the larger value first.
    numbers.sort((left, right) => right.count - left.count || number(right) - number(left));
    strings.sort(
      (left, right) => right.count - left.count || compareBytes(right.normalized, left.normalized),
    );
  } else {
    const walked = rules.candidates <= WALKED_CANDIDATES;
    numbers.sort((left, right) =>
      walked ? compareBytes(left.key, right.key) : number(left) - number(right),
    );
    strings.sort((left, right) => compareBytes(left.normalized, right.normalized));
  }
  return writeCut(numbers, strings, byCount, rules);
}

function sortsByCount(field: string, rules: FacetRules): boolean {
  return (rules.sortBy[fromByteText(field)] ?? rules.sortBy['*']) === 'count';
}

function writeCut(numbers: FacetValue[], strings: FacetValue[], byCount: boolean, rules: FacetRules): string {
  const walked = !byCount && rules.candidates <= WALKED_CANDIDATES;
  const shown = numbers.slice(0, rules.maxValues);
  // Not walked, Meilisearch stops only when it meets its limit exactly, so numbers that reach it open the gate.
  const room =
    !walked && shown.length >= rules.maxValues ? strings.length : Math.max(0, rules.maxValues - shown.length);
  shown.push(...strings.slice(0, room));
  return `{${shown.map((value) => `"${value.key}":${value.count}`).join(',')}}`;
}

/** One node's `facetDistribution` in its own order, cut to the user's number of values. */
export function cutDistribution(distribution: string, stats: readonly string[], rules: FacetRules): string {
  const numericFields = new Set(stats.flatMap((text) => membersOf(text, 0).map(([field]) => field)));
  const out: string[] = [];
  for (const [field, values] of membersOf(distribution, 0)) {
    if (field === SHARD_FIELD || field === rules.hidden) continue;
    const merged = new Map<string, FacetValue>();
    addValues(merged, values, numericFields.has(field));
    const all = [...merged.values()];
    const numbers = all.filter((value) => value.numeric);
    const strings = all.filter((value) => !value.numeric);
    out.push(`"${field}":${writeCut(numbers, strings, sortsByCount(field, rules), rules)}`);
  }
  return `{${out.join(',')}}`;
}

/** The merged `facetStats` as raw text: the smallest minimum and the largest maximum, as a node wrote them. */
export function mergeStats(stats: readonly string[], hidden: string | null): string {
  const fields = new Map<string, { min: string; max: string }>();
  for (const text of stats) {
    for (const [field, value] of membersOf(text, 0)) {
      if (field === SHARD_FIELD || field === hidden) continue;
      const bounds = new Map(membersOf(value, 0));
      const min = bounds.get('min')!;
      const max = bounds.get('max')!;
      const known = fields.get(field);
      if (!known) {
        fields.set(field, { min, max });
        continue;
      }
      if (Number(min) < Number(known.min)) known.min = min;
      if (Number(max) > Number(known.max)) known.max = max;
    }
  }
  const names = [...fields.keys()].sort(compareBytes);
  const write = (name: string): string => {
    const { min, max } = fields.get(name)!;
    return `"${name}":{"min":${min},"max":${max}}`;
  };
  return `{${names.map(write).join(',')}}`;
}

/** A node's distribution and the number of distinct values of one field over all of them. */
export function countValues(distributions: readonly string[], field: string): { union: number; sum: number } {
  const union = new Set<string>();
  let sum = 0;
  for (const text of distributions) {
    for (const [name, values] of membersOf(text, 0)) {
      if (name !== field) continue;
      for (const [key] of membersOf(values, 0)) {
        union.add(normalizeFacet(key));
        sum++;
      }
    }
  }
  return { union: union.size, sum };
}
