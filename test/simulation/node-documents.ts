// The documents of a virtual node's index: added, fetched, filtered.

export type Fields = Record<string, unknown>;

export interface VirtualIndex {
  primaryKey: string | null;
  filterable: Set<string>;
  documents: Map<string, Fields>;
}

/** A refusal with Meilisearch's code: of the request, or of its task. */
export class Refusal extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

export type AddDocuments = {
  do: 'add';
  method: 'POST' | 'PUT';
  primaryKey: string | null;
  documents: Fields[];
  skipCreation: boolean;
};

export function names(attributes: unknown): string[] {
  return (Array.isArray(attributes) ? attributes : []).flatMap((attribute: unknown) =>
    typeof attribute === 'string'
      ? [attribute]
      : ((attribute as { attributePatterns?: string[] }).attributePatterns ?? []),
  );
}

export function idOf(index: VirtualIndex, document: Fields): string | null {
  const id = index.primaryKey === null ? undefined : document[index.primaryKey];
  return typeof id === 'string' || typeof id === 'number' ? String(id) : null;
}

export function addDocuments(index: VirtualIndex, operation: AddDocuments) {
  const primaryKey = index.primaryKey ?? operation.primaryKey;
  if (primaryKey === null) throw new Refusal('index_primary_key_no_candidate_found');
  if (operation.primaryKey !== null && operation.primaryKey !== primaryKey)
    throw new Refusal('index_primary_key_already_exists');
  const keyed = { ...index, primaryKey };
  if (operation.documents.some((document) => idOf(keyed, document) === null))
    throw new Refusal('missing_document_id');
  if (operation.skipCreation) return { indexedDocuments: 0 };
  index.primaryKey = primaryKey;
  for (const document of operation.documents) {
    const id = idOf(index, document)!;
    const known = operation.method === 'PUT' ? index.documents.get(id) : undefined;
    index.documents.set(id, { ...known, ...document });
  }
  return { indexedDocuments: operation.documents.length };
}

export function fetchDocuments(
  index: VirtualIndex,
  query: { fields?: string[]; filter?: unknown; ids?: string[]; limit?: number; offset?: number },
) {
  let found: Fields[] = query.ids
    ? query.ids.flatMap((id): Fields[] => (index.documents.has(id) ? [index.documents.get(id)!] : []))
    : [...index.documents.values()];
  if (query.filter !== undefined && query.filter !== null) {
    const matching = new Set(select(index, query.filter));
    found = found.filter((document) => matching.has(document));
  }
  const offset = query.offset ?? 0;
  const limit = query.limit ?? 20;
  const page = found.slice(offset, offset + limit);
  const { fields } = query;
  const results = fields
    ? page.map((document) => Object.fromEntries(fields.map((field) => [field, document[field]])))
    : page;
  return { results, offset, limit, total: found.length };
}

/** `_miroir IN ["…"]`, `NOT …`, `field = value`, and arrays of them, all of which must hold. */
export function select(index: VirtualIndex, filter: unknown): Fields[] {
  const tests = (
    Array.isArray(filter) ? filter : filter === undefined || filter === null ? [] : [filter]
  ).map((text: unknown) => parse(index, String(text)));
  return [...index.documents.values()].filter((document) => tests.every((test) => test(document)));
}

function parse(index: VirtualIndex, text: string): (document: Fields) => boolean {
  if (text.startsWith('NOT ')) {
    const inner = parse(index, text.slice(4));
    return (document) => !inner(document);
  }
  const among = /^(\w+) IN \[(.*)\]$/.exec(text);
  const equal = /^(\w+) = (\w+)$/.exec(text);
  const field = (among ?? equal)?.[1];
  if (field === undefined) throw new Error(`the model cannot read the filter ${text}`);
  if (!index.filterable.has(field)) throw new Refusal('invalid_document_filter');
  const values = among ? (JSON.parse(`[${among[2]}]`) as string[]) : [equal![2]!];
  const wanted = new Set(values);
  return (document) => wanted.has(String(document[field]));
}
