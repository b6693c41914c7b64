// The state store's two drivers beside each other: entries appended a second, by one writer and by eight, and groups read.
// PostgreSQL only where MIROIR_BENCH_POSTGRES names an empty database of a server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../shared/io/open-store.js';
import type { Store } from '../../shared/io/store.js';
import type { Measure } from '../result.js';
import type { Outcome } from './search.js';

const SHARDS = 8;
const NODE = 'a';
const WRITERS = 8;
/** A small document, as most writes bring one. */
const PAYLOAD = Buffer.from(JSON.stringify({ id: 1, text: 'x'.repeat(1_000) }));
const GROUP = { entries: 500, bytes: 8 << 20 };

interface Rates {
  alone: number;
  together: number;
  /** Entries read in groups and confirmed. */
  read: number;
}

export async function measureStore(quick: boolean): Promise<Outcome> {
  const count = quick ? 400 : 2_000;
  const folder = mkdtempSync(join(tmpdir(), 'miroir-bench-store-'));
  const measures: Measure[] = [];
  const details: Record<string, number> = {};
  const tell = (driver: string, rates: Rates) => {
    details[`${driver}: entries/s, one writer`] = rates.alone;
    details[`${driver}: entries/s, ${WRITERS} writers`] = rates.together;
    details[`${driver}: entries/s, read in groups`] = rates.read;
  };
  try {
    const sqlite = await measure(`sqlite:${join(folder, 'miroir.db')}`, count);
    tell('SQLite', sqlite);
    const url = process.env.MIROIR_BENCH_POSTGRES;
    if (url) {
      const postgres = await measure(url, count);
      tell('PostgreSQL', postgres);
      for (const [name, key] of [
        ['appends over SQLite, one writer', 'alone'],
        [`appends over SQLite, ${WRITERS} writers`, 'together'],
        ['reads of groups over SQLite', 'read'],
      ] as const)
        measures.push({ name, value: postgres[key] / sqlite[key], unit: 'ratio', target: null });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { measures, details };
}

async function measure(url: string, count: number): Promise<Rates> {
  const store = await openStore(url);
  try {
    await store.initialize({ clusterId: 'bench', replicationFactor: 1, defaultShardCount: SHARDS });
    await store.addNode({ id: NODE, url: 'http://a' }, { adminKey: null, dataKey: null }, 'bench');
    const { epoch } = await store.readTopology();
    await append(store, 'index', null, epoch);
    const alone = await rate(count, () => appendMany(store, 'alone', count));
    const together = await rate(count, async () => {
      const share = Math.floor(count / WRITERS);
      await Promise.all(
        Array.from({ length: WRITERS }, (_, writer) => appendMany(store, `writer-${writer}`, share)),
      );
    });
    return { alone, together, read: await rate(2 * count, () => readAll(store)) };
  } finally {
    await store.close();
  }
}

async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (1_000 * count) / (performance.now() - begun);
}

/** Staged and numbered, as a proxy does it. */
async function appendMany(store: Store, name: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const id = `${name}-${at}`;
    await store.stageParts(id, [{ shard: at % SHARDS, payload: Buffer.from(PAYLOAD), documentCount: 1 }]);
    await append(store, id, id, null);
  }
}

async function append(store: Store, requestId: string, stagingId: string | null, epoch: number | null) {
  const creates = epoch !== null;
  const result = await store.appendEntry({
    requestId,
    indexUid: 'books',
    meta: creates
      ? { kind: 'indexCreation', primaryKey: 'id' }
      : { kind: 'documentAdditionOrUpdate', method: 'replace', primaryKey: null, receivedDocuments: 1 },
    stagingId,
    expected: { incarnation: creates ? null : 1, primaryKey: creates ? null : 'id' },
    createIndex: creates
      ? { epoch, primaryKey: 'id', assignment: Array.from({ length: SHARDS }, () => [NODE]) }
      : null,
    setPrimaryKey: null,
    failure: null,
    details: null,
  });
  if (!result.ok) throw new Error(`an append met a conflict: ${result.conflict}`);
}

async function readAll(store: Store): Promise<void> {
  const { generation } = (await store.takeOverStream(NODE, 'bench'))!;
  for (;;) {
    const group = await store.readGroup(NODE, generation, GROUP);
    if (group === null) return;
    const outcomes = group.entries.map(({ seq }) => ({
      seq,
      status: 'succeeded' as const,
      error: null,
      details: null,
    }));
    await store.confirmEntries(NODE, generation, outcomes.at(-1)!.seq, outcomes, true);
  }
}
