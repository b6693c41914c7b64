// Which unfinished entries every in-sync replica of their shards has confirmed. Asked for many at a time: a statement an
// entry is a round trip an entry where the server is another process.
import { cutBatches, marks, one, type Tx } from './driver.js';

export interface Unfinished {
  seq: number;
  index_uid: string;
  incarnation: number | null;
  scope: 'parts' | 'index' | 'none';
}

/**
 * A replica that left in-sync still counts until no live proxy can read it any more, so that both the old and the
 * new topology see what succeeded.
 */
const COUNTED = `(r.state = 'in-sync' OR (r.left_epoch IS NOT NULL AND r.left_epoch > ?))`;
/** Entries asked for at first: often the first one is blocked, and the rest with it. Then ever more. */
const FIRST = 4;
const GROWTH = 4;
const MOST = 256;

/** Knows what the transaction has read, which stays true until a replica or an epoch changes. */
export class Confirmations {
  private readonly blocked = new Set<string>();
  private readonly known = new Map<number, boolean>();
  private next = FIRST;

  /** `entries` in their order; `leased` is the oldest epoch that a live proxy may answer with. */
  constructor(
    private readonly tx: Tx,
    private readonly entries: readonly Unfinished[],
    private readonly leased: number,
  ) {}

  /** Behind an entry of the same index that is not finished. */
  isBlocked(entry: Unfinished): boolean {
    return this.blocked.has(entry.index_uid);
  }

  block(entry: Unfinished): void {
    this.blocked.add(entry.index_uid);
  }

  /** After a change of replicas or epochs. */
  forget(): void {
    this.known.clear();
  }

  async has(entry: Unfinished): Promise<boolean> {
    if (entry.scope === 'none') return true;
    if (entry.scope === 'index') return this.askIndex(entry);
    if (!this.known.has(entry.seq)) await this.askFrom(entry);
    return this.known.get(entry.seq)!;
  }

  private async askIndex({ incarnation, seq }: Unfinished): Promise<boolean> {
    const behind = await one(
      this.tx,
      `SELECT 1 AS found FROM replicas r JOIN streams s ON s.node = r.node
       WHERE r.incarnation = ? AND ${COUNTED} AND s.position < ? LIMIT 1`,
      [incarnation, this.leased, seq],
    );
    return behind === undefined;
  }

  /** Asks for this entry and the next ones that may be wanted. */
  private async askFrom(first: Unfinished): Promise<void> {
    const wanted: number[] = [];
    for (
      let at = this.entries.indexOf(first);
      at < this.entries.length && wanted.length < this.next;
      at += 1
    ) {
      const entry = this.entries[at]!;
      if (entry.scope === 'parts' && !this.isBlocked(entry)) wanted.push(entry.seq);
    }
    this.next = Math.min(this.next * GROWTH, MOST);
    for (const seq of wanted) this.known.set(seq, true);
    for (const batch of cutBatches(wanted)) {
      const behind = await this.tx.all<{ seq: number }>(
        `SELECT DISTINCT p.seq FROM parts p JOIN journal j ON j.seq = p.seq
         JOIN replicas r ON r.incarnation = j.incarnation AND r.shard = p.shard
         JOIN streams s ON s.node = r.node
         WHERE ${COUNTED} AND s.position < p.seq AND p.seq IN (${marks(batch.length)})`,
        [this.leased, ...batch],
      );
      for (const { seq } of behind) this.known.set(seq, false);
    }
  }
}
