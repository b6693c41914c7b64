// Values of filterable and sortable attributes, by document and by value, so that `_miroir IN [...]` is a look-up.

export interface FieldValues {
  numbers: number[];
  /** Normalised for comparing. */
  strings: string[];
  /** As they were written, in the order of `strings`. */
  originals: string[];
  isNull: boolean;
  isEmpty: boolean;
}

/** Strings that Meilisearch takes for equal in filters, facets, distinct and sorts. */
export function normalizeFacet(text: string): string {
  return text.trim().normalize('NFKD').toLowerCase();
}

export class Column {
  readonly byDocument = new Map<number, FieldValues>();
  readonly byString = new Map<string, Set<number>>();
  readonly byNumber = new Map<number, Set<number>>();

  add(document: number, values: FieldValues): void {
    this.byDocument.set(document, values);
    for (const text of values.strings) addTo(this.byString, text, document);
    for (const number of values.numbers) addTo(this.byNumber, number, document);
  }

  remove(document: number): void {
    const values = this.byDocument.get(document);
    if (!values) return;
    this.byDocument.delete(document);
    for (const text of values.strings) removeFrom(this.byString, text, document);
    for (const number of values.numbers) removeFrom(this.byNumber, number, document);
  }
}

function addTo<K>(map: Map<K, Set<number>>, key: K, document: number): void {
  const set = map.get(key);
  if (set) set.add(document);
  else map.set(key, new Set([document]));
}

function removeFrom<K>(map: Map<K, Set<number>>, key: K, document: number): void {
  const set = map.get(key);
  if (set?.delete(document) && set.size === 0) map.delete(key);
}

function emptyValues(): FieldValues {
  return { numbers: [], strings: [], originals: [], isNull: false, isEmpty: false };
}

/** The values of every wanted attribute of a document; nested objects and arrays are flattened as `a.b`. */
export function collectValues(document: object, wanted: (path: string) => boolean): Map<string, FieldValues> {
  const collected = new Map<string, FieldValues>();
  const at = (path: string): FieldValues | null => {
    if (!wanted(path)) return null;
    const known = collected.get(path);
    if (known) return known;
    const fresh = emptyValues();
    collected.set(path, fresh);
    return fresh;
  };
  const visit = (path: string, value: unknown, top: boolean): void => {
    const values = at(path);
    if (Array.isArray(value)) {
      if (values && top && value.length === 0) values.isEmpty = true;
      for (const element of value) visit(path, element, false);
    } else if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value);
      if (values && top && entries.length === 0) values.isEmpty = true;
      for (const [name, inner] of entries) visit(`${path}.${name}`, inner, true);
    } else if (values) addLeaf(values, value, top);
  };
  for (const [name, value] of Object.entries(document)) visit(name, value, true);
  return collected;
}

function addLeaf(values: FieldValues, value: unknown, top: boolean): void {
  if (value === null) {
    if (top) values.isNull = true;
  } else if (typeof value === 'number') {
    if (!values.numbers.includes(value)) values.numbers.push(value);
  } else {
    const original = String(value);
    if (top && original === '') values.isEmpty = true;
    const normal = normalizeFacet(original);
    if (normal !== '' && !values.strings.includes(normal)) {
      values.strings.push(normal);
      values.originals.push(original);
    }
  }
}
