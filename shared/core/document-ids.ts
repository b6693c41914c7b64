// The identity of a document: primary key inference, where the key stands in a document, and which ids are valid.
import { type MeilisearchError, meilisearchError } from './errors.js';
import { isInteger, printCompact } from './json-print.js';
import { readString, textOf, topLevelFields } from './json-text.js';

const VALID_ID = /^[A-Za-z0-9_-]{1,511}$/;

const decoder = new TextDecoder();

/** True for a text that can be a document id. */
export function isDocumentId(text: string): boolean {
  return VALID_ID.test(text);
}

/** Meilisearch's sentence about an id; `value` is JSON text. */
export function invalidIdMessage(value: string): string {
  return (
    `Document identifier \`${printCompact(value)}\` is invalid. A document identifier can be of type integer or ` +
    'string, only composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not ' +
    'be more than 511 bytes.'
  );
}

/** The primary key that the first document of an index suggests, or why there is none. */
export function inferPrimaryKey(keys: readonly string[]): { key: string } | { failure: MeilisearchError } {
  const candidates = [...new Set(keys)].filter((key) => key.toLowerCase().endsWith('id')).sort();
  if (candidates.length === 1) return { key: candidates[0]! };
  if (candidates.length === 0) return { failure: noPrimaryKeyCandidate() };
  return {
    failure: meilisearchError(
      'index_primary_key_multiple_candidates_found',
      `The primary key inference failed as the engine found ${candidates.length} fields ending with \`id\` in their ` +
        `names: '${candidates[0]}' and '${candidates[1]}'. Please specify the primary key manually using the ` +
        '`primaryKey` query parameter.',
    ),
  };
}

export function noPrimaryKeyCandidate(): MeilisearchError {
  return meilisearchError(
    'index_primary_key_no_candidate_found',
    'The primary key inference failed as the engine did not find any field ending with `id` in its name. Please ' +
      'specify the primary key manually using the `primaryKey` query parameter.',
  );
}

export function primaryKeyExists(primaryKey: string): MeilisearchError {
  return meilisearchError(
    'index_primary_key_already_exists',
    `Index already has a primary key: \`${primaryKey}\`.`,
  );
}

type Found = { id: string } | { failure: MeilisearchError };

/** Finds the id of documents under one primary key, dotted ones included. */
export class IdFinder {
  /** Top-level names under which the key may stand, as bytes with quotes, and what remains of it below. */
  private readonly levels: { name: string; quoted: Uint8Array; rest: string }[] = [];

  /** `repeated`: of a field that stands twice, Meilisearch reads the last in JSON, and refuses both in NDJSON. */
  constructor(
    private readonly primaryKey: string,
    private readonly repeated: 'last' | 'refused',
  ) {
    const encoder = new TextEncoder();
    for (const [name, rest] of splits(primaryKey)) {
      this.levels.push({ name, quoted: encoder.encode(`"${name}"`), rest });
    }
  }

  find(bytes: Uint8Array, fields: readonly number[], fieldCount: number): Found {
    let found: Found | null = null;
    let foundName = '';
    for (let field = 0; field < fieldCount; field++) {
      const level = this.levelOf(bytes, fields[field * 4]!, fields[field * 4 + 1]!);
      if (level === null) continue;
      const start = fields[field * 4 + 2]!;
      const end = fields[field * 4 + 3]!;
      const value =
        level.rest === '' ? readId(bytes, start, end) : this.findBelow(bytes, start, end, level.rest);
      if (value === null) continue;
      if ('failure' in value && this.repeated === 'refused') return value;
      if (found !== null && (this.repeated === 'refused' || foundName !== level.name))
        return this.tooMany(bytes);
      found = value;
      foundName = level.name;
    }
    return found ?? this.missing(bytes);
  }

  private levelOf(bytes: Uint8Array, start: number, end: number) {
    for (const level of this.levels) {
      if (end - start === level.quoted.length) {
        let at = 0;
        while (at < level.quoted.length && bytes[start + at] === level.quoted[at]) at++;
        if (at === level.quoted.length) return level;
      }
    }
    // A key may be written with escapes.
    let at = start;
    while (at < end && bytes[at] !== 0x5c) at++;
    if (at === end) return null;
    const name = readString(bytes, start, end);
    return this.levels.find((level) => level.name === name) ?? null;
  }

  private findBelow(bytes: Uint8Array, start: number, end: number, rest: string): Found | null {
    if (bytes[start] !== 0x7b) return null;
    const object = bytes.subarray(start, end);
    let found: Found | null = null;
    for (const field of topLevelFields(object)) {
      const split = splits(rest).find(([name]) => name === field.key);
      if (split === undefined) continue;
      const range = field.valueRange;
      const value =
        split[1] === ''
          ? readId(object, range.start, range.end)
          : this.findBelow(object, range.start, range.end, split[1]);
      if (value === null) continue;
      if ('failure' in value) return value;
      if (found !== null) return this.tooMany(bytes);
      found = value;
    }
    return found;
  }

  private missing(bytes: Uint8Array): Found {
    const message = `Document doesn't have a \`${this.primaryKey}\` attribute: \`${printCompact(decoder.decode(bytes))}\`.`;
    return { failure: meilisearchError('missing_document_id', message) };
  }

  private tooMany(bytes: Uint8Array): Found {
    const shown = printCompact(decoder.decode(bytes));
    const message = `Document have too many matching \`${this.primaryKey}\` attribute: \`${shown}\`.`;
    return { failure: meilisearchError('invalid_document_id', message) };
  }
}

/** `a.b.c` as [a, b.c], [a.b, c], [a.b.c, ''], the ways in which it may be nested. */
function splits(path: string): [string, string][] {
  const found: [string, string][] = [];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    found.push([path.slice(0, dot), path.slice(dot + 1)]);
  }
  found.push([path, '']);
  return found;
}

function readId(bytes: Uint8Array, start: number, end: number): Found {
  const text = textOf(bytes, { start, end });
  const id = text.startsWith('"') ? readString(bytes, start, end) : isInteger(text) ? text : null;
  if (id !== null && isDocumentId(id)) return { id };
  return { failure: meilisearchError('invalid_document_id', invalidIdMessage(text)) };
}
