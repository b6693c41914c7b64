// What must hold after every step, and when everything has come to rest.
import type { NodeId } from '../../shared/core/topology.js';
import type { World } from './world.js';

/** No shard without a readable replica, none with fewer copies than planned, no replica that differs. */
export async function judgeStep(world: World): Promise<void> {
  const rows = await world.query<{
    uid: string;
    incarnation: number;
    shard: number;
    readable: number;
    copies: number;
    diverged: number;
    factor: number;
  }>(
    `SELECT i.uid, i.incarnation, r.shard, i.replication_factor AS factor,
       SUM(r.state = 'in-sync') AS readable,
       SUM(r.state = 'in-sync' OR (r.state = 'joined' AND r.move_id IS NULL)) AS copies,
       SUM(r.move_id LIKE 'diverged/%') AS diverged
     FROM replicas r JOIN indexes i ON i.incarnation = r.incarnation
     GROUP BY i.uid, r.incarnation, r.shard, i.replication_factor`,
  );
  for (const { uid, incarnation, shard, readable, copies, diverged, factor } of rows) {
    // A factor that has just been raised is reached by and by, but nothing is lost on the way.
    const key = `${incarnation}/${shard}`;
    const before = world.copies.get(key) ?? factor;
    world.copies.set(key, copies);
    if (readable < 1) world.violate(`shard ${shard} of ${uid} has no readable replica`);
    // A lost disk takes copies away, and what is on it differs until it is copied anew.
    else if (world.lost.size > 0) continue;
    else if (diverged > 0) world.violate(`a replica of shard ${shard} of ${uid} has diverged`);
    else if (copies < factor && copies < before)
      world.violate(`shard ${shard} of ${uid} has ${copies} copies of ${factor}`);
  }
}

export async function judgeRest(world: World): Promise<void> {
  await judgeTasks(world);
  const topology = await world.store.readTopology();
  for (const index of topology.indexes) {
    if (index.deletedSeq !== null) continue;
    const wanted = world.model.final(index.incarnation);
    const held = new Map<NodeId, Set<number>>();
    for (const [shard, replicas] of index.shards.entries()) {
      for (const { node, state } of replicas) {
        if (state !== 'in-sync') world.violate(`shard ${shard} of ${index.uid} on ${node} rests as ${state}`);
        held.set(node, (held.get(node) ?? new Set()).add(shard));
      }
      const possible = Math.min(
        index.replicationFactor,
        topology.nodes.filter((node) => node.state === 'active').length,
      );
      if (replicas.length < possible)
        world.violate(`shard ${shard} of ${index.uid} rests with ${replicas.length} replicas of ${possible}`);
    }
    for (const node of topology.nodes) {
      const physical = world.nodes.get(node.id)!.indexes.get(index.physicalNames[node.id] ?? '');
      if (!physical) {
        world.violate(`node ${node.id} does not have the index ${index.uid}`);
        continue;
      }
      const shards = held.get(node.id) ?? new Set();
      for (const [id, { fields, shard }] of wanted) {
        const found = physical.documents.get(id);
        if (!shards.has(shard)) continue;
        if (!found) world.violate(`document ${id} of ${index.uid} is missing on ${node.id}`);
        else if (!isSame(found, fields))
          world.violate(
            `document ${id} of ${index.uid} on ${node.id} is ${JSON.stringify(found)}, not ${JSON.stringify(fields)}`,
          );
      }
      for (const id of physical.documents.keys()) {
        const known = wanted.get(id);
        if (!known) world.violate(`document ${id} of ${index.uid} is on ${node.id}, though it was deleted`);
        else if (!shards.has(known.shard))
          world.violate(
            `document ${id} of ${index.uid} is left on ${node.id}, which does not hold its shard`,
          );
      }
    }
  }
}

function isSame(found: Record<string, unknown>, wanted: Record<string, unknown>): boolean {
  const names = Object.keys(found).filter((name) => name !== '_miroir');
  return names.length === Object.keys(wanted).length && names.every((name) => found[name] === wanted[name]);
}

/** Each task ends as the journal applied in order says. */
async function judgeTasks(world: World): Promise<void> {
  const rows = await world.query<{ seq: number; status: string; error: string | null }>(
    'SELECT seq, status, error FROM journal',
  );
  for (const { seq, status, error } of rows) {
    const entry = world.model.entries.get(seq);
    if (entry && entry.status !== status)
      world.violate(`task ${seq} (${entry.write.kind}) is ${status}, not ${entry.status}: ${error}`);
  }
}
