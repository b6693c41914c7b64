// The steps of moves that a stream carries out between two groups, so that nothing races with its deliveries.
import { shardFilter } from '../../shared/core/topology.js';
import { NodeRefusal, type requireSuccess } from '../../shared/io/node-client.js';
import { type Control, StaleGeneration, StateConflict } from '../../shared/io/store.js';
import { enqueueTask, NodeTrouble, type PhysicalIndex, type StreamContext } from './context.js';
import { registerFields } from './fields.js';
import { runRepair } from './repairs.js';
import { replayShard } from './replay.js';
import { fetchDocuments } from './shard-documents.js';

/** Runs the waiting controls in order; copy chunks that stand together are read ahead and indexed together. */
export async function runControls(context: StreamContext, controls: readonly Control[]): Promise<void> {
  for (let next = 0; next < controls.length; ) {
    const run = controls.slice(next).findIndex((control) => control.kind !== 'copy');
    const copies = controls.slice(next, run === -1 ? undefined : next + run);
    if (copies.length > 0) {
      await copyChunks(context, copies);
      next += copies.length;
      continue;
    }
    const done = await runControl(context, controls[next]!);
    // A replay that waits for its source goes on later; what is behind it belongs to other moves.
    next += 1;
    if (!done) continue;
  }
}

async function finish(
  context: StreamContext,
  control: Control,
  result: Record<string, unknown>,
): Promise<void> {
  context.signal.throwIfAborted();
  await context.store.finishControl(context.node, context.generation, control.id, 'done', result);
}

async function fail(context: StreamContext, control: Control, error: unknown): Promise<void> {
  context.signal.throwIfAborted();
  const message = error instanceof Error ? error.message : String(error);
  await context.store.finishControl(context.node, context.generation, control.id, 'failed', { message });
}

function requireIndex(context: StreamContext, control: Control): PhysicalIndex | null {
  return control.incarnation === null ? null : (context.indexes.get(control.incarnation) ?? null);
}

async function runControl(context: StreamContext, control: Control): Promise<boolean> {
  if (!(await context.store.startControl(context.node, context.generation, control.id))) return true;
  const index = requireIndex(context, control);
  if (!index && control.kind === 'delete') {
    await finish(context, control, { deleted: 0 });
    return true;
  }
  if (!index) {
    await fail(context, control, new Error(`node ${context.node} no longer has the index of this step`));
    return true;
  }
  if (control.kind === 'sweep' || control.kind === 'settings') {
    await finish(context, control, await runRepair(context, control, index));
    return true;
  }
  if (control.kind === 'replay') {
    try {
      const result = await replayShard(context, control, index);
      if (result) await finish(context, control, result);
      return result !== null;
    } catch (error) {
      // The move was given up or began again meanwhile: its trouble, not the stream's.
      if (!(error instanceof StateConflict)) throw error;
      await fail(context, control, error);
      return true;
    }
  }
  const uid = await enqueueTask(context, {
    method: 'POST',
    path: `/indexes/${index.name}/documents/delete`,
    body: JSON.stringify({ filter: shardFilter([control.shard!]) }),
    signal: context.signal,
  });
  const task = requireDone(context, await context.client.waitTask(uid, context.signal));
  await finish(context, control, { deleted: task.details?.deletedDocuments ?? 0 });
  return true;
}

/** A failed control task is the node's fault: its requests are our own and well-formed. */
function requireDone<T extends Parameters<typeof requireSuccess>[1]>(context: StreamContext, task: T): T {
  if (task.status !== 'succeeded')
    throw new NodeTrouble(
      context.node,
      task.error?.code ?? task.status,
      task.error?.message ?? 'no reason given',
    );
  return task;
}

interface ReadChunk {
  results: Buffer;
  documents: number;
}

/** Chunks that one run brings at most: then live deliveries get their turn again. */
const MOST_CHUNKS = 12;

interface SentChunk {
  control: Control;
  chunk: ReadChunk;
  /** Null where the chunk had no document left to bring. */
  uid: number | null;
}

/** Keeps the node busy: while a chunk is indexed, those that were asked for meanwhile are read and sent. */
async function copyChunks(context: StreamContext, controls: readonly Control[]): Promise<void> {
  const { node, generation, store, faults } = context;
  const taken = new Set<number>();
  const sent: SentChunk[] = [];
  const send = async (fresh: readonly Control[]) => {
    for (const control of fresh) taken.add(control.id);
    sent.push(...(await sendChunks(context, fresh)));
  };
  await send(controls);
  await faults.reach('stream.copying');
  for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
    if (next.uid !== null) requireDone(context, await context.client.waitTask(next.uid, context.signal));
    const { documents, results } = next.chunk;
    await finish(context, next.control, { documents, bytes: results.byteLength });
    if (taken.size >= MOST_CHUNKS) continue;
    const waiting = (await store.nextControls(node, generation, 16)).filter(({ id }) => !taken.has(id));
    const other = waiting.findIndex((control) => control.kind !== 'copy');
    await send(waiting.slice(0, other === -1 ? undefined : other));
  }
}

/** Reads all at once and writes them in order. A chunk that cannot be read or written fails, and its move tries again. */
async function sendChunks(context: StreamContext, controls: readonly Control[]): Promise<SentChunk[]> {
  const reads = controls.map((control) => readChunk(context, control));
  // A read that fails while an earlier one is being written must not count as unhandled.
  for (const read of reads) read.catch(() => undefined);
  const sent: SentChunk[] = [];
  for (const [position, control] of controls.entries()) {
    const index = requireIndex(context, control);
    try {
      if (!index) throw new Error(`node ${context.node} no longer has the index of this step`);
      const chunk = await reads[position]!;
      context.signal.throwIfAborted();
      if (!(await context.store.startControl(context.node, context.generation, control.id))) continue;
      // Its source may be ahead of this stream, and so may the fields of what it holds.
      await registerFields(context, control.incarnation!, index);
      const uid = chunk.documents === 0 ? null : await writeChunk(context, control, index, chunk.results);
      sent.push({ control, chunk, uid });
    } catch (error) {
      if (context.signal.aborted || error instanceof StaleGeneration || isOwnTrouble(context, error))
        throw error;
      await fail(context, control, error);
    }
  }
  return sent;
}

/** Trouble with this stream's own node is the stream's; trouble with the source is the move's. */
function isOwnTrouble(context: StreamContext, error: unknown): boolean {
  const nodeId = (error as { nodeId?: string }).nodeId;
  return nodeId === context.node || error instanceof NodeTrouble;
}

async function writeChunk(
  context: StreamContext,
  control: Control,
  index: PhysicalIndex,
  results: Buffer,
): Promise<number> {
  const metadata = encodeURIComponent(`${context.clusterId}:${context.generation}:copy:${control.moveId}`);
  const key = index.primaryKey === null ? '' : `&primaryKey=${encodeURIComponent(index.primaryKey)}`;
  return enqueueTask(context, {
    method: 'POST',
    path: `/indexes/${index.name}/documents?customMetadata=${metadata}${key}`,
    body: results,
    signal: context.signal,
  });
}

async function readChunk(context: StreamContext, control: Control): Promise<ReadChunk> {
  const sourceNode = control.args.sourceNode!;
  for (let attempt = 1; ; attempt += 1) {
    const topology = await context.store.readTopology();
    const index = topology.indexes.find((candidate) => candidate.incarnation === control.incarnation);
    const name = index?.physicalNames[sourceNode];
    if (!index || name === undefined)
      throw new Error(`node ${sourceNode} no longer has the index of this step`);
    const client = await context.nodes.client(sourceNode);
    try {
      const { results, total } = await fetchDocuments(
        client,
        name,
        { ids: control.args.ids ?? [], withVectors: hasEmbedders(index.settings) },
        context.signal,
      );
      return { results, documents: total };
    } catch (error) {
      // Its stream may just have renamed the index to fence.
      if (error instanceof NodeRefusal && error.code === 'index_not_found' && attempt < 20) {
        await context.clock.sleep(50);
        continue;
      }
      throw error;
    }
  }
}

/** Without an embedder `_vectors` is a field like any other; with one it must be asked for. */
export function hasEmbedders(settings: Readonly<Record<string, unknown>>): boolean {
  const embedders = settings.embedders;
  return typeof embedders === 'object' && embedders !== null && Object.keys(embedders).length > 0;
}
