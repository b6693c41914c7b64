// Delivering a group: sent in order, confirmed when its node tasks are terminal. After a failure everything from the
// first unconfirmed entry is sent again in order, one entry at a time, until the guilty one has failed alone.
import { type MeilisearchError, meilisearchError } from '../../shared/core/errors.js';
import { cleanMessage } from '../../shared/core/search-errors.js';
import { shardFilter } from '../../shared/core/topology.js';
import { NodeRefusal, type NodeTask } from '../../shared/io/node-client.js';
import type { DeliveryEntry, DeliveryGroup, EntryOutcome } from '../../shared/io/store.js';
import { enqueueTask, isTrouble, NodeTrouble, type PhysicalIndex, type StreamContext } from './context.js';
import { registerFields } from './fields.js';
import { recordMatches } from './filter-matches.js';
import { applySettings, changePrimaryKey, dropIndex, ensureIndex } from './physical-index.js';
import { buildRequests, countDeletions } from './requests.js';

interface Sent {
  entry: DeliveryEntry;
  index: PhysicalIndex | null;
  tasks: { uid: number; counted: boolean }[];
  /** The node's refusal to take it at all. */
  refused: MeilisearchError | null;
}

/** Delivers one group and moves the position past it. Throws NodeTrouble, NodeUnreachable or StaleGeneration. */
export async function deliverGroup(context: StreamContext, group: DeliveryGroup): Promise<void> {
  const [first] = group.entries;
  if (first && group.entries.length === 1 && !isDocuments(first)) {
    await confirm(context, first.seq, await deliverIndexEntry(context, first));
    return;
  }
  // Those of the whole group at once: in the order of its entries, and before any of them.
  for (const entry of group.entries) {
    const index = entry.bringsFields ? await indexOf(context, entry) : null;
    if (index) await registerFields(context, entry.incarnation, index);
  }
  const sent: { run: DeliveryEntry[]; item: Sent }[] = [];
  for (const run of cutRuns(group.entries)) sent.push({ run, item: await send(context, joinRun(run)) });
  await context.faults.reach('deliver.sent');
  const outcomes: EntryOutcome[] = [];
  let settled = 0;
  for (const [position, { run, item }] of sent.entries()) {
    const outcome = await settle(context, item);
    if (outcome?.status === 'failed' && group.entries.length > 1) {
      // Autobatching may have failed an innocent neighbour: nothing of what came back from here on is trusted.
      const confirmed = group.entries[settled - 1];
      for (const later of sent.slice(position + 1)) await settle(context, later.item, true);
      if (confirmed) await confirm(context, confirmed.seq, outcomes, false);
      await resend(context, group.entries.slice(settled));
      return;
    }
    if (outcome) outcomes.push(...(run.length === 1 ? [outcome] : run.flatMap(succeeded)));
    settled += run.length;
  }
  await confirm(context, group.entries.at(-1)!.seq, outcomes);
}

/** Consecutive additions that one request can bring: a node indexes them at once instead of one after the other. */
export function cutRuns(entries: readonly DeliveryEntry[]): DeliveryEntry[][] {
  const runs: DeliveryEntry[][] = [];
  for (const entry of entries) {
    const before = runs.at(-1)?.at(-1);
    if (before !== undefined && isAlike(before, entry)) runs.at(-1)!.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

/** The same documents in the same order do the same, whether one task brings them or several. */
function isAlike(left: DeliveryEntry, right: DeliveryEntry): boolean {
  return (
    left.meta.kind === 'documentAdditionOrUpdate' &&
    right.meta.kind === 'documentAdditionOrUpdate' &&
    left.meta.method === right.meta.method &&
    left.incarnation === right.incarnation &&
    left.primaryKey === right.primaryKey &&
    !left.skipped &&
    !right.skipped
  );
}

/** A run as one entry, for as long as nothing fails: then its entries are sent again, each alone. */
function joinRun(run: readonly DeliveryEntry[]): DeliveryEntry {
  const last = run.at(-1)!;
  return run.length === 1 ? last : { ...last, parts: run.flatMap((entry) => entry.parts) };
}

/** Without parts for this node it decides nothing. */
function succeeded(entry: DeliveryEntry): EntryOutcome[] {
  return entry.parts.length === 0
    ? []
    : [{ seq: entry.seq, status: 'succeeded', error: null, details: null }];
}

async function resend(context: StreamContext, entries: readonly DeliveryEntry[]): Promise<void> {
  for (const entry of entries) {
    const outcome = await settle(context, await send(context, entry));
    // Whoever falls asleep before the next entry must be fenced: it is going to send without asking again.
    await confirm(context, entry.seq, outcome ? [outcome] : [], entry === entries.at(-1));
  }
}

function isDocuments(entry: DeliveryEntry): boolean {
  return entry.meta.kind === 'documentAdditionOrUpdate' || entry.meta.kind === 'documentDeletion';
}

/** `clean` only when nothing of the group is left to send. */
async function confirm(
  context: StreamContext,
  seq: number,
  outcomes: EntryOutcome[],
  clean = true,
): Promise<void> {
  context.signal.throwIfAborted();
  await context.faults.reach('deliver.answered');
  await context.store.confirmEntries(
    context.node,
    context.generation,
    seq,
    outcomes,
    clean,
    context.lastTaskUid,
  );
}

async function indexOf(context: StreamContext, entry: DeliveryEntry): Promise<PhysicalIndex | null> {
  if (entry.incarnation < 0) return null;
  return ensureIndex(context, {
    incarnation: entry.incarnation,
    uid: entry.indexUid,
    primaryKey: entry.primaryKey,
    seq: entry.seq,
  });
}

async function send(context: StreamContext, entry: DeliveryEntry): Promise<Sent> {
  const index = await indexOf(context, entry);
  const sent: Sent = { entry, index, tasks: [], refused: null };
  if (!index || entry.skipped) return sent;
  if (entry.meta.kind === 'documentDeletion' && entry.meta.mode === 'filter')
    await recordMatches(context, entry, index);
  for (const { request, counted } of buildRequests(context, entry, index.name, index.primaryKey)) {
    context.signal.throwIfAborted();
    try {
      sent.tasks.push({ uid: await enqueueTask(context, request), counted });
    } catch (error) {
      // index_not_found and key errors say that the stream must take over anew; these say that the entry is wrong.
      if (!(error instanceof NodeRefusal && /^invalid_|^malformed_/.test(error.code))) throw error;
      if (error.code === 'invalid_api_key') throw error;
      sent.refused = meilisearchError(error.code, hideParts(error.message, index));
      break;
    }
  }
  return sent;
}

/** Waits for an entry's node tasks. Null when the node had nothing to do for it, so that it decides nothing. */
async function settle(
  context: StreamContext,
  sent: Sent,
  ignoreTrouble = false,
): Promise<EntryOutcome | null> {
  const done: { task: NodeTask; counted: boolean }[] = [];
  for (const { uid, counted } of sent.tasks)
    done.push({ task: await context.client.waitTask(uid, context.signal), counted });
  if (sent.refused) return { seq: sent.entry.seq, status: 'failed', error: sent.refused, details: null };
  if (done.length === 0) return null;
  const failed = done.find(({ task }) => task.status !== 'succeeded');
  if (!failed) {
    const deletedDocuments = countDeletions(done);
    return {
      seq: sent.entry.seq,
      status: 'succeeded',
      error: null,
      details: deletedDocuments === null ? null : { deletedDocuments },
    };
  }
  return refusal(context, sent, failed.task, ignoreTrouble);
}

function refusal(context: StreamContext, sent: Sent, task: NodeTask, ignoreTrouble: boolean): EntryOutcome {
  if (!ignoreTrouble && isTrouble(task.error?.code))
    throw new NodeTrouble(
      context.node,
      task.error?.code ?? task.status,
      task.error?.message ?? 'no reason given',
    );
  const error: MeilisearchError | null = task.error && {
    ...task.error,
    message: hideParts(task.error.message, sent.index),
  };
  return { seq: sent.entry.seq, status: 'failed', error, details: null };
}

function hideParts(message: string, index: PhysicalIndex | null): string {
  if (!index) return message;
  const names = new Map([[index.name, index.uid]]);
  return cleanMessage(message, { names, primaryKey: index.primaryKey, sortable: [], displayed: null });
}

/** The documents of the shards that this node counts for the task's details; 0 once its index is gone. */
async function countDocuments(context: StreamContext, entry: DeliveryEntry): Promise<number> {
  const index = context.indexes.get(entry.incarnation);
  if (!index || entry.countedShards.length === 0) return 0;
  const page = await context.client.json<{ total: number }>({
    method: 'POST',
    path: `/indexes/${index.name}/documents/fetch`,
    body: JSON.stringify({ filter: shardFilter(entry.countedShards), limit: 0 }),
    admin: true,
    signal: context.signal,
  });
  return page.total;
}

/** Settings and index entries: alone, after everything before, and nothing after them until they are confirmed. */
async function deliverIndexEntry(context: StreamContext, entry: DeliveryEntry): Promise<EntryOutcome[]> {
  if (entry.incarnation < 0) return [];
  if (entry.meta.kind === 'indexDeletion' && !entry.skipped) {
    const deletedDocuments = await countDocuments(context, entry);
    await dropIndex(context, entry.incarnation);
    return [{ seq: entry.seq, status: 'succeeded', error: null, details: { deletedDocuments } }];
  }
  const index = await indexOf(context, entry);
  if (entry.skipped || !index) return [];
  const { incarnation, primaryKey, seq, liveShards } = entry;
  if (entry.meta.kind === 'indexUpdate' && primaryKey !== null)
    await changePrimaryKey(context, index, { incarnation, primaryKey, seq, liveShards });
  if (entry.meta.kind === 'settingsUpdate' && entry.settings) {
    try {
      await applySettings(context, index, entry.settings);
    } catch (error) {
      if (!(error instanceof NodeRefusal) || isTrouble(error.code)) throw error;
      return [
        {
          seq: entry.seq,
          status: 'failed',
          error: meilisearchError(error.code, hideParts(error.message, index)),
          details: null,
        },
      ];
    }
  }
  return [{ seq: entry.seq, status: 'succeeded', error: null, details: null }];
}
