// Statistics of indexes, kept by index and by its position in the journal: the last task of it that succeeded. A search
// reads the position before anything else, and uses what was gathered when the index stood at that very position; so its
// statistics are never of an older state than the position that it claims. What is newer, of a task that some nodes have
// already and that has not succeeded yet, may be in them, as it may be among the hits.
import type { Store } from '../../shared/io/store.js';

const MOST_ENTRIES = 1_000;

/** Reads where an index stands in the journal; null where that cannot be told. */
export type ReadPosition = (incarnation: number) => Promise<number | null>;

/** The watermark moves in the transaction that lets a task succeed. Without the store nothing is kept. */
export function positionsOf(store: Pick<Store, 'readWatermark'>): ReadPosition {
  return (incarnation) => store.readWatermark(incarnation).catch(() => null);
}

export interface Kept<T> {
  readonly value: T;
  readonly cached: boolean;
}

/** Values by index, position and key; the oldest are forgotten. */
export class StatisticsCache {
  /** Lookups that found something, and that did not. */
  readonly lookups = { hit: 0, miss: 0 };
  private readonly entries = new Map<string, Promise<unknown>>();
  private readonly lasting = new Map<string, { version: string; value: Promise<unknown> }>();

  constructor(readonly readPosition: ReadPosition) {}

  /**
   * The value for a key at a position, which was read before; gathered when it is not known, and kept unless that fails
   * or the position is null.
   */
  async get<T>(
    incarnation: number,
    position: number | null,
    key: string,
    gather: () => Promise<T>,
  ): Promise<Kept<T>> {
    const name = JSON.stringify([incarnation, position, key]);
    const known = position === null ? undefined : this.entries.get(name);
    this.lookups[known === undefined ? 'miss' : 'hit']++;
    if (known !== undefined) return { value: (await known) as T, cached: true };
    const value = gather();
    if (position !== null) this.keep(name, value);
    return { value: await value, cached: false };
  }

  /**
   * The same for estimates, which outlive writes: `key` names one, `version` says how much it depends on. While a new
   * version is gathered the old one is answered.
   */
  async getLasting<T>(
    incarnation: number,
    key: string,
    version: string,
    gather: () => Promise<T>,
  ): Promise<Kept<T>> {
    const name = JSON.stringify([incarnation, key]);
    const old = this.lasting.get(name);
    this.lookups[old?.version === version ? 'hit' : 'miss']++;
    if (old?.version === version) return { value: (await old.value) as T, cached: true };
    const value = gather();
    const entry = { version, value };
    if (old === undefined) {
      this.lasting.set(name, entry);
      value.catch(() => this.lasting.delete(name));
      return { value: await value, cached: false };
    }
    this.lasting.set(name, { version, value: old.value });
    value.then(
      () => this.lasting.set(name, entry),
      () => this.lasting.set(name, old),
    );
    return { value: (await old.value) as T, cached: true };
  }

  private keep(name: string, value: Promise<unknown>): void {
    this.entries.set(name, value);
    value.catch(() => this.entries.delete(name));
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= MOST_ENTRIES) break;
      this.entries.delete(oldest);
    }
  }
}
