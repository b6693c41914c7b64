// Journal entries: what a write is between the proxy that numbers it and the streams that deliver it.
import type { MeilisearchError } from './errors.js';

export type TaskStatus = 'enqueued' | 'processing' | 'succeeded' | 'failed' | 'canceled';

/** Replace: POST /documents. Update: PUT /documents (top-level merge). */
export interface AdditionMeta {
  kind: 'documentAdditionOrUpdate';
  method: 'replace' | 'update';
  /** As the client gave it in the query, or null. */
  primaryKey: string | null;
  receivedDocuments: number;
}
/** Deletion by ids is carried in parts (JSON strings); by filter and of all documents is a barrier without parts. */
export interface DeletionMeta {
  kind: 'documentDeletion';
  mode: 'ids' | 'filter' | 'all';
  providedIds: number;
  /** The filter as JSON text (string or array), for mode `filter`. */
  filter: string | null;
}
export interface SettingsMeta {
  kind: 'settingsUpdate';
  /** The user's patch in Meilisearch's form (null resets a setting). */
  patch: Record<string, unknown>;
  /** DELETE instead of PATCH/PUT; details show what was reset. */
  isDeletion: boolean;
}
export interface IndexCreationMeta {
  kind: 'indexCreation';
  primaryKey: string | null;
}
export interface IndexUpdateMeta {
  kind: 'indexUpdate';
  primaryKey: string | null;
}
export interface IndexDeletionMeta {
  kind: 'indexDeletion';
}
export type EntryMeta =
  | AdditionMeta
  | DeletionMeta
  | SettingsMeta
  | IndexCreationMeta
  | IndexUpdateMeta
  | IndexDeletionMeta;

export type EntryKind = EntryMeta['kind'];

/**
 * A piece of an entry that belongs to one shard: documents as raw JSON objects joined by commas, without brackets,
 * each already carrying the hidden field; for deletions the ids as JSON strings joined by commas. Pieces of one
 * shard keep their order.
 */
export interface EntryPart {
  shard: number;
  payload: Uint8Array;
  documentCount: number;
}

/** A row of the journal as tasks show it. `uid` is the journal number and the public taskUid. */
export interface TaskRow {
  uid: number;
  indexUid: string | null;
  status: TaskStatus;
  meta: EntryMeta;
  error: MeilisearchError | null;
  /** Counts that are only known once nodes have answered, by the names of Meilisearch's details. */
  outcomeDetails: Record<string, unknown> | null;
  enqueuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

/** An entry that must be delivered alone: everything before is confirmed, nothing after is sent until it is. */
export function isBarrier(meta: EntryMeta): boolean {
  return (
    meta.kind !== 'documentAdditionOrUpdate' && !(meta.kind === 'documentDeletion' && meta.mode === 'ids')
  );
}
