// Digests of a shard's documents: top-level keys sorted, values as text, `_vectors` only where they are kept.
import { cutArray, topLevelFields } from '../../shared/core/json-text.js';

export interface ShardDigest {
  count: number;
  /** By document id. */
  documents: Map<string, bigint>;
  /** Over all documents, whatever their order. */
  digest: string;
}

export interface TextField {
  key: string;
  value: string;
}

const decoder = new TextDecoder();

/** The documents of a JSON array's text: their ids, and their fields as text. */
export function* eachDocument(
  results: Uint8Array,
  primaryKey: string,
): Generator<{ id: string; fields: TextField[] }> {
  for (const range of cutArray(results)) {
    const bytes = results.subarray(range.start, range.end);
    const fields = topLevelFields(bytes).map((field) => ({
      key: field.key,
      value: decoder.decode(bytes.subarray(field.valueRange.start, field.valueRange.end)),
    }));
    yield { id: idOf(fields, primaryKey), fields };
  }
}

/** Digests a document, whatever the order of its keys. */
export function digestFields(fields: readonly TextField[], hash: (text: string) => bigint): bigint {
  const kept = fields
    // Regenerated embeddings differ from node to node and are none of the user's data.
    .filter((field) => !(field.key === '_vectors' && field.value.includes('"regenerate":true')))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return hash(kept.map((field) => `${field.key}\u0000${field.value}`).join('\u0001'));
}

/** Digests the documents of a JSON array's text. */
export function digestDocuments(
  results: Uint8Array,
  primaryKey: string,
  hash: (text: string) => bigint,
): ShardDigest {
  const documents = new Map<string, bigint>();
  let sum = 0n;
  for (const { id, fields } of eachDocument(results, primaryKey)) {
    const value = digestFields(fields, hash);
    documents.set(id, value);
    sum = BigInt.asUintN(64, sum + value);
  }
  return { count: documents.size, documents, digest: sum.toString(16).padStart(16, '0') };
}

function idOf(fields: readonly TextField[], primaryKey: string): string {
  const flat = fields.find((field) => field.key === primaryKey);
  if (flat) return flat.value.startsWith('"') ? (JSON.parse(flat.value) as string) : flat.value;
  const [first, ...rest] = primaryKey.split('.');
  const outer = fields.find((field) => field.key === first);
  const value = rest.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown> | undefined)?.[key],
    outer ? JSON.parse(outer.value) : undefined,
  );
  return String(value);
}

/** The ids on which two digests disagree, sorted. */
export function differingIds(left: ShardDigest, right: ShardDigest): string[] {
  const ids = new Set<string>();
  for (const [id, value] of left.documents) if (right.documents.get(id) !== value) ids.add(id);
  for (const id of right.documents.keys()) if (!left.documents.has(id)) ids.add(id);
  return [...ids].sort();
}
