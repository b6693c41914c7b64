// Statistics of indexes, kept while nothing was written: by index and by the last task that succeeded on it.
import type { Store } from '../../shared/io/store.js';

/** How long the position of an index is believed. */
const POSITION_MS = 1_000;
const MOST_ENTRIES = 1_000;

/** Reads where an index stands in the journal; null where that cannot be told. */
export type ReadPosition = (uid: string) => Promise<number | null>;

/** The last task of an index that succeeded: what changes documents changes it. */
export function positionsOf(store: Pick<Store, 'listTasks'>): ReadPosition {
  return async (uid) => {
    const { rows } = await store.listTasks({ indexUids: [uid], statuses: ['succeeded'], limit: 1 });
    return rows[0]?.uid ?? null;
  };
}

/** Values by index, position and key; the oldest are forgotten. */
export class StatisticsCache {
  /** Lookups that found something, and that did not. */
  readonly lookups = { hit: 0, miss: 0 };
  private readonly entries = new Map<string, Promise<unknown>>();
  private readonly lasting = new Map<string, { version: string; value: Promise<unknown> }>();
  private readonly positions = new Map<string, { position: Promise<number | null>; atMs: number }>();

  constructor(
    private readonly readPosition: ReadPosition,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** The value for a key at the index's present position, gathered when it is not known. Failures are not kept. */
  async get<T>(uid: string, incarnation: number, key: string, gather: () => Promise<T>): Promise<T> {
    const position = await this.positionOf(uid);
    return this.find(JSON.stringify([incarnation, position, key]), position !== null, gather);
  }

  /**
   * The same for what may outlive writes: `key` names it, `version` says how much it depends on. While a new version is
   * gathered the old one is answered.
   */
  async getLasting<T>(
    incarnation: number,
    key: string,
    version: string,
    gather: () => Promise<T>,
  ): Promise<T> {
    const name = JSON.stringify([incarnation, key]);
    const old = this.lasting.get(name);
    this.lookups[old?.version === version ? 'hit' : 'miss']++;
    if (old?.version === version) return old.value as Promise<T>;
    const value = gather();
    const entry = { version, value };
    if (old === undefined) {
      this.lasting.set(name, entry);
      value.catch(() => this.lasting.delete(name));
      return value;
    }
    this.lasting.set(name, { version, value: old.value });
    value.then(
      () => this.lasting.set(name, entry),
      () => this.lasting.set(name, old),
    );
    return old.value as Promise<T>;
  }

  private async find<T>(name: string, isKept: boolean, gather: () => Promise<T>): Promise<T> {
    const known = isKept ? this.entries.get(name) : undefined;
    this.lookups[known === undefined ? 'miss' : 'hit']++;
    if (known !== undefined) return known as Promise<T>;
    const value = gather();
    if (!isKept) return value;
    this.entries.set(name, value);
    value.catch(() => this.entries.delete(name));
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= MOST_ENTRIES) break;
      this.entries.delete(oldest);
    }
    return value;
  }

  private positionOf(uid: string): Promise<number | null> {
    const known = this.positions.get(uid);
    if (known !== undefined && this.nowMs() - known.atMs < POSITION_MS) return known.position;
    const position = this.readPosition(uid).catch(() => null);
    this.positions.set(uid, { position, atMs: this.nowMs() });
    return position;
  }
}
