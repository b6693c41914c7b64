// What the journal says, applied in its order by nobody but this: which documents there must be after each entry.
import { shardOf } from '../../shared/core/placement.js';
import type { Fields } from './node-documents.js';

export type Write =
  | { kind: 'put' | 'patch'; documents: Fields[] }
  | { kind: 'delete'; ids: string[] }
  | { kind: 'delete-by-filter'; field: string; value: string }
  | { kind: 'clear' }
  | { kind: 'settings'; filterable: string[] }
  | { kind: 'create-index' }
  | { kind: 'delete-index' };

/** One document after an entry; null when it is gone. Each field knows which entry wrote it. */
interface Version {
  seq: number;
  fields: Map<string, { value: unknown; seq: number }> | null;
}

export interface ModelEntry {
  seq: number;
  uid: string;
  incarnation: number;
  write: Write;
  status: 'succeeded' | 'failed';
}

interface ModelIndex {
  incarnation: number;
  shardCount: number;
  primaryKey: string;
  filterable: string[];
  deletedSeq: number | null;
  versions: Map<string, Version[]>;
}

export class JournalModel {
  readonly entries = new Map<number, ModelEntry>();
  readonly indexes = new Map<number, ModelIndex>();

  constructor(private readonly hash: (text: string) => bigint) {}

  /** Called at the very moment in which an entry is numbered. */
  append(entry: Omit<ModelEntry, 'status'>, shardCount: number, primaryKey: string | null): void {
    let index = this.indexes.get(entry.incarnation);
    if (!index) {
      index = {
        incarnation: entry.incarnation,
        shardCount,
        primaryKey: primaryKey ?? 'id',
        filterable: [],
        deletedSeq: null,
        versions: new Map(),
      };
      this.indexes.set(entry.incarnation, index);
    }
    if (primaryKey !== null) index.primaryKey = primaryKey;
    this.entries.set(entry.seq, { ...entry, status: this.apply(index, entry.seq, entry.write) });
  }

  private apply(index: ModelIndex, seq: number, write: Write): 'succeeded' | 'failed' {
    switch (write.kind) {
      case 'put':
      case 'patch':
        if (write.documents.some((document) => '_geo' in document)) return 'failed';
        if (write.documents.some((document) => document[index.primaryKey] === undefined)) return 'failed';
        for (const document of write.documents) this.write(index, seq, document, write.kind === 'patch');
        break;
      case 'delete':
        for (const id of write.ids) this.remove(index, seq, id);
        break;
      case 'delete-by-filter':
        if (!index.filterable.includes(write.field)) return 'failed';
        for (const [id, versions] of index.versions)
          if (String(versions.at(-1)?.fields?.get(write.field)?.value) === write.value)
            this.remove(index, seq, id);
        break;
      case 'clear':
        for (const id of index.versions.keys()) this.remove(index, seq, id);
        break;
      case 'settings':
        index.filterable = write.filterable;
        break;
      case 'delete-index':
        index.deletedSeq = seq;
        break;
      case 'create-index':
        break;
    }
    return 'succeeded';
  }

  private write(index: ModelIndex, seq: number, document: Fields, merges: boolean): void {
    const id = String(document[index.primaryKey]);
    const versions = index.versions.get(id) ?? [];
    index.versions.set(id, versions);
    const before = merges ? versions.at(-1)?.fields : null;
    const fields = new Map(before ?? []);
    for (const [field, value] of Object.entries(document)) fields.set(field, { value, seq });
    versions.push({ seq, fields });
  }

  private remove(index: ModelIndex, seq: number, id: string): void {
    const versions = index.versions.get(id);
    if (versions?.at(-1)?.fields) versions.push({ seq, fields: null });
  }

  /** The documents of an index at its end, by id, with the shard that each belongs to. */
  final(incarnation: number): Map<string, { fields: Fields; shard: number }> {
    const index = this.indexes.get(incarnation);
    const found = new Map<string, { fields: Fields; shard: number }>();
    for (const [id, versions] of index?.versions ?? []) {
      const { fields } = versions.at(-1)!;
      if (!fields) continue;
      const plain = Object.fromEntries([...fields].map(([name, { value }]) => [name, value]));
      found.set(id, { fields: plain, shard: shardOf(id, index!.shardCount, this.hash) });
    }
    return found;
  }

  /**
   * What is wrong with an answer that was gathered while everything up to `low` had succeeded and nothing after `high`
   * was numbered; null when it is right.
   */
  judge(incarnation: number, answer: ReadonlyMap<string, Fields>, low: number, high: number): string | null {
    const index = this.indexes.get(incarnation);
    if (!index) return null;
    for (const [id, versions] of index.versions) {
      const base = versions.findLast(({ seq }) => seq <= low);
      const later = versions.filter(({ seq }) => seq > low && seq <= high);
      const found = answer.get(id);
      const states = [base, ...later];
      if (!found) {
        if (states.every((version) => version?.fields))
          return `document ${id} is missing, written by task ${base!.seq}`;
        continue;
      }
      if (states.every((version) => !version?.fields))
        return `document ${id} is there, though task ${base?.seq ?? 'none'} left none`;
      const wrong = this.judgeFields(found, base, later);
      if (wrong) return `document ${id}: ${wrong}`;
    }
    for (const id of answer.keys())
      if (!index.versions.has(id)) return `document ${id} is there, which nobody has written`;
    return null;
  }

  private judgeFields(found: Fields, base: Version | undefined, later: readonly Version[]): string | null {
    for (const [name, value] of Object.entries(found)) {
      if (name === '_miroir') continue;
      const known = [base, ...later].some((version) => version?.fields?.get(name)?.value === value);
      if (!known) return `field ${name} is ${String(value)}, which was overwritten before`;
    }
    if (later.length > 0) return null;
    for (const name of base?.fields?.keys() ?? [])
      if (!(name in found)) return `field ${name} is missing, written by task ${base!.seq}`;
    return null;
  }
}
