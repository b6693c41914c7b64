// Cluster row, epochs, nodes and the topology snapshot.

import { randomUUID } from 'node:crypto';
import { mayFold } from '../../core/folded-ids.js';
import type {
  NodeId,
  NodeState,
  Replica,
  Topology,
  TopologyIndex,
  TopologyNode,
} from '../../core/topology.js';
import type { NodeInput, NodeSecrets } from '../store.js';
import { StateConflict } from '../store.js';
import { StoreUnavailable } from '../store-failure.js';
import { isoTime, one, parseJson, type Tx } from './driver.js';

export interface ClusterRow {
  cluster_id: string;
  journal_id: string;
  epoch: number;
  replication_factor: number;
  default_shard_count: number;
  next_seq: number;
  next_incarnation: number;
  restored_at: string | null;
}

/** The row of a store that may be used: one that was restored waits for an operator first. */
export async function readCluster(tx: Tx): Promise<ClusterRow> {
  const row = await readClusterRow(tx);
  refuseRestored(row);
  return row;
}

export async function readClusterRow(tx: Tx): Promise<ClusterRow> {
  const row = await one<ClusterRow>(tx, 'SELECT * FROM cluster');
  if (!row) throw new Error('the state store is empty: initialize it first');
  return row;
}

function refuseRestored({ restored_at: since }: ClusterRow): void {
  if (since !== null)
    throw new StoreUnavailable(
      'STORE_RESTORED',
      `The state store was restored from a backup (${since}) and waits for a decision: run \`miroir restore --report\`, then \`miroir restore --accept\`.`,
    );
}

/** Begins the next epoch and says why. */
export async function bumpEpoch(tx: Tx, cause: string): Promise<number> {
  const [row] = await tx.all<{ epoch: number }>('UPDATE cluster SET epoch = epoch + 1 RETURNING epoch');
  const epoch = row!.epoch;
  await tx.run('INSERT INTO epochs (epoch, cause, at) VALUES (?, ?, ?)', [epoch, cause, isoTime(tx.nowMs)]);
  return epoch;
}

export async function initialize(
  tx: Tx,
  cluster: { clusterId: string; replicationFactor: number; defaultShardCount: number },
): Promise<Topology> {
  const known = await one<ClusterRow>(tx, 'SELECT * FROM cluster');
  if (known && known.cluster_id !== cluster.clusterId) {
    throw new StateConflict(
      'cluster',
      `this state store belongs to the cluster "${known.cluster_id}", not to "${cluster.clusterId}": set clusterId or storeUrl`,
    );
  }
  if (!known) {
    await tx.run(
      `INSERT INTO cluster (one, cluster_id, journal_id, epoch, replication_factor, default_shard_count,
        next_seq, next_incarnation) VALUES (1, ?, ?, 1, ?, ?, 0, 1)`,
      [cluster.clusterId, randomUUID(), cluster.replicationFactor, cluster.defaultShardCount],
    );
    await tx.run('INSERT INTO epochs (epoch, cause, at) VALUES (1, ?, ?)', [
      'cluster created',
      isoTime(tx.nowMs),
    ]);
  }
  return readTopology(tx);
}

export async function readEpoch(tx: Tx): Promise<number> {
  return (await readCluster(tx)).epoch;
}

interface IndexRow {
  incarnation: number;
  uid: string;
  primary_key: string | null;
  shard_count: number;
  replication_factor: number;
  scoring: string | null;
  settings: string;
  visible: number;
  created_at: string;
  updated_at: string;
  deleted_seq: number | null;
  id_kinds: number;
}

export async function readTopology(tx: Tx, known?: ClusterRow): Promise<Topology> {
  const cluster = known ?? (await readCluster(tx));
  const nodes = await tx.all<TopologyNode & Record<string, never>>(
    'SELECT id, url, zone, weight, state, placement_key AS "placementKey" FROM nodes ORDER BY id',
  );
  const indexRows = await tx.all<IndexRow>('SELECT * FROM indexes ORDER BY uid, incarnation');
  const names = await tx.all<{ incarnation: number; node: string; name: string }>(
    'SELECT * FROM physical_names',
  );
  const replicas = await tx.all<{
    incarnation: number;
    shard: number;
    node: string;
    state: Replica['state'];
    move_id: string | null;
    since_epoch: number;
  }>(
    'SELECT incarnation, shard, node, state, move_id, since_epoch FROM replicas ORDER BY incarnation, shard, node',
  );

  const shardsOf = new Map<number, Replica[][]>();
  const namesOf = new Map<number, Record<NodeId, string>>();
  for (const row of indexRows) {
    shardsOf.set(
      row.incarnation,
      Array.from({ length: row.shard_count }, () => []),
    );
    namesOf.set(row.incarnation, {});
  }
  for (const row of replicas) {
    shardsOf.get(row.incarnation)?.[row.shard]?.push({
      node: row.node,
      state: row.state,
      moveId: row.move_id,
      sinceEpoch: row.since_epoch,
    });
  }
  for (const row of names) {
    const map = namesOf.get(row.incarnation);
    if (map) map[row.node] = row.name;
  }
  return {
    clusterId: cluster.cluster_id,
    journalId: cluster.journal_id,
    epoch: cluster.epoch,
    replicationFactor: cluster.replication_factor,
    defaultShardCount: cluster.default_shard_count,
    nextIncarnation: cluster.next_incarnation,
    nodes: nodes.map(({ id, url, zone, weight, state, placementKey }) => ({
      ...{ id, url, zone, weight, state, placementKey },
    })),
    indexes: indexRows.map(
      (row): TopologyIndex => ({
        uid: row.uid,
        incarnation: row.incarnation,
        primaryKey: row.primary_key,
        shardCount: row.shard_count,
        replicationFactor: row.replication_factor,
        scoring: row.scoring === 'dfs' ? 'dfs' : null,
        settings: parseJson<Record<string, unknown>>(row.settings) ?? {},
        visible: row.visible === 1,
        createdAt: row.created_at,
        updatedAt: row.updated_at,
        deletedSeq: row.deleted_seq,
        foldsIds: mayFold(row.id_kinds),
        physicalNames: namesOf.get(row.incarnation)!,
        shards: shardsOf.get(row.incarnation)!,
      }),
    ),
  };
}

export async function addNode(
  tx: Tx,
  node: NodeInput,
  secrets: NodeSecrets,
  cause: string,
): Promise<TopologyNode> {
  const twin = await one<{ id: string; url: string }>(
    tx,
    'SELECT id, url FROM nodes WHERE id = ? OR url = ?',
    [node.id, node.url],
  );
  if (twin) {
    throw new StateConflict(
      'duplicate_node',
      twin.id === node.id
        ? `node "${node.id}" is already in the topology, at ${twin.url}`
        : `the node at ${node.url} is already in the topology, as "${twin.id}"`,
    );
  }
  const { next_seq } = await readCluster(tx);
  const row: TopologyNode = {
    id: node.id,
    url: node.url,
    zone: node.zone ?? null,
    weight: node.weight ?? 1,
    state: 'joining',
  };
  await tx.run('INSERT INTO nodes (id, url, zone, weight, state) VALUES (?, ?, ?, ?, ?)', [
    row.id,
    row.url,
    row.zone,
    row.weight,
    row.state,
  ]);
  await putNodeSecrets(tx, node.id, secrets);
  // It holds no shard yet, so everything before the head concerns it through its indexes' settings only.
  await tx.run(
    `INSERT INTO streams (node, generation, holder, position, unclean, provisioned, reported_at_ms, last_error)
     VALUES (?, 0, NULL, ?, 0, 0, ?, NULL)`,
    [node.id, next_seq - 1, tx.nowMs],
  );
  await bumpEpoch(tx, cause);
  return row;
}

export async function setNodeState(tx: Tx, id: NodeId, state: NodeState, cause: string): Promise<number> {
  const changed = await tx.run('UPDATE nodes SET state = ? WHERE id = ? AND state <> ?', [state, id, state]);
  if (changed === 0) {
    if (!(await one(tx, 'SELECT id FROM nodes WHERE id = ?', [id])))
      throw new StateConflict('unknown_node', `node "${id}" is not in the topology`);
    return readEpoch(tx);
  }
  return bumpEpoch(tx, cause);
}

export async function removeNode(tx: Tx, id: NodeId, cause: string): Promise<number> {
  const held = await one<{ count: number }>(tx, 'SELECT COUNT(*) AS count FROM replicas WHERE node = ?', [
    id,
  ]);
  if (held && held.count > 0) {
    throw new StateConflict(
      'node_holds_replicas',
      `node "${id}" still holds ${held.count} replicas: drain it first`,
    );
  }
  // A removal that wakes late: the change was given up, and another one counts on the node.
  const move = await one<{ id: string }>(
    tx,
    `SELECT m.id FROM moves m JOIN changes c ON c.id = m.change_id WHERE m.target_node = ? AND m.kind = 'copy'
       AND m.flipped_epoch IS NULL AND m.finished_at IS NULL AND c.finished_at IS NULL LIMIT 1`,
    [id],
  );
  if (move)
    throw new StateConflict(
      'node_is_target',
      `move ${move.id} brings a replica to node "${id}": cancel it first, or let it end`,
    );
  if ((await tx.run('DELETE FROM nodes WHERE id = ?', [id])) === 0) return readEpoch(tx);
  for (const table of ['streams', 'physical_names', 'controls'])
    await tx.run(`DELETE FROM ${table} WHERE node = ?`, [id]);
  await tx.run('DELETE FROM node_secrets WHERE id = ?', [id]);
  return bumpEpoch(tx, cause);
}

export async function readNodeSecrets(tx: Tx): Promise<Record<NodeId, NodeSecrets>> {
  const rows = await tx.all<{ id: string; admin_key: string | null; data_key: string | null }>(
    'SELECT id, admin_key, data_key FROM node_secrets',
  );
  return Object.fromEntries(rows.map((row) => [row.id, { adminKey: row.admin_key, dataKey: row.data_key }]));
}

export async function putNodeSecrets(tx: Tx, id: NodeId, secrets: NodeSecrets): Promise<void> {
  await tx.run(
    `INSERT INTO node_secrets (id, admin_key, data_key) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET admin_key = excluded.admin_key, data_key = excluded.data_key`,
    [id, secrets.adminKey, secrets.dataKey],
  );
}

export async function readHead(tx: Tx): Promise<{ journalHead: number; journalPayloadBytes: number }> {
  const { next_seq } = await readCluster(tx);
  const row = await one<{ bytes: number | null }>(tx, 'SELECT SUM(size_bytes) AS bytes FROM parts');
  return { journalHead: next_seq - 1, journalPayloadBytes: row?.bytes ?? 0 };
}
