// Keeps one document for each value of the distinct field, as Meilisearch does.

import { toKeyText } from './byte-text.js';
import { normalizeFacet } from './facets.js';
import { scanArray } from './json-scan.js';

/** The values met so far. */
export class DistinctValues {
  private readonly seen = new Set<string>();
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
    const values = valuesOf(raw);
    if (values.length > 1) this.severalValues = true;
    if (values.some((value) => this.seen.has(value))) return false;
    for (const value of values) this.seen.add(value);
    return true;
  }
}

/** What a raw value is compared by: numbers apart from strings, booleans as strings, null as nothing. */
function valuesOf(raw: string): string[] {
  const first = raw.charCodeAt(0);
  if (first === 34) return [`$${normalizeFacet(raw.slice(1, -1))}`];
  if (first === 91) {
    const places = scanArray(raw, 0);
    const out: string[] = [];
    for (let i = 0; i + 1 < places.length; i += 2)
      out.push(...valuesOf(raw.slice(places[i]!, places[i + 1]!)));
    return out;
  }
  if (raw === 'null' || first === 123) return [];
  return raw === 'true' || raw === 'false' ? [`$${raw}`] : [`#${Number(raw)}`];
}
