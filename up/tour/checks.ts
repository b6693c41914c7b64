// The tour's final checks: every acknowledged write is found, and every shard lies on exactly its replicas.
import { setTimeout as sleep } from 'node:timers/promises';
import { shardFilter, type Topology } from '../../shared/core/topology.js';
import { Api } from '../admin-api.js';
import type { LocalNode } from '../nodes.js';
import { sorted } from './answers.js';
import type { Document, Model } from './model.js';

export interface DocumentCheck {
  /** Documents that the acknowledged writes add up to. */
  expected: number;
  found: number;
  missing: number;
  /** Deleted, and there all the same. */
  resurrected: number;
  /** There, with other content than the last acknowledged write gave it. */
  different: number;
  /** Never written. */
  unknown: number;
  examples: string[];
}

export interface ReplicaCheck {
  shards: number;
  /** Shards with exactly as many replicas as the replication factor. */
  exact: number;
  /** Pairs of a node and a shard that should have no documents and have some. */
  misplaced: number;
  /** Shards whose replicas do not hold equally many documents. */
  unequal: number;
  examples: string[];
}

const PAGE = 1_000;

/** Waits until no task is open; answers how many failed. */
export async function waitForTasks(
  api: Api,
  deadlineMs: number,
  onOpen: (open: number) => void,
): Promise<number> {
  const until = performance.now() + deadlineMs;
  const count = async (statuses: string) =>
    (await api.json<{ total: number }>('GET', `/tasks?statuses=${statuses}&limit=1`)).total;
  for (;;) {
    const open = await count('enqueued,processing');
    if (open === 0) return count('failed');
    onOpen(open);
    if (performance.now() > until)
      throw new Error(`${open} tasks are still open after ${deadlineMs / 1_000} s`);
    await sleep(200);
  }
}

/** Reads every document of the index through the proxy and holds it against the model. */
export async function checkDocuments(api: Api, indexUid: string, model: Model): Promise<DocumentCheck> {
  const found = new Map<string, Document>();
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.json<{ results: Document[]; total: number }>(
      'GET',
      `/indexes/${indexUid}/documents?limit=${PAGE}&offset=${offset}`,
    );
    for (const document of page.results) found.set(String(document.id), document);
    if (page.results.length === 0 || offset + PAGE >= page.total) break;
  }
  const check = {
    expected: model.documents.size,
    found: 0,
    missing: 0,
    resurrected: 0,
    different: 0,
    unknown: 0,
  };
  const examples: string[] = [];
  const note = (what: string) => {
    if (examples.length < 10) examples.push(what);
  };
  for (const [id, expected] of model.documents) {
    const document = found.get(id);
    if (!document) {
      check.missing += 1;
      note(`${indexUid}/${id} is missing`);
    } else if (asText(document) !== asText(expected)) {
      check.different += 1;
      note(`${indexUid}/${id} is ${asText(document)} instead of ${asText(expected)}`);
    } else check.found += 1;
  }
  for (const id of found.keys()) {
    if (model.documents.has(id)) continue;
    const wasDeleted = model.deleted.has(id);
    if (wasDeleted) check.resurrected += 1;
    else check.unknown += 1;
    note(`${indexUid}/${id} ${wasDeleted ? 'was deleted and is there' : 'was never written and is there'}`);
  }
  return { ...check, examples };
}

function asText(document: Document): string {
  return JSON.stringify(sorted(document as Parameters<typeof sorted>[0]));
}

/** Asks every node directly, shard by shard, whether it holds what the topology says, and nothing else. */
export async function checkReplicas(
  topology: Topology,
  nodes: readonly Pick<LocalNode, 'id' | 'url' | 'key'>[],
): Promise<ReplicaCheck> {
  const check: ReplicaCheck = { shards: 0, exact: 0, misplaced: 0, unequal: 0, examples: [] };
  const apis = new Map(nodes.map((node) => [node.id, new Api(node.url, node.key)]));
  try {
    for (const index of topology.indexes) {
      if (index.deletedSeq !== null) continue;
      for (let shard = 0; shard < index.shardCount; shard += 1) {
        check.shards += 1;
        const holders = (index.shards[shard] ?? []).map((replica) => replica.node);
        const allInSync = (index.shards[shard] ?? []).every((replica) => replica.state === 'in-sync');
        if (holders.length === index.replicationFactor && allInSync) check.exact += 1;
        else check.examples.push(`${index.uid}/${shard} lies on ${holders.join(', ') || 'no node'}`);
        const counts = new Set<number>();
        for (const [id, api] of apis) {
          const name = index.physicalNames[id];
          if (name === undefined) continue;
          const total = await countShard(api, name, shard);
          if (holders.includes(id)) counts.add(total);
          else if (total > 0) {
            check.misplaced += 1;
            check.examples.push(
              `${id} holds ${total} documents of ${index.uid}/${shard} and should hold none`,
            );
          }
        }
        if (counts.size > 1) {
          check.unequal += 1;
          check.examples.push(
            `the replicas of ${index.uid}/${shard} hold ${[...counts].join(' and ')} documents`,
          );
        }
      }
    }
  } finally {
    await Promise.all([...apis.values()].map((api) => api.close()));
  }
  check.examples = check.examples.slice(0, 10);
  return check;
}

async function countShard(api: Api, physicalName: string, shard: number): Promise<number> {
  const body = { filter: shardFilter([shard]), limit: 0 };
  return (await api.json<{ total: number }>('POST', `/indexes/${physicalName}/documents/fetch`, body)).total;
}
