// Gathers what a payload brings for each shard and stages it in the store in pieces of about a megabyte, in order.
import { randomUUID } from 'node:crypto';
import type { EntryPart } from '../../shared/core/entries.js';
import { SHARD_FIELD, shardMark } from '../../shared/core/topology.js';
import type { Store } from '../../shared/io/store.js';

const FLUSH_BYTES = 1024 * 1024;
const CLOSING_BRACE = 0x7d;
const COMMA = Buffer.from(',');
const FIRST_BYTES = 4 * 1024;
/** Larger ones were for a few large documents; they are not kept for what comes next. */
const KEPT_BYTES = 256 * 1024;

/**
 * What gathers for one shard, copied into one buffer: slices of what arrived would live until the flush, and searches
 * would wait while thousands of them are moved about by the garbage collector.
 */
class OpenPart {
  documentCount = 0;
  private bytes = new Uint8Array(FIRST_BYTES);
  private sizeBytes = 0;

  /** Adds an element made of these pieces; answers by how much the part grew. */
  add(pieces: readonly Uint8Array[]): number {
    const before = this.sizeBytes;
    if (this.documentCount > 0) this.write(COMMA);
    for (const piece of pieces) this.write(piece);
    this.documentCount++;
    return this.sizeBytes - before;
  }

  /** The elements in a buffer of their own, since what is sent to the store's thread is sent whole; empty afterwards. */
  take(): Uint8Array {
    const payload = this.bytes.slice(0, this.sizeBytes);
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(FIRST_BYTES);
    this.sizeBytes = 0;
    this.documentCount = 0;
    return payload;
  }

  private write(piece: Uint8Array): void {
    const end = this.sizeBytes + piece.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.sizeBytes));
      this.bytes = larger;
    }
    this.bytes.set(piece, this.sizeBytes);
    this.sizeBytes = end;
  }
}

export class Staging {
  readonly id = randomUUID();
  private readonly open = new Map<number, OpenPart>();
  private openBytes = 0;
  private flushing: Promise<void> = Promise.resolve();
  private used = false;
  private readonly marks: Buffer[] = [];

  constructor(private readonly store: Pick<Store, 'stageParts' | 'dropStaging'>) {}

  /** Adds a document to its shard and gives it the hidden field, as text: the shard's mark, and `lengthMarks` behind it. */
  addDocument(shard: number, bytes: Uint8Array, isEmpty: boolean, lengthMarks: string | null = null): void {
    this.marks[shard] ??= Buffer.from(`"${SHARD_FIELD}":"${shardMark(shard)}"}`);
    const mark =
      lengthMarks === null
        ? this.marks[shard]!
        : Buffer.from(`"${SHARD_FIELD}":["${shardMark(shard)}",${lengthMarks}]}`);
    const body = bytes.subarray(0, bytes.lastIndexOf(CLOSING_BRACE));
    if (isEmpty) this.add(shard, [body, mark]);
    else this.add(shard, [body, COMMA, mark]);
  }

  /** Adds an id that is to be deleted. */
  addId(shard: number, id: string): void {
    this.add(shard, [Buffer.from(JSON.stringify(id))]);
  }

  /** True when enough has gathered for flush. */
  get isFull(): boolean {
    return this.openBytes >= FLUSH_BYTES;
  }

  /** Hands what has gathered to the store, once the piece before it is there. */
  async flush(): Promise<void> {
    if (this.openBytes === 0) return;
    const parts: EntryPart[] = [];
    for (const [shard, part] of this.open) {
      const { documentCount } = part;
      if (documentCount > 0) parts.push({ shard, payload: part.take(), documentCount });
    }
    this.openBytes = 0;
    this.used = true;
    // One piece is on its way while the next one gathers; pieces of one shard must not overtake each other.
    await this.flushing;
    this.flushing = this.store.stageParts(this.id, parts);
    // The failure is thrown by the next flush or by settle; without this it would end the process before.
    this.flushing.catch(() => {});
  }

  /** Stages the rest. Answers the staging id, or null when there was nothing. */
  async settle(): Promise<string | null> {
    await this.flush();
    await this.flushing;
    return this.used ? this.id : null;
  }

  /** Forgets everything, in memory and in the store. */
  async drop(): Promise<void> {
    this.open.clear();
    this.openBytes = 0;
    if (!this.used) return;
    this.used = false;
    await this.flushing.catch(() => {});
    await this.store.dropStaging(this.id);
  }

  private add(shard: number, pieces: readonly Uint8Array[]): void {
    let part = this.open.get(shard);
    if (part === undefined) {
      part = new OpenPart();
      this.open.set(shard, part);
    }
    this.openBytes += part.add(pieces);
  }
}
