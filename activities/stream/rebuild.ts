// A node that comes back under its name without what it held (an empty disk, an old backup) is built anew: claimed again,
// its indexes created under new names, its replicas marked to be copied from others. What only it held is not given up
// by itself: the node then waits for an operator.
import type { NodeId, TopologyIndex } from '../../shared/core/topology.js';
import type { LostShard } from '../../shared/io/store-losses.js';
import { claimNode, obtainDataKey, readClaim } from '../claim.js';
import { readNewestTask } from '../newest-task.js';
import { NodeLost, NodeTrouble, type StreamContext } from './context.js';
import { ensureIndex, fenceOf, listIndexes } from './physical-index.js';

/**
 * Throws NodeLost when the node has lost what it held while nothing was sent to it, and NodeTrouble when an index has been
 * renamed: the stream must fence it.
 */
export async function checkContent(context: StreamContext): Promise<void> {
  const found = (await requireOwn(context)) ? await findLoss(context) : UNCLAIMED;
  if (found.loss !== null) throw new NodeLost(context.node, found.loss);
  if (found.renamed !== null)
    throw new NodeTrouble(context.node, 'index_not_found', `index ${found.renamed} has been renamed`);
}

interface Content {
  /** Why the node does not have what its stream has confirmed, or null. */
  loss: string | null;
  /** An index that has another name than its stream knows: whoever fenced it had died or been replaced before it said so. */
  renamed: string | null;
}

const UNCLAIMED: Content = { loss: 'bears no claim: it was wiped or replaced', renamed: null };

/**
 * Makes sure that the node is this fleet's and has what it should; builds it anew where it has lost it. Answers whether an
 * index has been renamed, so that the node must be fenced.
 */
export async function requireContent(context: StreamContext): Promise<boolean> {
  const isClaimed = await requireOwn(context);
  const known = await context.store.readLoss(context.node);
  const { loss, renamed } =
    known !== null ? { loss: known.reason, renamed: null } : isClaimed ? await findLoss(context) : UNCLAIMED;
  if (loss !== null) await rebuildNode(context, loss);
  return renamed !== null;
}

/**
 * Whether the node bears this fleet's claim for this id. Throws NodeLost for a node that is another one: one with
 * somebody else's claim, or without any and with indexes that are not ours.
 */
async function requireOwn(context: StreamContext): Promise<boolean> {
  const { client, clusterId, node } = context;
  const claim = await readClaim(client);
  if (claim?.clusterId === clusterId && claim.node === node) return true;
  if (claim !== null)
    throw new NodeLost(
      node,
      `at ${client.url} bears the claim of node "${claim.node}" of cluster "${claim.clusterId}": it is another node`,
    );
  const { nextIncarnation } = await context.store.readTopology();
  const stranger = (await listIndexes(context)).find(({ uid }) => {
    const incarnation = /--(\d+)-\d+$/.exec(uid)?.[1];
    return incarnation === undefined || Number(incarnation) >= nextIncarnation;
  });
  if (stranger === undefined) return false;
  throw new NodeLost(
    node,
    `at ${client.url} bears no claim and has an index "${stranger.uid}" that is not this fleet's: it is another node; correct its URL, or empty it`,
  );
}

async function findLoss(context: StreamContext): Promise<Content> {
  const streams = await context.store.readStreams();
  const own = streams.find((stream) => stream.node === context.node);
  const confirmed = Math.max(own?.lastTaskUid ?? -1, context.lastTaskUid ?? -1);
  if (confirmed >= 0) {
    const newest = await readNewestTask(context.client, { signal: context.signal });
    if (newest < confirmed)
      return lost(
        `knows no task after ${newest}, but has confirmed task ${confirmed}: it was restored from a backup`,
      );
    context.lastTaskUid = confirmed;
  }
  let renamed: string | null = null;
  const present = (await listIndexes(context)).map(({ uid }) => uid);
  for (const index of await recordedIndexes(context)) {
    // Its deletion may have been carried out and not recorded.
    if (index.deletedSeq !== null) continue;
    const name = index.physicalNames[context.node]!;
    if (present.includes(name)) continue;
    // Also after a hand-over in order: a holder that was replaced may wake and fence. Only names of before are lost ones.
    const fence = (uid: string) => fenceOf(uid, index.uid, index.incarnation) ?? -1;
    if (!present.some((uid) => fence(uid) > fence(name)))
      return lost(
        `has lost the index ${index.uid} (${name} is missing): it was wiped or restored from elsewhere`,
      );
    renamed = name;
  }
  return { loss: null, renamed };
}

const lost = (loss: string): Content => ({ loss, renamed: null });

async function recordedIndexes(context: StreamContext): Promise<TopologyIndex[]> {
  const { indexes } = await context.store.readTopology();
  return indexes.filter((index) => index.physicalNames[context.node] !== undefined);
}

async function rebuildNode(context: StreamContext, reason: string): Promise<void> {
  const { node, generation, store } = context;
  context.lastTaskUid = null;
  context.indexes.clear();
  const last = await store.declareLoss(node, generation, reason);
  const loss = await store.readLoss(node);
  if (last.length > 0 && loss?.accepted !== true) throw new NodeLost(node, describeLoss(node, reason, last));
  context.log.warn({ node }, `node ${node} ${reason}: it is built anew`);
  await store.setUnclean(node, generation, true);
  await claimNode(context.client, { clusterId: context.clusterId, node });
  await renewDataKey(context);
  const streams = await store.readStreams();
  const position = streams.find((stream) => stream.node === node)?.position ?? -1;
  for (const index of await recordedIndexes(context)) {
    await context.faults.reach('rebuild.index');
    await ensureIndex(context, {
      incarnation: index.incarnation,
      uid: index.uid,
      primaryKey: index.primaryKey,
      seq: position,
    });
  }
  await context.faults.reach('rebuild.indexes');
  await store.finishRebuild(node, generation);
}

/** The same key again where the master key is the same; proxies learn of another one from the store. */
async function renewDataKey(context: StreamContext): Promise<void> {
  const { node, store } = context;
  const dataKey = await obtainDataKey(context.client);
  const secrets = (await store.readNodeSecrets())[node];
  if (secrets?.dataKey === dataKey) return;
  await store.putNodeSecrets(node, { adminKey: secrets?.adminKey ?? null, dataKey });
  context.client = await context.nodes.client(node);
}

function describeLoss(node: NodeId, reason: string, last: readonly LostShard[]): string {
  const shards = new Map<string, number[]>();
  for (const { indexUid, shard } of last) shards.set(indexUid, [...(shards.get(indexUid) ?? []), shard]);
  const named = [...shards].map(([uid, list]) => `${list.length} shards of ${uid}`).join(', ');
  return (
    `${reason}; it held the only in-sync replica of ${named}. Bring back a node that has them too, or the node's own ` +
    `disk, or give up what it held with \`miroir-ctl node forget-data ${node}\``
  );
}
