// Keeps one document for each value of the distinct field, as Meilisearch does.

import { fromByteText, toKeyText } from './byte-text.js';
import { normalizeFacet } from './facets.js';
import { scanArray } from './json-scan.js';

/** The values met so far. */
export class DistinctValues {
  private readonly seen = new Map<string, string>();
  private readonly field: string;
  /** True once a document had more than one value: then no node can decide alone which of its documents stay. */
  severalValues = false;

  constructor(field: string) {
    this.field = toKeyText(field);
  }

  /** True when no value of the document was met before; documents without a value are all taken. */
  admit(readField: (field: string) => string | null): boolean {
    const raw = readField(this.field);
    if (raw === null) return true;
    const values = scalarsOf(raw);
    if (values.length > 1) this.severalValues = true;
    const identities = values.map(identityOf);
    if (identities.some((identity) => this.seen.has(identity))) return false;
    for (const [at, identity] of identities.entries()) this.seen.set(identity, values[at]!);
    return true;
  }

  /** Whether a document has any value. */
  hasValue(readField: (field: string) => string | null): boolean {
    const raw = readField(this.field);
    return raw !== null && scalarsOf(raw).length > 0;
  }

  /** One raw JSON text of every value met. */
  raws(): string[] {
    return [...this.seen.values()];
  }
}

/**
 * A filter that holds for documents with none of these raw values, or null where a filter cannot say so: it has no way
 * to write a backslash before a quote.
 */
export function noneOf(field: string, raws: readonly string[]): string | null {
  if (raws.length === 0) return '';
  const texts = raws.map((raw) => (raw.startsWith('"') ? (JSON.parse(fromByteText(raw)) as string) : raw));
  if ([field, ...texts].some((text) => text.includes('\\'))) return null;
  const quote = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;
  return `NOT ${quote(field)} IN [${texts.map(quote).join(', ')}]`;
}

/** The raw scalars of a field; null and objects are nothing. */
function scalarsOf(raw: string): string[] {
  const first = raw.charCodeAt(0);
  if (raw === 'null' || first === 123) return [];
  if (first !== 91) return [raw];
  const places = scanArray(raw, 0);
  const out: string[] = [];
  for (let i = 0; i + 1 < places.length; i += 2)
    out.push(...scalarsOf(raw.slice(places[i]!, places[i + 1]!)));
  return out;
}

/** What a scalar is compared by: numbers apart from strings, booleans as strings. */
function identityOf(raw: string): string {
  if (raw.startsWith('"')) return `$${normalizeFacet(raw.slice(1, -1))}`;
  return raw === 'true' || raw === 'false' ? `$${raw}` : `#${Number(raw)}`;
}
