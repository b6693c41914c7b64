// The next entries of a stream, as its node needs them. Their payloads are read in a second transaction: writers of
// the whole fleet would otherwise wait behind megabytes.
import type { EntryMeta } from '../../core/entries.js';
import type { NodeId } from '../../core/topology.js';
import type { DeliveryEntry, DeliveryGroup } from '../store.js';
import { isoTime, marks, parseJson, type Tx } from './driver.js';
import { LIVE, requireGeneration } from './streams.js';

export interface JournalEntryRow {
  seq: number;
  meta: string;
  index_uid: string;
  incarnation: number | null;
  primary_key: string | null;
  settings: string | null;
  scope: 'parts' | 'index' | 'none';
  barrier: number;
  refused: number;
  status: string;
  outcome: 'succeeded' | 'failed' | null;
  new_fields: number;
  name: string | null;
}

export function toDelivery(row: JournalEntryRow): DeliveryEntry {
  return {
    seq: row.seq,
    meta: JSON.parse(row.meta) as EntryMeta,
    indexUid: row.index_uid,
    incarnation: row.incarnation ?? -1,
    physicalName: row.name,
    primaryKey: row.primary_key,
    liveShards: [],
    countedShards: [],
    parts: [],
    outcome: row.outcome,
    skipped: row.refused === 1,
    settings: parseJson(row.settings),
    bringsFields: row.new_fields > 0,
  };
}

interface PartRow {
  id: number;
  seq: number;
  shard: number;
  size_bytes: number;
}

/** A group without its payloads, and the parts that carry them, in order, for each entry. */
export interface BegunGroup extends DeliveryGroup {
  partsOf: Map<number, PartRow[]>;
}

/** Entries whose parts are looked up at once: a group may end long before its limit of entries. */
const LOOK_AHEAD = 50;
/** Payloads read with one statement. */
const PAYLOADS_AT_ONCE = 200;

/** Chooses the group, marks the stream unclean and the entries as processing. */
export async function beginGroup(
  tx: Tx,
  node: NodeId,
  generation: number,
  limits: { entries: number; bytes: number },
): Promise<BegunGroup | null> {
  const stream = await requireGeneration(tx, node, generation);
  const rows = await tx.all<JournalEntryRow>(
    `SELECT j.seq, j.meta, j.index_uid, j.incarnation, j.primary_key, j.settings, j.scope, j.barrier, j.refused,
       j.status, j.outcome, j.new_fields, p.name
     FROM journal j LEFT JOIN physical_names p ON p.incarnation = j.incarnation AND p.node = ?
     WHERE j.seq > ? ORDER BY j.seq LIMIT ?`,
    [node, stream.position, limits.entries],
  );
  if (rows.length === 0) return null;

  const entries: DeliveryEntry[] = [];
  const partsOf = new Map<number, PartRow[]>();
  let bytes = 0;
  for (const [i, row] of rows.entries()) {
    if (row.barrier === 1 && entries.length > 0) break;
    if (i % LOOK_AHEAD === 0) await readParts(tx, node, rows.slice(i, i + LOOK_AHEAD), partsOf);
    const entry = toDelivery(row);
    if (row.scope === 'parts' && row.incarnation !== null) {
      const parts = partsOf.get(row.seq) ?? [];
      const size = parts.reduce((sum, part) => sum + part.size_bytes, 0);
      if (entries.length > 0 && bytes + size > limits.bytes) break;
      bytes += size;
      entry.liveShards = [...new Set(parts.map((part) => part.shard))];
    } else if (row.incarnation !== null) {
      entry.liveShards = await readLiveShards(tx, node, row.incarnation);
    }
    const deletes = entry.meta.kind === 'documentDeletion' || entry.meta.kind === 'indexDeletion';
    if (deletes && entry.liveShards.length > 0) {
      const counted = await readCountedShards(tx, node, entry.incarnation);
      entry.countedShards = entry.liveShards.filter((shard) => counted.has(shard));
    }
    entries.push(entry);
    if (row.barrier === 1) break;
  }

  const last = entries.at(-1)!.seq;
  await tx.run('UPDATE streams SET unclean = 1 WHERE node = ? AND unclean = 0', [node]);
  if (rows.some((row) => row.seq <= last && row.status === 'enqueued')) {
    await tx.run(
      `UPDATE journal SET status = 'processing', started_at = ?
       WHERE seq > ? AND seq <= ? AND status = 'enqueued' AND finished_at IS NULL`,
      [isoTime(tx.nowMs), stream.position, last],
    );
  }
  return { position: stream.position, entries, partsOf };
}

/** The parts of consecutive entries that lie in shards live on the node. */
async function readParts(
  tx: Tx,
  node: NodeId,
  rows: readonly JournalEntryRow[],
  partsOf: Map<number, PartRow[]>,
): Promise<void> {
  const parts = await tx.all<PartRow>(
    `SELECT d.id, d.seq, d.shard, d.size_bytes FROM parts d JOIN journal j ON j.seq = d.seq
     JOIN replicas r ON r.incarnation = j.incarnation AND r.shard = d.shard AND r.node = ? AND r.state IN ${LIVE}
     WHERE d.seq >= ? AND d.seq <= ? ORDER BY d.seq, d.id`,
    [node, rows[0]!.seq, rows.at(-1)!.seq],
  );
  for (const part of parts) {
    const known = partsOf.get(part.seq);
    if (known) known.push(part);
    else partsOf.set(part.seq, [part]);
  }
}

/**
 * Reads the payloads. While the generation holds, nobody else moves the position, and what lies behind it is kept.
 */
export async function fillGroup(
  tx: Tx,
  node: NodeId,
  generation: number,
  group: BegunGroup,
): Promise<DeliveryGroup> {
  await requireGeneration(tx, node, generation);
  const wanted = group.entries.flatMap((entry) => group.partsOf.get(entry.seq) ?? []);
  const payloads = new Map<number, Uint8Array>();
  for (let first = 0; first < wanted.length; first += PAYLOADS_AT_ONCE) {
    const ids = wanted.slice(first, first + PAYLOADS_AT_ONCE).map((part) => part.id);
    const rows = await tx.all<{ part: number; payload: Uint8Array }>(
      `SELECT part, payload FROM payloads WHERE part IN (${marks(ids.length)})`,
      ids,
    );
    for (const row of rows) payloads.set(row.part, row.payload);
  }
  for (const entry of group.entries) {
    entry.parts = (group.partsOf.get(entry.seq) ?? []).map(({ id, shard }) => {
      const payload = payloads.get(id);
      if (!payload)
        throw new Error(`the payload ${id} of task ${entry.seq} is gone, though node ${node} needs it`);
      return { shard, payload };
    });
  }
  return { position: group.position, entries: group.entries };
}

async function readLiveShards(tx: Tx, node: NodeId, incarnation: number): Promise<number[]> {
  const rows = await tx.all<{ shard: number }>(
    `SELECT shard FROM replicas WHERE node = ? AND incarnation = ? AND state IN ${LIVE} ORDER BY shard`,
    [node, incarnation],
  );
  return rows.map((row) => row.shard);
}

/** The shards of which this node is the first in-sync replica: it alone reports how much was deleted there. */
async function readCountedShards(tx: Tx, node: NodeId, incarnation: number): Promise<Set<number>> {
  const rows = await tx.all<{ shard: number }>(
    `SELECT shard FROM replicas WHERE incarnation = ? AND state = 'in-sync' GROUP BY shard HAVING MIN(node) = ?`,
    [incarnation, node],
  );
  return new Set(rows.map((row) => row.shard));
}
