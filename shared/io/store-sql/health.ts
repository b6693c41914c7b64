// Health of nodes as the observer has seen it, and why healing waits.
import type { HealthState, NodeHealth } from '../../core/node-health.js';
import type { NodeId } from '../../core/topology.js';
import { marks, one, type Tx } from './driver.js';

interface HealthRow {
  node: string;
  state: HealthState;
  since_ms: number;
  bad_since_ms: number | null;
  good_since_ms: number | null;
  observed_at_ms: number;
  reason: string | null;
  healed_away: number;
}

export async function readHealth(tx: Tx): Promise<NodeHealth[]> {
  const rows = await tx.all<HealthRow>(
    'SELECT h.* FROM node_health h JOIN nodes n ON n.id = h.node ORDER BY h.node',
  );
  return rows.map((row) => ({
    node: row.node,
    state: row.state,
    sinceMs: row.since_ms,
    badSinceMs: row.bad_since_ms,
    goodSinceMs: row.good_since_ms,
    observedAtMs: row.observed_at_ms,
    reason: row.reason,
    healedAway: row.healed_away === 1,
  }));
}

export async function saveHealth(tx: Tx, rows: NodeHealth[]): Promise<void> {
  for (const row of rows) {
    await tx.run(
      `INSERT INTO node_health (node, state, since_ms, bad_since_ms, good_since_ms, observed_at_ms, reason, healed_away)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0)
       ON CONFLICT (node) DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms,
         bad_since_ms = excluded.bad_since_ms, good_since_ms = excluded.good_since_ms,
         observed_at_ms = excluded.observed_at_ms, reason = excluded.reason`,
      [row.node, row.state, row.sinceMs, row.badSinceMs, row.goodSinceMs, row.observedAtMs, row.reason],
    );
  }
  await tx.run('DELETE FROM node_health WHERE node NOT IN (SELECT id FROM nodes)');
}

export async function setHealedAway(tx: Tx, nodes: NodeId[], healedAway: boolean): Promise<void> {
  if (nodes.length === 0) return;
  await tx.run(`UPDATE node_health SET healed_away = ? WHERE node IN (${marks(nodes.length)})`, [
    healedAway ? 1 : 0,
    ...nodes,
  ]);
}

export async function readHealingPause(tx: Tx): Promise<string | null> {
  const row = await one<{ reason: string }>(tx, 'SELECT reason FROM healing_pause');
  return row?.reason ?? null;
}

export async function saveHealingPause(tx: Tx, reason: string | null): Promise<void> {
  await tx.run('DELETE FROM healing_pause');
  if (reason !== null) await tx.run('INSERT INTO healing_pause (one, reason) VALUES (1, ?)', [reason]);
}
