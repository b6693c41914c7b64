// The tables, as numbered migrations. A migration that was released is never edited; a new one is appended.
import { isoTime, one, type SqlDriver } from './driver.js';

const MIGRATIONS: readonly string[][] = [
  [
    `CREATE TABLE cluster (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      cluster_id TEXT NOT NULL, journal_id TEXT NOT NULL, epoch INTEGER NOT NULL,
      replication_factor INTEGER NOT NULL, default_shard_count INTEGER NOT NULL,
      next_seq INTEGER NOT NULL, next_incarnation INTEGER NOT NULL)`,
    `CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, cause TEXT NOT NULL, at TEXT NOT NULL)`,
    `CREATE TABLE nodes (
      id TEXT PRIMARY KEY, url TEXT NOT NULL UNIQUE, zone TEXT, weight REAL NOT NULL, state TEXT NOT NULL)`,
    `CREATE TABLE node_secrets (id TEXT PRIMARY KEY, admin_key TEXT, data_key TEXT)`,
    `CREATE TABLE indexes (
      incarnation INTEGER PRIMARY KEY, uid TEXT NOT NULL, primary_key TEXT, shard_count INTEGER NOT NULL,
      replication_factor INTEGER NOT NULL, settings TEXT NOT NULL, journaled_settings TEXT NOT NULL,
      visible INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
      created_seq INTEGER NOT NULL, deleted_seq INTEGER, watermark INTEGER NOT NULL)`,
    `CREATE UNIQUE INDEX indexes_live ON indexes (uid) WHERE deleted_seq IS NULL`,
    `CREATE TABLE physical_names (
      incarnation INTEGER NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (incarnation, node))`,
    `CREATE TABLE replicas (
      incarnation INTEGER NOT NULL, shard INTEGER NOT NULL, node TEXT NOT NULL, state TEXT NOT NULL,
      move_id TEXT, since_epoch INTEGER NOT NULL, left_epoch INTEGER, held_position INTEGER,
      PRIMARY KEY (incarnation, shard, node))`,
    `CREATE INDEX replicas_node ON replicas (node, incarnation, state)`,
    `CREATE TABLE journal (
      seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, index_uid TEXT NOT NULL,
      incarnation INTEGER, primary_key TEXT, creates_index INTEGER NOT NULL, meta TEXT NOT NULL,
      settings TEXT, scope TEXT NOT NULL, barrier INTEGER NOT NULL, refused INTEGER NOT NULL, status TEXT NOT NULL, outcome TEXT,
      error TEXT, details TEXT, effect_epoch INTEGER, enqueued_at TEXT NOT NULL, started_at TEXT, finished_at TEXT)`,
    `CREATE INDEX journal_open ON journal (seq) WHERE finished_at IS NULL`,
    `CREATE INDEX journal_index ON journal (incarnation, seq)`,
    `CREATE TABLE parts (
      id INTEGER PRIMARY KEY, staging_id TEXT, seq INTEGER, shard INTEGER NOT NULL,
      size_bytes INTEGER NOT NULL, document_count INTEGER NOT NULL, staged_at TEXT NOT NULL)`,
    // Apart from their rows: numbering an entry would otherwise write every payload a second time, under the lock.
    `CREATE TABLE payloads (part INTEGER PRIMARY KEY, payload BLOB NOT NULL)`,
    `CREATE TRIGGER payloads_of_parts AFTER DELETE ON parts
      BEGIN DELETE FROM payloads WHERE part = OLD.id; END`,
    `CREATE INDEX parts_seq ON parts (seq, shard) WHERE seq IS NOT NULL`,
    `CREATE INDEX parts_staging ON parts (staging_id) WHERE staging_id IS NOT NULL`,
    `CREATE TABLE filter_matches (
      seq INTEGER NOT NULL, shard INTEGER NOT NULL, node TEXT NOT NULL, ids TEXT NOT NULL,
      PRIMARY KEY (seq, shard, node))`,
    `CREATE TABLE streams (
      node TEXT PRIMARY KEY, generation INTEGER NOT NULL, holder TEXT, position INTEGER NOT NULL,
      unclean INTEGER NOT NULL, provisioned INTEGER NOT NULL, reported_at_ms INTEGER NOT NULL, last_error TEXT,
      last_task_uid INTEGER)`,
    `CREATE TABLE controls (
      id INTEGER PRIMARY KEY, node TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL UNIQUE, move_id TEXT,
      incarnation INTEGER, shard INTEGER, args TEXT NOT NULL, status TEXT NOT NULL, result TEXT)`,
    `CREATE INDEX controls_waiting ON controls (node, id) WHERE status = 'waiting'`,
    `CREATE TABLE changes (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, input TEXT NOT NULL, run_id TEXT NOT NULL, status TEXT NOT NULL,
      started_at TEXT NOT NULL, finished_at TEXT, planned_moves INTEGER NOT NULL, planned_documents INTEGER NOT NULL)`,
    `CREATE TABLE moves (
      id TEXT PRIMARY KEY, change_id TEXT NOT NULL, ordinal INTEGER NOT NULL, index_uid TEXT NOT NULL,
      incarnation INTEGER NOT NULL, shard INTEGER NOT NULL, source_node TEXT, copy_from TEXT NOT NULL,
      target_node TEXT NOT NULL, phase TEXT NOT NULL, attempt INTEGER NOT NULL, snapshot_position INTEGER,
      documents_total INTEGER NOT NULL, documents_copied INTEGER NOT NULL, bytes_copied INTEGER NOT NULL,
      last_error TEXT, flipped_epoch INTEGER, started_at TEXT, finished_at TEXT)`,
    `CREATE INDEX moves_change ON moves (change_id, ordinal)`,
    `CREATE TABLE snapshots (
      move_id TEXT NOT NULL, first INTEGER NOT NULL, ids TEXT NOT NULL, PRIMARY KEY (move_id, first))`,
    `CREATE TABLE steps (
      id INTEGER PRIMARY KEY, move_id TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, at TEXT NOT NULL,
      duration_ms INTEGER NOT NULL, detail TEXT NOT NULL)`,
    `CREATE INDEX steps_move ON steps (move_id, id)`,
    `CREATE TABLE leases (
      proxy_id TEXT PRIMARY KEY, url TEXT, epoch INTEGER NOT NULL, oldest_epoch INTEGER NOT NULL,
      until_ms INTEGER NOT NULL, dead_ms INTEGER NOT NULL)`,
  ],
  [
    // Success waits for an awaited replica although nobody reads it yet: otherwise it could never catch up.
    `ALTER TABLE replicas ADD COLUMN awaited INTEGER NOT NULL DEFAULT 0`,
    `CREATE INDEX replicas_awaited ON replicas (incarnation, node) WHERE awaited = 1`,
    `CREATE INDEX replicas_joined ON replicas (node, incarnation) WHERE state = 'joined'`,
  ],
  [
    `ALTER TABLE nodes ADD COLUMN placement_key TEXT`,
    `ALTER TABLE moves ADD COLUMN kind TEXT NOT NULL DEFAULT 'copy'`,
    `ALTER TABLE moves ADD COLUMN reason TEXT NOT NULL DEFAULT 'placement'`,
    `ALTER TABLE moves ADD COLUMN flipped_at TEXT`,
    `ALTER TABLE changes ADD COLUMN planned_at TEXT`,
  ],
  [
    // Null until a copy's last document has been read: the journal's head at that moment.
    `ALTER TABLE moves ADD COLUMN copy_end INTEGER`,
    // Why the copy must begin again.
    `ALTER TABLE moves ADD COLUMN spoiled TEXT`,
  ],
  [
    `CREATE TABLE index_fields (
      incarnation INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (incarnation, ordinal))`,
    `CREATE UNIQUE INDEX index_fields_name ON index_fields (incarnation, name)`,
    `ALTER TABLE journal ADD COLUMN new_fields INTEGER NOT NULL DEFAULT 0`,
  ],
  [
    `CREATE TABLE verifications (
      id TEXT PRIMARY KEY, input TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
      last_error TEXT)`,
    `CREATE TABLE verification_items (
      verification_id TEXT NOT NULL, ordinal INTEGER NOT NULL, kind TEXT NOT NULL, index_uid TEXT NOT NULL,
      incarnation INTEGER NOT NULL, shard INTEGER, node TEXT, status TEXT NOT NULL, documents INTEGER NOT NULL,
      missing INTEGER NOT NULL, extra INTEGER NOT NULL, different INTEGER NOT NULL, undecided INTEGER NOT NULL,
      detail TEXT NOT NULL, PRIMARY KEY (verification_id, ordinal))`,
  ],
  [`ALTER TABLE indexes ADD COLUMN id_kinds INTEGER NOT NULL DEFAULT 0`],
  [`ALTER TABLE indexes ADD COLUMN scoring TEXT`],
  [
    `CREATE TABLE change_controls (
      change_id TEXT PRIMARY KEY, paused INTEGER NOT NULL, concurrency INTEGER NOT NULL, node_concurrency INTEGER,
      documents_per_second REAL, copied_until_ms INTEGER NOT NULL)`,
    `CREATE TABLE change_events (
      id INTEGER PRIMARY KEY, change_id TEXT NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL, move_id TEXT,
      decided_by TEXT, detail TEXT NOT NULL)`,
    `CREATE INDEX change_events_change ON change_events (change_id, id)`,
    // A source that is kept after its flip is a row with a time, so that no change and no workflow waits for it.
    `ALTER TABLE moves ADD COLUMN retain_until TEXT`,
    `ALTER TABLE moves ADD COLUMN rolled_back_epoch INTEGER`,
    `ALTER TABLE moves ADD COLUMN rollback_id TEXT`,
    `CREATE INDEX moves_rollback ON moves (rollback_id) WHERE rollback_id IS NOT NULL`,
    `CREATE INDEX replicas_move ON replicas (move_id) WHERE move_id IS NOT NULL`,
  ],
  [
    // What was before the change's edits, for as long as they can be taken back; what its plan predicted.
    `ALTER TABLE changes ADD COLUMN undo TEXT`,
    `ALTER TABLE changes ADD COLUMN predicted TEXT`,
    `ALTER TABLE moves ADD COLUMN planned_documents INTEGER`,
    `ALTER TABLE moves ADD COLUMN planned_bytes INTEGER`,
    `CREATE TABLE plans (
      id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, edits TEXT NOT NULL,
      options TEXT NOT NULL, basis TEXT NOT NULL, report TEXT NOT NULL, moves TEXT NOT NULL)`,
  ],
  [
    // A store that was restored from a backup waits for an operator while this says since when.
    `ALTER TABLE cluster ADD COLUMN restored_at TEXT`,
  ],
  [
    `CREATE TABLE node_health (
      node TEXT PRIMARY KEY, state TEXT NOT NULL, since_ms INTEGER NOT NULL, bad_since_ms INTEGER,
      good_since_ms INTEGER, observed_at_ms INTEGER NOT NULL, reason TEXT, healed_away INTEGER NOT NULL)`,
    `CREATE TABLE healing_pause (one INTEGER PRIMARY KEY CHECK (one = 1), reason TEXT NOT NULL)`,
  ],
  [
    // Why the node is to be built anew; whether an operator has given up what only it held.
    `ALTER TABLE streams ADD COLUMN lost TEXT`,
    `ALTER TABLE streams ADD COLUMN loss_accepted INTEGER NOT NULL DEFAULT 0`,
  ],
];

/** What a database has when every migration was made. */
export const NEWEST_VERSION = MIGRATIONS.length;

/** Brings a database to the newest schema; refuses one that a newer Miroir has written. */
export async function migrate(driver: SqlDriver): Promise<void> {
  await driver.transaction('schema', async (tx) => {
    await tx.run('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, at TEXT NOT NULL)');
    const row = await one<{ version: number | null }>(tx, 'SELECT MAX(version) AS version FROM migrations');
    const version = row?.version ?? 0;
    if (version > MIGRATIONS.length) {
      throw new Error(
        `the state store has schema version ${version}, this Miroir knows ${MIGRATIONS.length}: install the newer Miroir`,
      );
    }
    for (let next = version; next < MIGRATIONS.length; next += 1) {
      for (const statement of MIGRATIONS[next]!.flatMap(driver.toDialect)) await tx.run(statement);
      await tx.run('INSERT INTO migrations (version, at) VALUES (?, ?)', [next + 1, isoTime(tx.nowMs)]);
    }
  });
}
