// An index on a node: created with its hidden settings, given its primary key, renamed to fence, dropped.
import { nodeSettings } from '../../shared/core/settings.js';
import { physicalName, shardFilter } from '../../shared/core/topology.js';
import { NodeRefusal, requireSuccess } from '../../shared/io/node-client.js';
import { enqueueTask, NodeLost, type PhysicalIndex, type StreamContext } from './context.js';
import { registerFields } from './fields.js';

interface ListedIndex {
  uid: string;
  primaryKey: string | null;
}

/** All indexes of the node. */
export async function listIndexes(context: StreamContext): Promise<ListedIndex[]> {
  const found: ListedIndex[] = [];
  for (let offset = 0; ; offset += 200) {
    const page = await context.client.json<{ results: ListedIndex[]; total: number }>({
      method: 'GET',
      path: `/indexes?limit=200&offset=${offset}`,
      admin: true,
      signal: context.signal,
    });
    found.push(...page.results);
    if (found.length >= page.total || page.results.length === 0) return found;
  }
}

/** The fence number of a physical name of this incarnation, or null when it is another index's name. */
export function fenceOf(name: string, uid: string, incarnation: number): number | null {
  const prefix = physicalName(uid, incarnation, 0).slice(0, -1);
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d+$/.test(rest) ? Number(rest) : null;
}

async function runAdmin(
  context: StreamContext,
  method: 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<void> {
  const uid = await enqueueTask(context, {
    method,
    path,
    body: body === undefined ? undefined : JSON.stringify(body),
    admin: true,
  });
  requireSuccess(context.node, await context.client.waitTask(uid, context.signal, true));
}

/** Sends the node's whole view of the settings: idempotent, and without effect on what is the same already. */
export async function applySettings(
  context: StreamContext,
  index: PhysicalIndex,
  settings: Record<string, unknown>,
): Promise<void> {
  await runAdmin(
    context,
    'PATCH',
    `/indexes/${index.name}/settings`,
    nodeSettings(settings, index.primaryKey),
  );
}

/**
 * Makes sure that the node has the index, with the settings as of `seq` and the primary key. Its name is recorded
 * only when everything is in place, so that whoever comes after a crash begins again under the next name.
 */
export async function ensureIndex(
  context: StreamContext,
  wanted: { incarnation: number; uid: string; primaryKey: string | null; seq: number },
): Promise<PhysicalIndex> {
  const known = context.indexes.get(wanted.incarnation);
  if (known) {
    if (wanted.primaryKey !== null && (await lacksKey(context, known, wanted.incarnation, wanted.primaryKey)))
      await givePrimaryKey(context, known, wanted.incarnation, wanted.primaryKey, wanted.seq);
    return known;
  }
  const leftovers = (await listIndexes(context))
    .map((index) => ({ name: index.uid, fence: fenceOf(index.uid, wanted.uid, wanted.incarnation) }))
    .filter((index) => index.fence !== null);
  // A node that was wiped has no leftovers, and still must not get a name again that somebody may know.
  const { indexes } = await context.store.readTopology();
  const recorded = indexes.find(({ incarnation }) => incarnation === wanted.incarnation)?.physicalNames[
    context.node
  ];
  const last = recorded === undefined ? -1 : (fenceOf(recorded, wanted.uid, wanted.incarnation) ?? -1);
  const fence = Math.max(last, ...leftovers.map((index) => index.fence!)) + 1;
  const index: PhysicalIndex = {
    name: physicalName(wanted.uid, wanted.incarnation, fence),
    uid: wanted.uid,
    primaryKey: null,
    registeredFields: 0,
  };
  await runAdmin(context, 'POST', '/indexes', { uid: index.name });
  if (wanted.primaryKey !== null)
    await givePrimaryKey(context, index, wanted.incarnation, wanted.primaryKey, wanted.seq);
  else
    await applySettings(context, index, await context.store.readSettingsAt(wanted.incarnation, wanted.seq));
  await context.faults.reach('index.created');
  await context.store.setPhysicalName(context.node, context.generation, wanted.incarnation, index.name);
  context.indexes.set(wanted.incarnation, index);
  for (const leftover of leftovers) await dropPhysical(context, leftover.name);
  return index;
}

/** A node that joined later got a later key at once; one that died while fields were registered has another in its place. */
async function lacksKey(
  context: StreamContext,
  index: PhysicalIndex,
  incarnation: number,
  primaryKey: string,
): Promise<boolean> {
  if (index.primaryKey === null) return true;
  return index.primaryKey !== primaryKey && index.primaryKey !== (await readLatestKey(context, incarnation));
}

async function readLatestKey(context: StreamContext, incarnation: number): Promise<string | null> {
  const { indexes } = await context.store.readTopology();
  return indexes.find((index) => index.incarnation === incarnation)?.primaryKey ?? null;
}

/**
 * The hidden ranking rule first, the node's own primary key last: its presence says that both are done. Fields in
 * between, for the key may not come before its place among them.
 */
async function givePrimaryKey(
  context: StreamContext,
  index: PhysicalIndex,
  incarnation: number,
  primaryKey: string,
  seq: number,
): Promise<void> {
  const settings = await context.store.readSettingsAt(incarnation, seq);
  await applySettings(context, { ...index, primaryKey }, settings);
  await registerFields(context, incarnation, index);
  await runAdmin(context, 'PATCH', `/indexes/${index.name}`, { primaryKey });
  index.primaryKey = primaryKey;
}

/**
 * Gives an index that has no live documents another primary key. What the node still has of other shards goes first:
 * Meilisearch refuses a new key to an index with documents.
 */
export async function changePrimaryKey(
  context: StreamContext,
  index: PhysicalIndex,
  wanted: { incarnation: number; primaryKey: string; seq: number; liveShards: readonly number[] },
): Promise<void> {
  if (!(await lacksKey(context, index, wanted.incarnation, wanted.primaryKey))) return;
  const filter = `NOT ${shardFilter(wanted.liveShards)}`;
  await runAdmin(context, 'POST', `/indexes/${index.name}/documents/delete`, { filter });
  await givePrimaryKey(context, index, wanted.incarnation, wanted.primaryKey, wanted.seq);
}

async function dropPhysical(context: StreamContext, name: string): Promise<void> {
  try {
    await runAdmin(context, 'DELETE', `/indexes/${name}`);
  } catch (error) {
    if (!(error instanceof NodeRefusal && error.code === 'index_not_found')) throw error;
  }
}

export async function dropIndex(context: StreamContext, incarnation: number): Promise<void> {
  const index = context.indexes.get(incarnation);
  if (!index) return;
  await dropPhysical(context, index.name);
  await context.faults.reach('index.dropped');
  await context.store.setPhysicalName(context.node, context.generation, incarnation, null);
  context.indexes.delete(incarnation);
}

/** Reads which indexes the store believes the node to have, and what the node says of them. */
export async function loadIndexes(context: StreamContext): Promise<void> {
  const topology = await context.store.readTopology();
  const present = new Map((await listIndexes(context)).map((index) => [index.uid, index]));
  context.indexes.clear();
  for (const index of topology.indexes) {
    const name = index.physicalNames[context.node];
    if (name === undefined) continue;
    const isThere = [...present.keys()].some((uid) => fenceOf(uid, index.uid, index.incarnation) !== null);
    if (index.deletedSeq !== null && !isThere) {
      // Dropped, and its holder died before it could say so.
      await context.store.setPhysicalName(context.node, context.generation, index.incarnation, null);
      continue;
    }
    context.indexes.set(index.incarnation, {
      name,
      uid: index.uid,
      primaryKey: present.get(name)?.primaryKey ?? null,
      registeredFields: 0,
    });
  }
}

/**
 * Fences the node: every physical index gets its next name, so that requests of whoever held the stream before, or
 * of our own that were never answered, fail with index_not_found however late they arrive.
 */
export async function fenceNode(context: StreamContext): Promise<void> {
  for (const [incarnation, index] of context.indexes) {
    for (let attempt = 1; ; attempt += 1) {
      const present = (await listIndexes(context))
        .map((listed) => ({ ...listed, fence: fenceOf(listed.uid, index.uid, incarnation) }))
        .filter((listed) => listed.fence !== null)
        .sort((a, b) => a.fence! - b.fence!);
      // A zombie may have renamed it itself before it died; the recorded name wins where it is there.
      const current = present.find((listed) => listed.uid === index.name) ?? present.at(-1);
      if (!current) {
        const { indexes } = await context.store.readTopology();
        const meant = indexes.find((candidate) => candidate.incarnation === incarnation);
        if (meant?.deletedSeq === null)
          throw new NodeLost(context.node, `has lost the index ${index.uid} while it was being fenced`);
        // Its deletion was carried out, and whoever did it died before that was recorded.
        await context.store.setPhysicalName(context.node, context.generation, incarnation, null);
        context.indexes.delete(incarnation);
        break;
      }
      // A sleeper that was replaced must not take the name away that its successor works with.
      await context.store.setUnclean(context.node, context.generation, true);
      const fence = Math.max(fenceOf(index.name, index.uid, incarnation) ?? 0, present.at(-1)!.fence!) + 1;
      const next = physicalName(index.uid, incarnation, fence);
      try {
        await runAdmin(context, 'PATCH', `/indexes/${current.uid}`, { uid: next });
      } catch (error) {
        // Somebody's rename was still queued before ours: look again.
        if (error instanceof NodeRefusal && attempt < 5) continue;
        throw error;
      }
      await context.faults.reach('fence.renamed');
      await context.store.setPhysicalName(context.node, context.generation, incarnation, next);
      index.name = next;
      index.primaryKey = current.primaryKey;
      break;
    }
  }
}
