// Miroir broken on purpose, each time in one way that a review or this simulation found to lose data. A test of the
// test: each must be caught. Broken from outside, by what its parts are given; the product knows nothing of it.
import type { TopologyWatcher } from '../../proxy/context.js';
import { shardFilter } from '../../shared/core/topology.js';
import type { NodeRequest, NodeResponse } from '../../shared/io/node-client.js';
import type { Store } from '../../shared/io/store.js';
import {
  backSlowly,
  heldLong,
  latePlanners,
  lateResends,
  lateSearches,
  lateTakeovers,
  manyRollbacks,
  sleepers,
  slowBeforeFlip,
  slowSources,
  slowTargets,
  thinnedOut,
} from './aims.js';
import type { Sent, StoreOverride, TamperedRequest } from './network.js';
import type { Script } from './script.js';
import type { World } from './world.js';

export interface Variant {
  /** What is broken, in a sentence. */
  what: string;
  /** Another statement in the place of one of the store's. */
  sql?: (sql: string) => string;
  store?: (world: World) => StoreOverride;
  tamper?: (sent: Sent, world: World) => TamperedRequest | null;
  watcher?: (watcher: TopologyWatcher) => TopologyWatcher;
  /** Moves flip when they have copied. */
  flipsEarly?: boolean;
  /** Makes more of what the variant is met with; the product must hold in the same history. */
  aim?: (script: Script) => Script;
}

/** Replaces a part of the statements that have it; one that no statement has breaks nothing, and so is never caught. */
const swap = (from: string | RegExp, to: string) => (sql: string) => sql.replace(from, to);

const bodyOf = (request: NodeRequest) => Buffer.from((request.body ?? '') as Uint8Array).toString('utf8');
const isData = (request: NodeRequest) => request.method === 'POST' && !request.admin;

/** What the store does only for the newest holder of a stream. */
const OF_HOLDERS: readonly (keyof Store)[] = [
  ...[
    'readGroup',
    'confirmEntries',
    'hasWork',
    'setUnclean',
    'reportStream',
    'setPhysicalName',
    'promoteNode',
  ],
  ...['nextControls', 'startControl', 'finishControl', 'readReplay', 'advanceReplay', 'recordFilterMatches'],
  ...['setProvisioned', 'declareLoss', 'finishRebuild'],
] as const;

export const VARIANTS: Readonly<Record<string, Variant>> = {
  'no-hold-during-copy': {
    what: 'a shard that is being copied receives live deliveries too',
    aim: slowTargets,
    sql: swap(`state IN ('joined', 'verified'`, `state IN ('copying', 'joined', 'verified'`),
  },
  'no-wait-for-leases': {
    what: 'flips and deletions do not wait until proxies have left the old epoch',
    sql: swap('AS epoch FROM leases WHERE dead_ms > ?', 'AS epoch FROM leases WHERE dead_ms > ? AND 1 = 0'),
    store: () => () => ({ readLeases: async () => [] }),
  },
  'no-fence': {
    what: 'a takeover believes that nothing is in flight',
    store: () => (store) => ({
      takeOverStream: async (node, holder) => {
        const takeover = await store.takeOverStream(node, holder);
        return takeover && { ...takeover, unclean: false };
      },
    }),
  },
  'clean-between-resends': {
    what: 'a stream that sends again entry by entry counts as clean between two of them',
    aim: lateResends,
    store: () => (store) => ({
      confirmEntries: (node, generation, position, outcomes, _clean, lastTaskUid) =>
        store.confirmEntries(node, generation, position, outcomes, true, lastTaskUid),
    }),
  },
  'position-before-generation': {
    what: 'the position is read before the generation is raised',
    aim: lateTakeovers,
    store: (world) => (store, process) => ({
      reaches: ['takeOverStream'],
      takeOverStream: async (node, holder) => {
        const before = (await store.readStreams()).find((stream) => stream.node === node);
        await process.sleep(world.random.between(0, 40));
        await world.reach(process, 'store.takeOverStream');
        const takeover = await store.takeOverStream(node, holder);
        if (before && takeover)
          await world.database.driver.transaction('write', (tx) =>
            tx.run('UPDATE streams SET position = ? WHERE node = ? AND position > ?', [
              before.position,
              node,
              before.position,
            ]),
          );
        return takeover;
      },
    }),
  },
  'no-generation': {
    what: 'the store takes what an older holder of a stream says',
    aim: sleepers,
    store: () => (store) => {
      const trusting =
        (name: keyof Store) =>
        async (node: string, _generation: number, ...rest: unknown[]) => {
          const known = (await store.readStreams()).find((stream) => stream.node === node)!;
          // A position that would go back is refused in another place.
          if (name === 'confirmEntries') rest[0] = Math.max(rest[0] as number, known.position);
          return (store[name] as (...args: unknown[]) => Promise<unknown>)(node, known.generation, ...rest);
        };
      return Object.fromEntries(OF_HOLDERS.map((name) => [name, trusting(name)]));
    },
  },
  'flip-below-watermark': {
    what: 'a target becomes readable although it is behind a task that has succeeded',
    aim: slowBeforeFlip,
    sql: swap(
      'SELECT watermark, deleted_seq FROM indexes',
      'SELECT -1 AS watermark, deleted_seq FROM indexes',
    ),
  },
  'promote-below-watermark': {
    what: 'a demoted replica becomes readable although it is behind a task that has succeeded',
    aim: backSlowly,
    sql: swap('FROM indexes WHERE watermark <= ?', 'FROM indexes WHERE -1 <= ?'),
  },
  'flip-before-verify': {
    what: 'a target becomes readable when it is copied: not replayed, not compared',
    flipsEarly: true,
  },
  'delete-before-commit': {
    what: 'the documents of a replica are deleted before it is committed that it goes',
    aim: manyRollbacks,
    store: (world) => (store, process) => ({
      beginDelete: async (moveId, side, isPlaceWanted) => {
        const move = await store.readMove(moveId);
        const node = side === 'source' ? move?.sourceNode : move?.targetNode;
        if (move && node) await deleteAtOnce(world, node, move.incarnation, move.shard);
        await process.sleep(world.random.between(0, 400));
        return store.beginDelete(moveId, side, isPlaceWanted);
      },
    }),
  },
  'paging-by-offset': {
    what: 'the list of what is to be copied is read in pages',
    aim: thinnedOut,
    tamper: ({ process, node, request }, world) => {
      if (!request.path.endsWith('/documents/fetch')) return null;
      const query = JSON.parse(bodyOf(request)) as { fields?: string[]; limit: number };
      if (!query.fields || query.limit < 1_000) return null;
      return { answer: () => readInPages(world, process, node, request, query) };
    },
  },
  'payloads-by-position': {
    what: 'payloads are collected by the positions of nodes alone',
    aim: heldLong,
    sql: (sql) => {
      if (!sql.includes('MIN(position) AS lowest')) return sql;
      return sql.replace(/UNION ALL SELECT held_position[\s\S]*\) needed$/, ') needed');
    },
    store: () => (store) => ({
      confirmEntries: async (...args) => {
        await store.confirmEntries(...args);
        await store.collectGarbage();
      },
    }),
  },
  'filter-without-recorded-ids': {
    what: 'a replay deletes what a filter matches now on the target, not what it matched on the source',
    store: (world) => (store) => ({
      readReplay: async (node, generation, incarnation, shard, limits) => {
        const step = await store.readReplay(node, generation, incarnation, shard, limits);
        for (const entry of step.entries)
          if (entry.meta.kind === 'documentDeletion' && entry.meta.mode === 'filter')
            entry.recordedIds = await matchNow(world, node, incarnation, shard, entry.meta.filter!);
        return step;
      },
    }),
  },
  'resend-failed-group-only': {
    what: 'after a failure only what failed is sent again, not what came after it',
    tamper: resendOnlyFailed(),
  },
  'two-primary-keys': {
    what: 'the primary key that a first write was read with is not checked again when it is numbered',
    store: () => (store) => ({
      appendEntry: async (input) => {
        const { indexes } = await store.readTopology();
        const live = indexes.find((index) => index.uid === input.indexUid && index.deletedSeq === null);
        if (!live) return store.appendEntry(input);
        const expected = { ...input.expected, incarnation: live.incarnation, primaryKey: live.primaryKey };
        return store.appendEntry({ ...input, expected, createIndex: null });
      },
    }),
  },
  'no-membership-filter': {
    what: 'searches ask nodes for whatever they hold',
    tamper: ({ request }) => {
      if (!request.path.endsWith('/search')) return null;
      const { filter: _, ...query } = JSON.parse(bodyOf(request)) as Record<string, unknown>;
      return { request: { ...request, body: JSON.stringify(query) } };
    },
  },
  'no-lease-recheck': {
    what: 'an answer counts although the lease lapsed while it was gathered',
    aim: lateSearches,
    watcher: (watcher) => ({
      acquire: (use) => ({ ...watcher.acquire(use), stillValid: () => true }),
      refresh: () => watcher.refresh(),
    }),
  },
  'lease-at-any-epoch': {
    what: 'a lease is renewed for a proxy that serves with an older epoch, as if it were the current one',
    aim: lateSearches,
    store: () => (store) => ({
      renewLease: async (lease) => {
        const epoch = await store.readEpoch();
        return store.renewLease({ ...lease, epoch, oldestEpoch: epoch });
      },
    }),
  },
  'success-at-new-epoch-only': {
    what: 'a task succeeds without the replicas that proxies of the old epoch still read',
    aim: slowSources,
    sql: swap('r.left_epoch IS NOT NULL AND r.left_epoch > ?', 'r.left_epoch IS NULL AND r.left_epoch > ?'),
  },
  'success-at-first-replica': {
    what: 'a task succeeds as soon as one node has confirmed it',
    sql: (sql) =>
      sql.includes('s.position < ? LIMIT 1') && sql.includes('left_epoch > ?')
        ? sql.replace('s.position < ? LIMIT 1', 's.position < ? AND 1 = 0 LIMIT 1')
        : sql,
  },
  'last-replica-demoted': {
    what: 'a node that does not answer leaves in-sync although its replica is the last',
    sql: (sql) =>
      sql.includes('o.node <> replicas.node')
        ? sql.replace(/AND EXISTS \(SELECT 1 FROM replicas o [\s\S]*?o\.state = 'in-sync'\)/, 'AND 1 = 1')
        : sql,
  },
  'join-at-equal-position': {
    what: 'a shard joins where its position equals the stream, though its copy holds what came later',
    aim: slowTargets,
    sql: swap('m.copy_end <= ?', '-1 <= ?'),
    store: () => (store) => ({
      readReplay: async (...args) => ({ ...(await store.readReplay(...args)), copyEnd: -1 }),
    }),
  },
  'barrier-on-all-shards': {
    what: 'a deletion by filter is not limited to the shards that the node holds live',
    tamper: ({ request }) => {
      if (!isData(request) || !request.path.split('?')[0]!.endsWith('/documents/delete')) return null;
      const { filter } = JSON.parse(bodyOf(request)) as { filter: unknown };
      if (!Array.isArray(filter)) return null;
      const own = filter.filter((part) => !String(part).startsWith('_miroir'));
      return { request: { ...request, body: JSON.stringify({ filter: own }) } };
    },
  },
  'plan-twice': {
    what: 'a planner that wakes late replaces a plan whose moves are under way',
    aim: latePlanners,
    sql: swap(/planned_at IS NULL AND status IN \([^)]*\)/, '1 = 1'),
    store: (world) => (store) => ({
      planMoves: async (changeId, epoch, moves, documents) => {
        await world.database.driver.transaction('write', (tx) =>
          tx.run('DELETE FROM moves WHERE change_id = ?', [changeId]),
        );
        return store.planMoves(changeId, epoch, moves, documents);
      },
    }),
  },
};

async function deleteAtOnce(world: World, node: string, incarnation: number, shard: number): Promise<void> {
  const { indexes } = await world.database.store.readTopology();
  const name = indexes.find((index) => index.incarnation === incarnation)?.physicalNames[node];
  const body = JSON.stringify({ filter: shardFilter([shard]) });
  const virtual = world.nodes.get(node);
  if (name !== undefined && virtual?.up)
    virtual.handle('POST', `/indexes/${name}/documents/delete`, body, virtual.masterKey);
}

async function readInPages(
  world: World,
  process: Sent['process'],
  node: Sent['node'],
  request: NodeRequest,
  query: object,
): Promise<NodeResponse> {
  const results: unknown[] = [];
  for (let offset = 0; ; offset += 2) {
    await process.sleep(world.random.between(5, 60));
    const body = JSON.stringify({ ...query, offset, limit: 2 });
    const answer = node.handle(request.method, request.path, body, node.masterKey);
    if (answer.status !== 200)
      return { status: answer.status, body: Buffer.from(JSON.stringify(answer.body)) };
    const page = (answer.body as { results: unknown[] }).results;
    results.push(...page);
    if (page.length === 0) break;
  }
  const text = `{"results":${JSON.stringify(results)},"offset":0,"limit":${results.length},"total":${results.length}}`;
  return { status: 200, body: Buffer.from(text) };
}

async function matchNow(
  world: World,
  node: string,
  incarnation: number,
  shard: number,
  filterText: string,
): Promise<string[]> {
  const { indexes } = await world.database.store.readTopology();
  const index = indexes.find((one) => one.incarnation === incarnation);
  const virtual = world.nodes.get(node)!;
  const filter = [JSON.parse(filterText), shardFilter([shard])];
  const body = JSON.stringify({ fields: [index!.primaryKey], filter, limit: 1_000 });
  const path = `/indexes/${index!.physicalNames[node]}/documents/fetch`;
  const answer = virtual.handle('POST', path, body, virtual.masterKey);
  if (answer.status !== 200) return [];
  return (answer.body as { results: Record<string, unknown>[] }).results.map((one) =>
    String(one[index!.primaryKey!]),
  );
}

/** Remembers the task of each write; where it had succeeded, a task that does nothing comes in its place. */
function resendOnlyFailed(): NonNullable<Variant['tamper']> {
  const sent = new WeakMap<World, Map<string, NodeResponse>>();
  return ({ process, node, request }, world) => {
    if (!isData(request) && request.method !== 'PUT') return null;
    if (!request.path.includes('/documents?customMetadata=') || !node.up) return null;
    const known = sent.get(world) ?? new Map<string, NodeResponse>();
    sent.set(world, known);
    const key = `${process.name} ${node.id} ${request.method} ${request.path} ${bodyOf(request)}`;
    const before = known.get(key);
    if (before) {
      const { taskUid } = JSON.parse(before.body.toString('utf8')) as { taskUid: number };
      const task = node.handle('GET', `/tasks/${taskUid}`, null, node.masterKey).body as { status?: string };
      // An old number would look like a node that was restored.
      const path = `${request.path.split('?')[0]}/delete`;
      const nothing = Buffer.from(JSON.stringify({ filter: shardFilter([99]) }));
      if (task.status === 'succeeded')
        return { request: { ...request, method: 'POST', path, body: nothing } };
    }
    return {
      answer: async () => {
        const answer = node.handle(request.method, request.path, bodyOf(request), node.masterKey);
        const response = { status: answer.status, body: Buffer.from(JSON.stringify(answer.body)) };
        known.set(key, response);
        await process.sleep(world.random.between(2, 10));
        return response;
      },
    };
  };
}
