// Comparing the replicas of a shard, document by document. A difference counts only when every replica is past it and
// no entry has touched the document while it was read: writes go on meanwhile.
import { differenceOf, type Judgement, judgeClaims } from '../../shared/core/replica-claims.js';
import {
  markOf,
  type NodeId,
  type Replica,
  SHARD_FIELD,
  shardFilter,
  shardMark,
} from '../../shared/core/topology.js';
import { NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import type {
  ItemDetail,
  ItemOutcome,
  Touches,
  VerificationItem,
} from '../../shared/io/store-verifications.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { digestFields, eachDocument } from '../moves/document-digests.js';
import { readFromNode } from '../moves/shard-source.js';
import { hasEmbedders } from '../stream/controls.js';
import { joinArray } from '../stream/requests.js';
import { fetchDocuments, fetchIds } from '../stream/shard-documents.js';
import type { Pace } from './pace.js';
import { awaitPositions, comparableReplicas, divergedNodes, fingerprint, liveIndex } from './replicas.js';

const CHUNK_DOCUMENTS = 1_000;
const MOST_ROUNDS = 50;
const ROUND_MS = 50;
const SAMPLES = 20;

export const EQUAL: ItemOutcome = {
  status: 'equal',
  documents: 0,
  missing: 0,
  extra: 0,
  different: 0,
  undecided: false,
  detail: {},
};

/** A document as one replica has it; absent from the map where it does not. */
interface Copy {
  digest: string;
  foreign: boolean;
}

export async function compareShard(
  deps: ActivityDeps,
  item: VerificationItem,
  trusted: NodeId | null,
  pace: Pace,
  beat: Beat,
): Promise<ItemOutcome> {
  const index = liveIndex(await deps.store.readTopology(), item.incarnation);
  if (index === null)
    return { ...EQUAL, status: 'skipped', detail: { reason: 'the index has been deleted' } };
  return new Comparison(deps, item, trusted, pace, beat).run(divergedNodes(index, item.shard!));
}

class Comparison {
  private readonly outcome: ItemOutcome & { detail: ItemDetail };
  private readonly unchecked = new Map<NodeId, string>();
  private readonly wrong = new Map<NodeId, NonNullable<ItemDetail['wrong']>[number]['evidence']>();
  private readonly samples: NonNullable<ItemDetail['samples']> = [];
  private readonly shard: number;

  constructor(
    private readonly deps: ActivityDeps,
    private readonly item: VerificationItem,
    private readonly trusted: NodeId | null,
    private readonly pace: Pace,
    private readonly beat: Beat,
  ) {
    this.shard = item.shard!;
    this.outcome = { ...EQUAL, detail: {} };
  }

  async run(diverged: readonly NodeId[]): Promise<ItemOutcome> {
    for (const node of diverged) this.wrong.set(node, 'marked');
    const ids = new Set<string>();
    const replicas = await this.replicas();
    if (replicas.length === 0) this.outcome.detail.reason = 'no replica is in-sync';
    for (const { node } of replicas) {
      const found = await this.ask(node, () => this.readIds(node));
      for (const id of found ?? []) ids.add(id);
    }
    const sorted = [...ids].sort();
    this.outcome.documents = sorted.length;
    for (let first = 0; first < sorted.length; first += CHUNK_DOCUMENTS)
      await this.compareChunk(sorted.slice(first, first + CHUNK_DOCUMENTS));
    return this.conclude();
  }

  /** The replicas that still take part. */
  private async replicas(): Promise<Replica[]> {
    const index = liveIndex(await this.deps.store.readTopology(), this.item.incarnation);
    const all = index === null ? [] : comparableReplicas(index, this.shard);
    return all.filter(({ node }) => !this.unchecked.has(node));
  }

  /** Null, and the node is left out, when it cannot be asked. */
  private async ask<T>(node: NodeId, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NodeUnreachable || error instanceof NodeRefusal)) throw error;
      this.unchecked.set(node, error.message);
      return null;
    }
  }

  private readIds(node: NodeId): Promise<string[]> {
    return readFromNode(this.deps, this.item, node, async (client, name, index) =>
      index.primaryKey === null
        ? []
        : fetchIds(client, name, index.primaryKey, {
            filter: shardFilter([this.shard]),
            signal: this.beat.signal,
          }),
    );
  }

  private async read(node: NodeId, ids: readonly string[]): Promise<Map<string, Copy>> {
    const copies = new Map<string, Copy>();
    const mark = shardMark(this.shard);
    await readFromNode(this.deps, this.item, node, async (client, name, index) => {
      copies.clear();
      const query = { ids, withVectors: hasEmbedders(index.settings) };
      const { results } = await fetchDocuments(client, name, query, this.beat.signal);
      for (const { id, fields } of eachDocument(results, index.primaryKey ?? '')) {
        const foreign = !fields.some((field) => field.key === SHARD_FIELD && markOf(field.value) === mark);
        copies.set(id, { digest: digestFields(fields, this.deps.hash).toString(16), foreign });
      }
    });
    await this.pace.spend(copies.size, this.beat);
    return copies;
  }

  /** Reads documents from all replicas; those that cannot be asked are left out. */
  private async readAll(
    replicas: readonly Replica[],
    ids: readonly string[],
  ): Promise<{ replica: Replica; copies: Map<string, Copy> }[]> {
    const read = await Promise.all(
      replicas.map(async (replica) => ({
        replica,
        copies: await this.ask(replica.node, () => this.read(replica.node, ids)),
      })),
    );
    return read.flatMap(({ replica, copies }) => (copies === null ? [] : [{ replica, copies }]));
  }

  private async compareChunk(ids: readonly string[]): Promise<void> {
    let open = differing(await this.readAll(await this.replicas(), ids), ids);
    for (let round = 1; open.length > 0 && round <= MOST_ROUNDS; round += 1) {
      if (round > 1) await this.beat.sleep(ROUND_MS);
      open = await this.settle(open);
    }
    // It may be different, and may not: the next verification looks again.
    if (open.length > 0)
      this.outcome.detail.reason = `${open.length} documents are written to faster than they can be compared`;
  }

  /** Judges the documents that still differ though nothing has touched them; answers those that remain open. */
  private async settle(ids: readonly string[]): Promise<string[]> {
    const { store } = this.deps;
    const before = await this.replicas();
    const { journalHead: from } = await store.readHead();
    for (const { node, reason } of await awaitPositions(
      this.deps,
      before.map((replica) => replica.node),
      from,
      this.beat,
    ))
      this.unchecked.set(node, reason);
    const replicas = before.filter(({ node }) => !this.unchecked.has(node));
    const read = await this.readAll(replicas, ids);
    const { journalHead: upTo } = await store.readHead();
    // A replica that came, went or was copied anew meanwhile has not received the same entries.
    if (fingerprint(await this.replicas()) !== fingerprint(read.map(({ replica }) => replica)))
      return differing(read, ids);
    const touches = await store.readTouches(this.item.incarnation, this.shard, from, upTo);
    const open: string[] = [];
    const touched = await this.touchedIds(touches);
    for (const id of differing(read, ids)) {
      if (touches.blind || touched.has(id)) open.push(id);
      else this.judge(id, read);
    }
    return open;
  }

  private async touchedIds(touches: Touches): Promise<Set<string>> {
    const index = liveIndex(await this.deps.store.readTopology(), this.item.incarnation);
    const ids = new Set<string>();
    for (const { isIds, payload } of touches.parts) {
      const text = joinArray([payload]);
      if (isIds) for (const id of JSON.parse(text.toString('utf8')) as string[]) ids.add(id);
      else for (const { id } of eachDocument(text, index?.primaryKey ?? '')) ids.add(id);
    }
    return ids;
  }

  private judge(id: string, read: readonly { replica: Replica; copies: Map<string, Copy> }[]): void {
    const claims = read.map(({ replica, copies }) => ({
      node: replica.node,
      inSync: replica.state === 'in-sync',
      value: copies.get(id)?.digest ?? null,
      foreign: copies.get(id)?.foreign ?? false,
    }));
    const judgement: Judgement = judgeClaims(claims, this.trusted);
    if (judgement.decided) for (const node of judgement.wrong) this.wrong.set(node, judgement.evidence);
    else this.outcome.undecided = true;
    // Without a verdict, as the first replica that has it sees it: something has to be counted.
    const right = judgement.decided
      ? judgement.value
      : (claims.find(({ value }) => value !== null)?.value ?? null);
    for (const { value } of claims) {
      const difference = differenceOf(value, right);
      if (difference !== null) this.outcome[difference] += 1;
    }
    if (this.samples.length < SAMPLES)
      this.samples.push({ id, on: Object.fromEntries(claims.map(({ node, value }) => [node, value])) });
  }

  private conclude(): ItemOutcome {
    const { outcome } = this;
    const isDifferent = this.wrong.size > 0 || outcome.undecided;
    const isUnchecked = this.unchecked.size > 0 || outcome.detail.reason !== undefined;
    return {
      ...outcome,
      status: isDifferent ? 'different' : isUnchecked ? 'unchecked' : 'equal',
      detail: {
        ...outcome.detail,
        ...(this.wrong.size > 0 && {
          wrong: [...this.wrong].map(([node, evidence]) => ({ node, evidence })),
        }),
        ...(this.unchecked.size > 0 && {
          unchecked: [...this.unchecked].map(([node, reason]) => ({ node, reason })),
        }),
        ...(this.samples.length > 0 && { samples: this.samples }),
      },
    };
  }
}

function differing(read: readonly { copies: Map<string, Copy> }[], ids: readonly string[]): string[] {
  const [first, ...others] = read;
  if (first === undefined) return [];
  return ids.filter((id) =>
    others.some(({ copies }) => copies.get(id)?.digest !== first.copies.get(id)?.digest),
  );
}
