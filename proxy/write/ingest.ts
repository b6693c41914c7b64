// A documents payload from its first byte to its number in the journal: judged, split by shard, staged, appended.
import { randomUUID } from 'node:crypto';
import { PayloadJudge } from '../../shared/core/documents.js';
import type { AdditionMeta } from '../../shared/core/entries.js';
import { ApiError } from '../../shared/core/errors.js';
import { FieldNames } from '../../shared/core/field-names.js';
import { IdKinds } from '../../shared/core/folded-ids.js';
import { LengthRecorder, lengthVersion } from '../../shared/core/length-marks.js';
import { shardOfHash } from '../../shared/core/placement.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import { usesGeo } from '../../shared/core/special-fields.js';
import { summarizeTask, type TaskSummary } from '../../shared/core/tasks.js';
import { findIndex, type Topology, type TopologyIndex } from '../../shared/core/topology.js';
import type { AppendResult } from '../../shared/io/store.js';
import type { ProxyContext } from '../context.js';
import type { SearchTurns } from '../search/search-turns.js';
import { appendOnce, createInput } from './append.js';
import { DistinctIds } from './distinct-ids.js';
import { type PayloadFormat, PayloadSource, readDocuments } from './payload.js';
import { Staging } from './staging.js';

export interface Ingest {
  indexUid: string;
  method: AdditionMeta['method'];
  /** The query's primaryKey, or null. */
  primaryKey: string | null;
  format: PayloadFormat;
  /** Decoded, not yet limited. */
  body: AsyncIterable<Uint8Array>;
}

/** What the payload was read with. */
interface Basis {
  index: TopologyIndex | undefined;
  shardCount: number;
}

interface Reading {
  basis: Basis;
  judge: PayloadJudge;
  staging: Staging;
  fields: FieldNames;
  idKinds: IdKinds;
  received: number;
  /** Different documents among them. */
  distinct: number;
}

/** Conflicts in a row after which the client is asked to come again. */
const MAX_ATTEMPTS = 20;
/** Chunks are 64 kB, which take about as long: with searches always under way, uploads still get half of the time. */
const STAND_BACK_MS = 4;

/** Takes a payload in and answers its task. Nothing is written when it throws. */
export async function ingestDocuments(ctx: ProxyContext, ingest: Ingest): Promise<TaskSummary> {
  const body = standBack(ingest.body, ctx.searches);
  const source = new PayloadSource(body, ctx.options.payloadLimitBytes);
  const requestId = randomUUID();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const reading = await read(ctx, ingest, source);
    let task: TaskSummary | null = null;
    try {
      task = await append(ctx, ingest, reading, requestId);
    } finally {
      // Also after an answer that never came: staged parts that were claimed are no longer under this id.
      if (task === null || reading.judge.failure !== null) await dropQuietly(ctx, reading.staging);
    }
    if (task !== null) return task;
    if (!source.isRepeatable) break;
  }
  throw new ApiError(
    'miroir_topology_changed',
    `Index \`${ingest.indexUid}\` changed while the documents were read. Nothing was written; send it again.`,
  );
}

/** Lets the searches that are under way finish before each chunk, a few milliseconds long. */
async function* standBack(
  body: AsyncIterable<Uint8Array>,
  searches: SearchTurns,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    await searches.quiet(STAND_BACK_MS);
    yield chunk;
  }
}

async function read(ctx: ProxyContext, ingest: Ingest, source: PayloadSource): Promise<Reading> {
  // A slow upload must not hold back flips, so the topology is let go and looked at again before the append.
  const hold = ctx.watcher.acquire('write');
  const basis = basisOf(hold.topology, ingest.indexUid);
  hold.release();
  const judge = new PayloadJudge({
    indexUid: ingest.indexUid,
    indexPrimaryKey: basis.index?.primaryKey ?? null,
    givenPrimaryKey: ingest.primaryKey,
    checkGeo: usesGeo(basis.index?.settings ?? {}),
    format: ingest.format.kind,
  });
  const staging = new Staging(ctx.store);
  const ids = new DistinctIds();
  const names = new FieldNames();
  const idKinds = new IdKinds();
  const lengths = recorderOf(ctx, ingest, basis.index);
  try {
    const received = await readDocuments(
      source,
      ingest.format,
      (bytes, fields, fieldCount, suspect) => {
        const id = judge.judge(bytes, fields, fieldCount, suspect);
        if (id === null) return;
        const hashed = ctx.hash(id);
        ids.add(hashed);
        idKinds.add(id);
        names.add(bytes, fields, fieldCount);
        staging.addDocument(
          shardOfHash(hashed, basis.shardCount),
          bytes,
          fieldCount === 0,
          lengths === null ? null : lengths.marks(byteText(bytes)),
        );
      },
      // The rest of a payload that fails is read for its syntax only.
      async () => {
        if (judge.failure !== null) await staging.drop();
        else if (staging.isFull) await staging.flush();
      },
    );
    judge.finish();
    return { basis, judge, staging, fields: names, idKinds, received, distinct: ids.count() };
  } catch (error) {
    await dropQuietly(ctx, staging);
    throw error;
  }
}

function byteText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Only of whole documents: how long one is that a part is merged into is not known here, so it loses its length. */
function recorderOf(
  ctx: ProxyContext,
  { method }: Ingest,
  index: TopologyIndex | undefined,
): LengthRecorder | null {
  if (index?.scoring !== 'dfs' || method === 'update') return null;
  const { searchable } = searchSettings(index);
  return new LengthRecorder(searchable, lengthVersion(searchable, ctx.hash));
}

function basisOf(topology: Topology, indexUid: string): Basis {
  const index = findIndex(topology, indexUid);
  return { index, shardCount: index?.shardCount ?? topology.defaultShardCount };
}

/** Numbers what was read; null when it no longer fits the index. */
async function append(
  ctx: ProxyContext,
  ingest: Ingest,
  reading: Reading,
  requestId: string,
): Promise<TaskSummary | null> {
  const { judge, staging, received, distinct } = reading;
  const failure = judge.failure;
  const stagingId = failure === null ? await staging.settle() : null;
  const meta: AdditionMeta = {
    kind: 'documentAdditionOrUpdate',
    method: ingest.method,
    primaryKey: ingest.primaryKey,
    receivedDocuments: received,
  };
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const hold = ctx.watcher.acquire('write');
    let result: AppendResult;
    try {
      const now = basisOf(hold.topology, ingest.indexUid);
      if (!fits(reading, now)) return null;
      const index = now.index;
      const primaryKey = failure === null ? judge.primaryKey : null;
      result = await appendOnce(ctx, {
        requestId,
        indexUid: ingest.indexUid,
        meta,
        stagingId,
        expected: { incarnation: index?.incarnation ?? null, primaryKey: index?.primaryKey ?? null },
        createIndex: index === undefined ? createInput(hold.topology, primaryKey, ctx.hash) : null,
        setPrimaryKey: index !== undefined && index.primaryKey === null ? primaryKey : null,
        failure,
        details: distinct === received ? null : { indexedDocuments: distinct },
        idKinds: reading.idKinds.bits,
        fields: reading.fields.list(leadingKey(ingest.primaryKey)),
      });
    } finally {
      hold.release();
    }
    if (result.ok) return summarizeTask(result.seq, ingest.indexUid, meta, result.enqueuedAt);
    await ctx.watcher.refresh();
  }
  return null;
}

/** A primary key that is given is a field before the first document is read; one that is found is in its place. */
function leadingKey(primaryKey: string | null): string | null {
  return primaryKey === null || primaryKey.includes('.') ? null : primaryKey;
}

/** Whether what was found in the payload holds for the index as it is now. */
function fits({ basis, judge }: Reading, now: Basis): boolean {
  const before = basis.index;
  if (judge.failure !== null) {
    return before?.incarnation === now.index?.incarnation && before?.primaryKey === now.index?.primaryKey;
  }
  if (now.shardCount !== basis.shardCount) return false;
  if (now.index === undefined) return before === undefined;
  // Two first writes that agree on the key may both create the index; the later one finds it there.
  return now.index.primaryKey === null || now.index.primaryKey === judge.primaryKey;
}

async function dropQuietly(ctx: ProxyContext, staging: Staging): Promise<void> {
  try {
    await staging.drop();
  } catch (error) {
    // The store collects forgotten staging rows by their age.
    ctx.log.warn({ err: error, stagingId: staging.id }, 'staged parts could not be dropped');
  }
}
