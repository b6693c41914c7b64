// One index in memory: documents as raw text, words, and columns. Purely synchronous; a change is visible at once.
import { Column, collectValues, type FieldValues } from './columns.js';
import { joinFields, splitFields } from './raw-json.js';
import {
  customRules,
  defaultSettings,
  filterFeatures,
  isSortable,
  mergeSettings,
  type Settings,
} from './settings.js';
import { foldWord, tokenize } from './tokenizer.js';
import { Vocabulary } from './vocabulary.js';

export interface StoredDocument {
  id: string;
  text: string;
}

/** Token positions are packed under their field: field * POSITIONS + position. */
export const POSITIONS = 65_536;

export class IndexData {
  primaryKey: string | null = null;
  settings: Settings = defaultSettings();
  updatedAt: string;
  /** Words and columns are behind the documents; whatever needs them calls ensureIndexed first. */
  stale = false;
  readonly byId = new Map<string, number>();
  documents: (StoredDocument | undefined)[] = [];
  readonly fieldDistribution = new Map<string, number>();
  /** Top-level fields in the order in which they were first met, which is that of the keys of every document. */
  readonly fieldOrder = new Map<string, number>();
  rawBytes = 0;

  vocabulary = new Vocabulary();
  /** Documents of a word, ascending; documents that are gone stay until the next reindexing. */
  postings: number[][] = [];
  /** Per document pairs of word id and packed position. */
  tokens: (Int32Array | undefined)[] = [];
  columns = new Map<string, Column>();
  readonly fieldNames: string[] = [];
  private readonly fieldIds = new Map<string, number>();
  private columnWanted = new Map<string, boolean>();
  private stopWords = new Set<string>();

  constructor(
    public uid: string,
    readonly createdAt: string,
  ) {
    this.updatedAt = createdAt;
  }

  get size(): number {
    return this.byId.size;
  }

  registerField(name: string): void {
    if (!this.fieldOrder.has(name)) this.fieldOrder.set(name, this.fieldOrder.size);
  }

  /** A document's text with its keys as all documents have them. */
  orderFields(text: string): string {
    const places = (name: string) => this.fieldOrder.get(name) ?? Number.POSITIVE_INFINITY;
    const fields = [...splitFields(text)];
    if (fields.every(([name], at) => at === 0 || places(fields[at - 1]![0]) < places(name))) return text;
    return joinFields(fields.sort(([left], [right]) => places(left) - places(right)));
  }

  /** Replaces or adds a document; `parsed` is what `text` says. */
  put(id: string, text: string, parsed: object): void {
    this.remove(id);
    const document = this.documents.push({ id, text }) - 1;
    this.byId.set(id, document);
    this.rawBytes += text.length;
    for (const name of Object.keys(parsed)) {
      this.fieldDistribution.set(name, (this.fieldDistribution.get(name) ?? 0) + 1);
    }
    if (!this.stale) this.indexDocument(document, parsed);
    if (this.documents.length <= 2 * this.byId.size + 10_000) return;
    if (this.stale) this.closeGaps();
    else this.reindex();
  }

  remove(id: string): boolean {
    const document = this.byId.get(id);
    if (document === undefined) return false;
    const { text } = this.documents[document]!;
    this.rawBytes -= text.length;
    for (const name of Object.keys(JSON.parse(text))) {
      const left = (this.fieldDistribution.get(name) ?? 1) - 1;
      if (left > 0) this.fieldDistribution.set(name, left);
      else this.fieldDistribution.delete(name);
    }
    this.byId.delete(id);
    this.documents[document] = undefined;
    this.tokens[document] = undefined;
    for (const column of this.columns.values()) column.remove(document);
    return true;
  }

  clear(): void {
    this.byId.clear();
    this.documents = [];
    this.fieldDistribution.clear();
    this.rawBytes = 0;
    this.reindex();
  }

  get(id: string): StoredDocument | undefined {
    const document = this.byId.get(id);
    return document === undefined ? undefined : this.documents[document];
  }

  applySettings(patch: Record<string, unknown>): void {
    this.settings = mergeSettings(this.settings, patch);
    this.reindex();
  }

  /** The values of an attribute, empty where no document has it. */
  column(attribute: string): Column {
    return this.columns.get(attribute) ?? new Column();
  }

  valuesOf(document: number, attribute: string): FieldValues | undefined {
    return this.columns.get(attribute)?.byDocument.get(document);
  }

  /** Catches up after a replay, which stores documents only. */
  ensureIndexed(): void {
    if (!this.stale) return;
    this.stale = false;
    this.reindex();
  }

  /** Builds words and columns anew, and closes the gaps that deleted documents left. */
  reindex(): void {
    if (this.stale) return;
    const kept = this.closeGaps();
    this.vocabulary = new Vocabulary();
    this.postings = [];
    this.tokens = [];
    this.columns = new Map();
    this.columnWanted = new Map();
    this.stopWords = new Set(this.settings.stopWords.map(foldWord));
    for (const [document, stored] of kept.entries()) this.indexDocument(document, JSON.parse(stored.text));
  }

  /** Numbers the documents anew; words and columns, which go by the old numbers, are wrong until they are rebuilt. */
  private closeGaps(): StoredDocument[] {
    const kept = this.documents.filter((document) => document !== undefined);
    this.documents = kept;
    for (const [document, { id }] of kept.entries()) this.byId.set(id, document);
    return kept;
  }

  /** The rank of a field among searchableAttributes, or -1 where it is not searchable. */
  weightOf(field: string): number {
    const searchable = this.settings.searchableAttributes;
    if (searchable.includes('*')) return 0;
    return searchable.findIndex((name) => field === name || field.startsWith(`${name}.`));
  }

  private wantsColumn(path: string): boolean {
    let wanted = this.columnWanted.get(path);
    if (wanted === undefined) {
      wanted =
        path === this.settings.distinctAttribute ||
        customRules(this.settings).includes(path) ||
        isSortable(this.settings, path) ||
        filterFeatures(this.settings, path) !== null;
      this.columnWanted.set(path, wanted);
    }
    return wanted;
  }

  private indexDocument(document: number, parsed: object): void {
    for (const [path, values] of collectValues(parsed, (name) => this.wantsColumn(name))) {
      let column = this.columns.get(path);
      if (!column) {
        column = new Column();
        this.columns.set(path, column);
      }
      column.add(document, values);
    }
    const packed: number[] = [];
    const positions = new Map<number, number>();
    const visit = (path: string, value: unknown): void => {
      if (Array.isArray(value)) {
        for (const element of value) visit(path, element);
      } else if (typeof value === 'object' && value !== null) {
        for (const [name, inner] of Object.entries(value)) visit(`${path}.${name}`, inner);
      } else if (value !== null && this.weightOf(path) >= 0)
        this.addWords(path, String(value), positions, packed);
    };
    for (const [name, value] of Object.entries(parsed)) if (name !== '_vectors') visit(name, value);
    this.tokens[document] = Int32Array.from(packed);
    for (let at = 0; at < packed.length; at += 2) {
      const posting = this.postings[packed[at]!]!;
      if (posting[posting.length - 1] !== document) posting.push(document);
    }
  }

  private addWords(path: string, text: string, positions: Map<number, number>, packed: number[]): void {
    let field = this.fieldIds.get(path);
    if (field === undefined) {
      field = this.fieldNames.push(path) - 1;
      this.fieldIds.set(path, field);
    }
    let last = positions.get(field) ?? -8;
    for (const token of tokenize(text, last + 8)) {
      last = token.position;
      if (last >= POSITIONS) break;
      if (this.stopWords.has(token.word)) continue;
      const wordId = this.vocabulary.intern(token.word);
      this.postings[wordId] ??= [];
      packed.push(wordId, field * POSITIONS + last);
    }
    positions.set(field, last);
  }
}
