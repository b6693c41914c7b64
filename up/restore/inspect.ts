// Asks a node what it holds, for a restored store: numbers of the journal that it has seen, indexes, every shard's
// documents. Reads only.

import { readClaim } from '../../activities/claim.js';
import { digestFields, eachDocument } from '../../activities/moves/document-digests.js';
import { hasEmbedders } from '../../activities/stream/controls.js';
import { fetchDocuments, fetchIds } from '../../activities/stream/shard-documents.js';
import type { MeilisearchError } from '../../shared/core/errors.js';
import type { NodeFindings, ShardFindings } from '../../shared/core/restoration.js';
import { shardFilter, type Topology, type TopologyIndex } from '../../shared/core/topology.js';
import type { NodeClient, NodeTask } from '../../shared/io/node-client.js';

export interface Inspection extends NodeFindings {
  /** Document tasks that the node refused, by journal number. */
  failures: Map<number, MeilisearchError>;
}

/** The node cannot be believed as it is now; the message says why. */
export class NodeNotReady extends Error {}

const PAGE = 1_000;
/** Tasks looked through from the newest on; the highest number is among the first unless a copy was long. */
const MOST_TASKS = 20_000;
const CHUNK = 1_000;

export async function inspectNode(
  client: NodeClient,
  topology: Topology,
  hash: (text: string) => bigint,
): Promise<Inspection> {
  const claim = await readClaim(client);
  if (claim?.clusterId !== topology.clusterId || claim.node !== client.id)
    throw new NodeNotReady(
      claim === null
        ? 'bears no claim: it was emptied or replaced'
        : `bears the claim of node "${claim.node}" of cluster "${claim.clusterId}"`,
    );
  const tasks = await readTasks(client, topology.clusterId);
  const indexes = await readIndexes(client, topology);
  const { names, primaryKeys } = indexes;
  const shards = new Map<number, ShardFindings[]>();
  for (const index of topology.indexes) {
    const name = names.get(index.incarnation);
    if (name === undefined || index.deletedSeq !== null) continue;
    const primaryKey = index.primaryKey ?? primaryKeys.get(index.incarnation) ?? null;
    const found: ShardFindings[] = [];
    for (let shard = 0; shard < index.shardCount; shard += 1)
      found.push(await digestShard(client, name, { ...index, primaryKey }, shard, hash));
    shards.set(index.incarnation, found);
  }
  return { node: client.id, ...tasks, ...indexes, shards };
}

async function readTasks(
  client: NodeClient,
  clusterId: string,
): Promise<Pick<Inspection, 'highest' | 'newestTask' | 'failures'>> {
  const found = { highest: null as number | null, newestTask: null as number | null, failures: new Map() };
  let from: number | null = null;
  for (let seen = 0; seen < MOST_TASKS; ) {
    const path: string = `/tasks?limit=${PAGE}${from === null ? '' : `&from=${from}`}`;
    const page: { results: NodeTask[]; next: number | null } = await client.json({
      method: 'GET',
      path,
      admin: true,
    });
    for (const task of page.results) {
      found.newestTask ??= task.uid;
      if (task.status === 'enqueued' || task.status === 'processing')
        throw new NodeNotReady(`still works on its task ${task.uid}: wait until it has finished`);
      const [cluster, , number] = (task.customMetadata ?? '').split(':');
      if (cluster !== clusterId || number === undefined || !/^\d+$/.test(number)) continue;
      const seq = Number(number);
      found.highest = Math.max(found.highest ?? -1, seq);
      if (task.status === 'failed' && task.error) found.failures.set(seq, task.error);
    }
    seen += page.results.length;
    from = page.next;
    if (from === null || page.results.length === 0) break;
  }
  return found;
}

async function readIndexes(
  client: NodeClient,
  topology: Topology,
): Promise<Pick<Inspection, 'names' | 'primaryKeys' | 'highestIncarnation' | 'unknownIndexes'>> {
  const names = new Map<number, string>();
  const primaryKeys = new Map<number, string>();
  const fences = new Map<number, number>();
  const unknownIndexes: string[] = [];
  let highestIncarnation = 0;
  for (let offset = 0; ; ) {
    const page = await client.json<{ results: { uid: string; primaryKey: string | null }[]; total: number }>({
      method: 'GET',
      path: `/indexes?limit=200&offset=${offset}`,
      admin: true,
    });
    for (const { uid, primaryKey } of page.results) {
      const match = /^(.+)--(\d+)-(\d+)$/.exec(uid);
      if (!match) continue;
      const [incarnation, fence] = [Number(match[2]), Number(match[3])];
      highestIncarnation = Math.max(highestIncarnation, incarnation);
      const index = topology.indexes.find((candidate) => candidate.incarnation === incarnation);
      if (index?.uid !== match[1]) unknownIndexes.push(uid);
      else if (fence > (fences.get(incarnation) ?? -1)) {
        names.set(incarnation, uid);
        if (primaryKey !== null) primaryKeys.set(incarnation, primaryKey);
        fences.set(incarnation, fence);
      }
    }
    offset += page.results.length;
    if (offset >= page.total || page.results.length === 0)
      return { names, primaryKeys, highestIncarnation, unknownIndexes };
  }
}

async function digestShard(
  client: NodeClient,
  name: string,
  index: TopologyIndex,
  shard: number,
  hash: (text: string) => bigint,
): Promise<ShardFindings> {
  const { primaryKey } = index;
  if (primaryKey === null) return { count: 0, digest: '' };
  const ids = await fetchIds(client, name, primaryKey, { filter: shardFilter([shard]) });
  let sum = 0n;
  for (let first = 0; first < ids.length; first += CHUNK) {
    const { results } = await fetchDocuments(client, name, {
      ids: ids.slice(first, first + CHUNK),
      withVectors: hasEmbedders(index.settings),
    });
    for (const { fields } of eachDocument(results, primaryKey))
      sum = BigInt.asUintN(64, sum + digestFields(fields, hash));
  }
  return { count: ids.length, digest: sum.toString(16) };
}
