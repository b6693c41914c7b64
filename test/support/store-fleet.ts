// A state store with a few active nodes and their streams, and short words for what proxies and streams do to it.
import type { EntryMeta } from '../../shared/core/entries.js';
import type { NodeId, Replica, TopologyIndex } from '../../shared/core/topology.js';
import type { AppendInput, AppendResult, EntryOutcome, Store } from '../../shared/io/store.js';
import type { SqlDriver } from '../../shared/io/store-sql/driver.js';
import { appendInput } from './append-input.js';
import { openTestStore } from './test-store.js';

export const ADDITION: EntryMeta = {
  kind: 'documentAdditionOrUpdate',
  method: 'replace',
  primaryKey: null,
  receivedDocuments: 1,
};
export const DELETE_ALL: EntryMeta = { kind: 'documentDeletion', mode: 'all', providedIds: 0, filter: null };

export class StoreFleet {
  readonly generations: Record<NodeId, number> = {};
  /** The store's wall clock; tests move it. */
  nowMs = 1_800_000_000_000;
  private requests = 0;

  private constructor(
    readonly store: Store,
    /** What other processes open the store with. */
    readonly url: string,
    readonly driver: SqlDriver,
    private readonly closeStore: () => Promise<void>,
  ) {}

  /** Opens a store with these nodes, active and provisioned, each stream held. */
  static async open(ids: readonly NodeId[]): Promise<StoreFleet> {
    const clock = { now: () => 0 };
    const { store, url, driver, close } = await openTestStore(() => clock.now());
    const fleet = new StoreFleet(store, url, driver, close);
    clock.now = () => fleet.nowMs;
    await store.initialize({ clusterId: 'main', replicationFactor: 2, defaultShardCount: 4 });
    for (const id of ids) await fleet.addNode(id);
    return fleet;
  }

  async addNode(id: NodeId): Promise<void> {
    await this.store.addNode(
      { id, url: `http://${id}.test:7700` },
      { adminKey: null, dataKey: null },
      'a test',
    );
    await this.takeOver(id);
    await this.store.setProvisioned(id, this.generations[id]!);
    await this.store.setNodeState(id, 'active', 'a test');
  }

  async takeOver(id: NodeId): Promise<void> {
    this.generations[id] = (await this.store.takeOverStream(id, `holder of ${id}`))!.generation;
  }

  async close(): Promise<void> {
    await this.closeStore();
  }

  /** An append of an index that exists, or not, as the store sees it now. */
  async appendRaw(uid: string, meta: EntryMeta, more: Partial<AppendInput> = {}): Promise<AppendResult> {
    const index = await this.find(uid);
    this.requests += 1;
    return this.store.appendEntry(appendInput(`request-${this.requests}`, uid, meta, index, more));
  }

  /** Like appendRaw, and answers the number; a conflict fails the test. */
  async append(uid: string, meta: EntryMeta, more: Partial<AppendInput> = {}): Promise<number> {
    const answer = await this.appendRaw(uid, meta, more);
    if (!answer.ok) throw new Error(`the append met a conflict: ${answer.conflict}`);
    return answer.seq;
  }

  /** A write of one document in each of the shards. */
  async write(uid: string, ...shards: number[]): Promise<number> {
    const stagingId = `staging-${this.requests + 1}`;
    await this.store.stageParts(
      stagingId,
      shards.map((shard) => ({ shard, payload: Buffer.from(`{"id":${shard}}`), documentCount: 1 })),
    );
    return this.append(uid, ADDITION, { stagingId });
  }

  /** Creates an index with these nodes for each shard, confirmed everywhere unless told otherwise. */
  async createIndex(uid: string, assignment: NodeId[][], confirmed = true): Promise<number> {
    const { epoch } = await this.store.readTopology();
    const seq = await this.append(
      uid,
      { kind: 'indexCreation', primaryKey: 'id' },
      { createIndex: { epoch, primaryKey: 'id', assignment } },
    );
    if (confirmed) await this.confirmAll(seq);
    return (await this.find(uid))!.incarnation;
  }

  async confirm(node: NodeId, position: number, outcomes: EntryOutcome[] = []): Promise<void> {
    await this.store.confirmEntries(node, this.generations[node]!, position, outcomes, true);
  }

  async confirmAll(position: number): Promise<void> {
    for (const node of Object.keys(this.generations)) await this.confirm(node, position);
  }

  async status(uid: number): Promise<string | undefined> {
    return (await this.store.readTask(uid))?.status;
  }

  async find(uid: string): Promise<TopologyIndex | undefined> {
    const { indexes } = await this.store.readTopology();
    return indexes.find((index) => index.uid === uid && index.deletedSeq === null);
  }

  /** `node:state` of every replica of a shard. */
  async replicas(uid: string, shard: number): Promise<string[]> {
    const replicas: readonly Replica[] = (await this.find(uid))!.shards[shard]!;
    return replicas.map((replica) => `${replica.node}:${replica.state}`);
  }

  async lease(proxyId: string, oldestEpoch?: number): Promise<boolean> {
    const epoch = await this.store.readEpoch();
    const lease = { proxyId, url: null, epoch, oldestEpoch: oldestEpoch ?? epoch, ttlMs: 1_000 };
    return (await this.store.renewLease(lease)).granted;
  }

  /** Opens a change with one move of a shard. */
  async planMove(
    moveId: string,
    move: { uid: string; shard: number; from: NodeId; to: NodeId; changeId?: string },
  ): Promise<void> {
    const changeId = move.changeId ?? `change-${moveId}`;
    await this.store.openChange({ id: changeId, kind: 'rebalance', input: {}, runId: changeId });
    const index = (await this.find(move.uid))!;
    const planned = await this.store.planMoves(
      changeId,
      await this.store.readEpoch(),
      [
        {
          id: moveId,
          indexUid: move.uid,
          incarnation: index.incarnation,
          shard: move.shard,
          sourceNode: move.from,
          copyFrom: move.from,
          targetNode: move.to,
        },
      ],
      0,
    );
    if (!planned) throw new Error('the plan met another epoch');
  }

  /** Takes a planned move to `verified`. */
  async verifyMove(moveId: string, copied = { documents: 0, bytes: 0 }): Promise<void> {
    const { store } = this;
    const move = await store.holdReplica(moveId);
    const streams = await store.readStreams();
    const positionOf = (node: NodeId) => streams.find((stream) => stream.node === node)!.position;
    await store.saveSnapshot(moveId, positionOf(move.copyFrom), []);
    await store.recordCopied(moveId, move.attempt, copied.documents, copied.bytes);
    await store.endCopy(moveId, move.attempt);
    const joined = await store.advanceReplay(
      move.targetNode,
      this.generations[move.targetNode]!,
      move.incarnation,
      move.shard,
      positionOf(move.targetNode),
      true,
    );
    if (!joined) throw new Error('the target is behind the snapshot');
    await store.markVerified(moveId);
  }
}

export const SUCCEEDED = (seq: number): EntryOutcome => ({
  seq,
  status: 'succeeded',
  error: null,
  details: null,
});
export const FAILED = (seq: number): EntryOutcome => ({ seq, status: 'failed', error: null, details: null });
