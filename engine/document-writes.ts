// Applies additions, updates and deletions to an index: all of a task's documents, or none and Meilisearch's error.
import { ApiError } from '../shared/core/errors.js';
import type { IndexData } from './index-data.js';
import { joinFields, splitFields } from './raw-json.js';

const ID = /^[A-Za-z0-9_-]{1,511}$/;

/** The identifier as text, or null where Meilisearch refuses it. */
export function documentId(value: unknown, rawText?: string): string | null {
  if (typeof value === 'string') return ID.test(value) ? value : null;
  if (typeof value !== 'number') return null;
  const text = rawText ?? String(value);
  return /^-?\d+$/.test(text) ? text : null;
}

/** Throws Meilisearch's error for a bad identifier. */
export function invalidId(shown: string, where = '', code = 'invalid_document_id'): ApiError {
  return new ApiError(
    code,
    `${where}Document identifier \`${shown}\` is invalid. A document identifier can be of type integer or string, only composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.`,
  );
}

function inferPrimaryKey(document: object): string {
  const candidates = Object.keys(document)
    .filter((name) => name.toLowerCase().endsWith('id'))
    .sort();
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length === 0) {
    throw new ApiError(
      'index_primary_key_no_candidate_found',
      'The primary key inference failed as the engine did not find any field ending with `id` in its name. Please specify the primary key manually using the `primaryKey` query parameter.',
    );
  }
  throw new ApiError(
    'index_primary_key_multiple_candidates_found',
    `The primary key inference failed as the engine found ${candidates.length} fields ending with \`id\` in their names: '${candidates[0]}' and '${candidates[1]}'. Please specify the primary key manually using the \`primaryKey\` query parameter.`,
  );
}

/** Finds the identifier's raw text; nested primary keys go into objects, or into names with dots. */
function rawIdOf(fields: Map<string, string>, primaryKey: string): string | undefined {
  const direct = fields.get(primaryKey);
  if (direct !== undefined) return direct;
  for (let dot = primaryKey.indexOf('.'); dot > 0; dot = primaryKey.indexOf('.', dot + 1)) {
    const parent = fields.get(primaryKey.slice(0, dot));
    if (parent?.startsWith('{')) return rawIdOf(splitFields(parent), primaryKey.slice(dot + 1));
  }
  return undefined;
}

export interface PutOptions {
  replace: boolean;
  primaryKey: string | null;
  skipCreation: boolean;
}

/** Adds or updates documents given as compact JSON texts. */
export function putDocuments(index: IndexData, texts: string[], options: PutOptions): number {
  if (options.primaryKey !== null && index.primaryKey !== null && options.primaryKey !== index.primaryKey) {
    throw new ApiError(
      'index_primary_key_already_exists',
      `Index already has a primary key: \`${index.primaryKey}\`.`,
    );
  }
  if (texts.length === 0) return 0;
  const primaryKey = index.primaryKey ?? options.primaryKey ?? inferPrimaryKey(JSON.parse(texts[0]!));
  const writes: { id: string; text: string; parsed: object }[] = [];
  for (const text of texts) {
    const parsed = JSON.parse(text) as object;
    const direct = (parsed as Record<string, unknown>)[primaryKey];
    // Numbers beyond 2^53 keep their digits only in the text.
    const raw = typeof direct === 'string' ? JSON.stringify(direct) : rawIdOf(splitFields(text), primaryKey);
    if (raw === undefined) {
      const shown = `Document doesn't have a \`${primaryKey}\` attribute: \`${text}\`.`;
      throw new ApiError('missing_document_id', shown);
    }
    const id = documentId(JSON.parse(raw), raw);
    if (id === null) throw invalidId(raw);
    writes.push({ id, text, parsed });
  }
  // As Meilisearch: a key that is given comes first, one that is found is in its place.
  if (index.primaryKey === null && options.primaryKey !== null && !primaryKey.includes('.'))
    index.registerField(primaryKey);
  index.primaryKey = primaryKey;
  for (const { text } of writes) for (const name of splitFields(text).keys()) index.registerField(name);
  for (const { id, text, parsed } of writes) {
    const stored = index.get(id);
    if (!stored && options.skipCreation) continue;
    if (options.replace || !stored) index.put(id, index.orderFields(text), parsed);
    else {
      const merged = index.orderFields(
        joinFields(new Map([...splitFields(stored.text), ...splitFields(text)])),
      );
      index.put(id, merged, JSON.parse(merged));
    }
  }
  return texts.length;
}

/** Deletes by identifiers; answers how many there were. */
export function deleteDocuments(index: IndexData, ids: Iterable<string>): number {
  let deleted = 0;
  for (const id of ids) if (index.remove(id)) deleted++;
  return deleted;
}
