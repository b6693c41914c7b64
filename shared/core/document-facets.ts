// Facets of documents at hand, as a node would count them: for answers that count a few known documents more or less.
import { fromByteText, toKeyText } from './byte-text.js';
import { normalizeFacet } from './facets.js';
import { floatText } from './float-text.js';

export interface Facets {
  /** Raw `facetDistribution` and `facetStats`. */
  readonly distribution: string;
  readonly stats: string;
}

interface Counted {
  readonly numbers: Map<number, number>;
  /** By normalised value: the first spelling as key text, and how many documents. */
  readonly strings: Map<string, { readonly key: string; count: number }>;
}

/** The facets of documents given as byte text; `fields` are key texts, all of which are listed. */
export function documentFacets(documents: readonly string[], fields: ReadonlySet<string>): Facets {
  const counted = new Map([...fields].map((field) => [field, { numbers: new Map(), strings: new Map() }]));
  for (const text of documents) {
    const values = new Map<string, Set<string | number>>();
    collect(JSON.parse(fromByteText(text)), '', (name, value) => {
      const field = toKeyText(name);
      if (fields.has(field)) values.set(field, (values.get(field) ?? new Set()).add(value));
    });
    for (const [field, own] of values) countDocument(counted.get(field)!, own);
  }
  const stats = [...counted].filter(([, { numbers }]) => numbers.size > 0);
  return {
    distribution: `{${[...counted].map(([field, own]) => `"${field}":${printCounts(own)}`).join(',')}}`,
    stats: `{${stats.map(([field, { numbers }]) => `"${field}":${printBounds([...numbers.keys()])}`).join(',')}}`,
  };
}

/** Every scalar below a value, under its dotted name; what is in a list belongs to the name of the list. */
function collect(value: unknown, name: string, found: (name: string, value: string | number) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, name, found);
  } else if (value !== null && typeof value === 'object') {
    for (const [key, member] of Object.entries(value))
      collect(member, name === '' ? key : `${name}.${key}`, found);
  } else if (typeof value === 'number' || typeof value === 'string') found(name, value);
  else if (typeof value === 'boolean') found(name, String(value));
}

function countDocument({ numbers, strings }: Counted, values: ReadonlySet<string | number>): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (typeof value === 'number') {
      numbers.set(value, (numbers.get(value) ?? 0) + 1);
      continue;
    }
    const key = toKeyText(value);
    const normalized = normalizeFacet(key);
    if (seen.has(normalized)) continue;
    seen.add(normalized);
    const known = strings.get(normalized) ?? { key, count: 0 };
    known.count++;
    strings.set(normalized, known);
  }
}

/** Numbers before strings, as nodes list them. */
function printCounts({ numbers, strings }: Counted): string {
  const members = [
    ...[...numbers].map(([value, count]) => `"${wholeText(value)}":${count}`),
    ...[...strings.values()].map(({ key, count }) => `"${key}":${count}`),
  ];
  return `{${members.join(',')}}`;
}

/** Nodes print the numbers of keys without an exponent. */
function wholeText(value: number): string {
  return Math.abs(value) >= 1e21 ? BigInt(value).toString() : String(value === 0 ? 0 : value);
}

function printBounds(values: readonly number[]): string {
  const bound = (pick: (left: number, right: number) => number): string =>
    floatText(values.reduce((a, b) => pick(a, b)));
  return `{"min":${bound(Math.min)},"max":${bound(Math.max)}}`;
}
