// Judges the documents of one payload, in their order, the way Meilisearch's indexing would: each gets its id, or
// the whole task fails with Meilisearch's own error and nothing of it is delivered.
import { IdFinder, inferPrimaryKey, noPrimaryKeyCandidate, primaryKeyExists } from './document-ids.js';
import { type MeilisearchError, meilisearchError } from './errors.js';
import { JsonSyntaxError } from './json-errors.js';
import { findUnreadable } from './json-print.js';
import { readString } from './json-text.js';
import { geoFailure, vectorsFailure } from './special-fields.js';
import { SHARD_FIELD } from './topology.js';

export interface PayloadRules {
  indexUid: string;
  /** The index's primary key, or null while it has none. */
  indexPrimaryKey: string | null;
  /** The one that the client gave with the payload, or null. */
  givenPrimaryKey: string | null;
  /** Whether `_geo` must be sound: see usesGeo. */
  checkGeo: boolean;
  format: 'json' | 'ndjson' | 'csv';
}

const UNDERSCORE = 0x5f;
const decoder = new TextDecoder();

export class PayloadJudge {
  /** The key that the documents were read with; null until it is known. */
  primaryKey: string | null;
  private finder: IdFinder | null = null;
  private idFailure: MeilisearchError | null = null;
  private otherFailure: MeilisearchError | null = null;
  private seen = 0;

  constructor(private readonly rules: PayloadRules) {
    this.primaryKey = rules.indexPrimaryKey ?? rules.givenPrimaryKey;
  }

  /** Why the task fails, or null. An id that is wrong comes before what is wrong elsewhere, as in Meilisearch. */
  get failure(): MeilisearchError | null {
    return this.idFailure ?? this.otherFailure;
  }

  /** The document's id; null once the task is bound to fail. */
  judge(bytes: Uint8Array, fields: readonly number[], fieldCount: number, suspect: boolean): string | null {
    this.seen++;
    if (suspect) this.judgeText(bytes);
    if (this.idFailure !== null) return null;
    if (this.finder === null && !this.settleKey(bytes, fields, fieldCount)) return null;
    const found = this.finder!.find(bytes, fields, fieldCount);
    if ('failure' in found) {
      this.idFailure = found.failure;
      return null;
    }
    if (this.otherFailure === null) this.judgeSpecialFields(bytes, fields, fieldCount, found.id);
    return this.otherFailure === null ? found.id : null;
  }

  /** To be called after the last document. An empty payload needs no primary key. */
  finish(): void {
    const { indexPrimaryKey, givenPrimaryKey } = this.rules;
    // Meilisearch takes an empty payload for nothing to do, whatever key came with it.
    if (this.seen === 0 && indexPrimaryKey === null) this.primaryKey = givenPrimaryKey;
  }

  private settleKey(bytes: Uint8Array, fields: readonly number[], fieldCount: number): boolean {
    const { indexPrimaryKey, givenPrimaryKey, format } = this.rules;
    if (indexPrimaryKey !== null && givenPrimaryKey !== null && givenPrimaryKey !== indexPrimaryKey) {
      this.idFailure = primaryKeyExists(indexPrimaryKey);
      return false;
    }
    if (this.primaryKey === null) {
      const keys: string[] = [];
      for (let i = 0; i < fieldCount; i++) keys.push(readString(bytes, fields[i * 4]!, fields[i * 4 + 1]!));
      const inferred = fieldCount === 0 ? { failure: noPrimaryKeyCandidate() } : inferPrimaryKey(keys);
      if ('failure' in inferred) {
        this.idFailure = inferred.failure;
        return false;
      }
      this.primaryKey = inferred.key;
    }
    this.finder = new IdFinder(this.primaryKey, format === 'ndjson' ? 'refused' : 'last');
    return true;
  }

  private judgeSpecialFields(
    bytes: Uint8Array,
    fields: readonly number[],
    fieldCount: number,
    id: string,
  ): void {
    for (let i = 0; i < fieldCount; i++) {
      const start = fields[i * 4]!;
      const first = bytes[start + 1];
      if (first !== UNDERSCORE && first !== 0x5c) continue;
      const name = readString(bytes, start, fields[i * 4 + 1]!);
      const value = () => decoder.decode(bytes.subarray(fields[i * 4 + 2]!, fields[i * 4 + 3]!));
      if (name === SHARD_FIELD) {
        this.otherFailure = meilisearchError(
          'miroir_reserved_field',
          `The document with the id \`${id}\` has a field \`${SHARD_FIELD}\`, which is reserved for Miroir.`,
        );
      } else if (name === '_vectors') {
        this.otherFailure = vectorsFailure(value(), id, this.rules.indexUid);
      } else if (name === '_geo' && this.rules.checkGeo) {
        this.otherFailure = geoFailure(value(), id, this.rules.indexUid);
      }
      if (this.otherFailure !== null) return;
    }
  }

  /** Meilisearch reads the keys of a payload when it arrives, its values only while indexing. */
  private judgeText(bytes: Uint8Array): void {
    const unreadable = findUnreadable(decoder.decode(bytes));
    if (unreadable === null) return;
    if (unreadable.inKey) throw new JsonSyntaxError(unreadable.reason, 0, 0);
    this.otherFailure ??= meilisearchError(
      'internal',
      `Index \`${this.rules.indexUid}\`: internal: ${unreadable.reason}.`,
    );
  }
}
