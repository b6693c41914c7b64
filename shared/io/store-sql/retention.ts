// Sources that are kept after a flip are rows with a time, nothing more: no change and no workflow has to wait for them.
import { DIVERGED } from '../../core/replica-states.js';
import type { NodeId } from '../../core/topology.js';
import type { ChangeRow, MoveRow } from '../store-changes.js';
import type { MoveSelection } from '../store-control.js';
import { isoTime, marks, one, type Tx } from './driver.js';
import { type ChangeRecord, type MoveRecord, OPEN, toChange, toMove } from './moves.js';

/** The row that a move leaves behind: its source after the flip, its target after a rollback. */
const LEFT_BEHIND = `replicas r ON r.move_id = m.id AND r.state IN ('retained', 'deleting') AND m.flipped_epoch IS NOT NULL
  AND r.node = CASE WHEN m.rolled_back_epoch IS NULL THEN m.source_node ELSE m.target_node END`;

/** A move without retention deletes its source itself; after so long it is helped. */
const OWN_DELETE_MS = 60_000;

/**
 * A source is not let go while the shard's other replicas are in trouble and it is well: it may be the last good copy.
 * What was surplus is none while more replicas are wanted than are in-sync elsewhere.
 * One on a node that does not answer cannot be deleted now.
 */
export async function listDueRetentions(tx: Tx, limit: number): Promise<MoveRow[]> {
  const rows = await tx.all<MoveRecord>(
    `SELECT m.* FROM moves m JOIN ${LEFT_BEHIND} JOIN streams own ON own.node = r.node
     JOIN changes c ON c.id = m.change_id JOIN indexes i ON i.incarnation = r.incarnation
     WHERE (r.state = 'deleting' OR m.rolled_back_epoch IS NOT NULL OR m.retain_until <= ?)
       AND m.phase NOT IN ('rollback-verify', 'rollback-flip')
       AND (c.status NOT IN ${OPEN} OR m.phase = 'retain' OR (m.rolled_back_epoch IS NULL AND m.retain_until <= ?))
       AND NOT EXISTS (SELECT 1 FROM changes b WHERE b.id = m.rollback_id AND b.status IN ${OPEN})
       AND own.last_error IS NULL
       AND (r.state = 'deleting' OR m.kind <> 'drop' OR (SELECT COUNT(*) FROM replicas o WHERE o.incarnation = r.incarnation
         AND o.shard = r.shard AND o.node <> r.node AND o.state = 'in-sync') >= i.replication_factor)
       AND NOT EXISTS (
         SELECT 1 FROM replicas o JOIN streams s ON s.node = o.node
         WHERE o.incarnation = r.incarnation AND o.shard = r.shard AND o.node <> r.node
           AND ((o.state = 'in-sync' AND s.last_error IS NOT NULL)
             OR (o.state = 'joined' AND (o.move_id IS NULL OR o.move_id LIKE '${DIVERGED}%'))))
     ORDER BY m.retain_until, m.id LIMIT ?`,
    [isoTime(tx.nowMs), isoTime(tx.nowMs - OWN_DELETE_MS), limit],
  );
  return rows.map(toMove);
}

export async function endRetention(tx: Tx, which: MoveSelection): Promise<number> {
  const column = which.moveId === undefined ? 'change_id' : 'id';
  return tx.run(
    `UPDATE moves SET retain_until = ? WHERE ${column} = ? AND retain_until > ? AND rolled_back_epoch IS NULL
       AND EXISTS (SELECT 1 FROM replicas r WHERE r.move_id = moves.id AND r.state = 'retained')`,
    [isoTime(tx.nowMs), which.moveId ?? which.changeId ?? '', isoTime(tx.nowMs)],
  );
}

export async function readRetention(
  tx: Tx,
  changeId: string,
): Promise<{ sources: number; until: string | null }> {
  const row = await one<{ sources: number; until: string | null }>(
    tx,
    `SELECT COUNT(*) AS sources, MIN(m.retain_until) AS until FROM moves m JOIN ${LEFT_BEHIND}
     WHERE m.change_id = ? AND m.rolled_back_epoch IS NULL AND r.state = 'retained'`,
    [changeId],
  );
  return { sources: row?.sources ?? 0, until: row?.until ?? null };
}

export async function listRetainedOut(tx: Tx): Promise<ChangeRow[]> {
  const rows = await tx.all<ChangeRecord>(
    `SELECT c.* FROM changes c WHERE c.status = 'retaining'
       AND NOT EXISTS (SELECT 1 FROM moves m JOIN replicas r ON r.move_id = m.id JOIN streams s ON s.node = r.node
         WHERE m.change_id = c.id AND (s.last_error IS NULL OR m.retain_until > ?))
       AND NOT EXISTS (SELECT 1 FROM moves m JOIN changes b ON b.id = m.rollback_id
         WHERE m.change_id = c.id AND b.finished_at IS NULL)
     ORDER BY c.id`,
    [isoTime(tx.nowMs)],
  );
  return rows.map(toChange);
}

export async function countReplicas(
  tx: Tx,
  nodes: readonly NodeId[],
): Promise<{ kept: number; serving: number }> {
  const counts = { kept: 0, serving: 0 };
  if (nodes.length === 0) return counts;
  const rows = await tx.all<{ state: string; count: number }>(
    `SELECT state, COUNT(*) AS count FROM replicas WHERE node IN (${marks(nodes.length)}) GROUP BY state`,
    [...nodes],
  );
  for (const { state, count } of rows) {
    if (state === 'retained' || state === 'deleting') counts.kept += count;
    else counts.serving += count;
  }
  return counts;
}

export async function dropKept(tx: Tx, node: NodeId): Promise<void> {
  await tx.run(
    `UPDATE moves SET phase = 'done', finished_at = ? WHERE finished_at IS NULL AND id IN (
       SELECT move_id FROM replicas WHERE node = ? AND state IN ('retained', 'deleting'))`,
    [isoTime(tx.nowMs), node],
  );
  await tx.run(`DELETE FROM replicas WHERE node = ? AND state IN ('retained', 'deleting')`, [node]);
}
