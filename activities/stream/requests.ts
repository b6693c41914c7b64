// The node requests of a journal entry: built once, sent in order, with their tasks' outcomes.
import type { EntryMeta } from '../../shared/core/entries.js';
import { shardFilter } from '../../shared/core/topology.js';
import type { NodeRequest, NodeTask } from '../../shared/io/node-client.js';
import type { DeliveryEntry } from '../../shared/io/store.js';
import type { StreamContext } from './context.js';

/** Below Meilisearch's default limit of 100 MiB a request, with room for the hidden field. */
const REQUEST_BYTES = 24 * 1024 * 1024;

export interface EntryRequest {
  request: NodeRequest;
  /** Its deletions count for the task's details. */
  counted: boolean;
}

/** `cluster:journal generation:entry`, for people and for checks; never a reason to skip a resend. */
export function customMetadata(context: StreamContext, seq: number): string {
  return `${context.clusterId}:${context.generation}:${seq}`;
}

function chunk(payloads: readonly Uint8Array[]): Uint8Array[][] {
  const chunks: Uint8Array[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const payload of payloads) {
    if (size + payload.byteLength > REQUEST_BYTES) {
      chunks.push([]);
      size = 0;
    }
    chunks.at(-1)!.push(payload);
    size += payload.byteLength + 1;
  }
  return chunks;
}

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** A JSON array of payloads that are already lists of values. */
export function joinArray(payloads: readonly Uint8Array[]): Buffer {
  const pieces: Uint8Array[] = [OPEN];
  for (const [position, payload] of payloads.entries()) {
    if (position > 0) pieces.push(COMMA);
    pieces.push(payload);
  }
  pieces.push(CLOSE);
  return Buffer.concat(pieces);
}

/** AND of the client's filter and the shards: Meilisearch reads an array as AND of its elements. */
export function limitFilter(filterJson: string, shards: readonly number[]): string {
  const filter = JSON.parse(filterJson) as unknown;
  const parts = Array.isArray(filter) ? filter : [filter];
  return JSON.stringify([...parts, shardFilter(shards)]);
}

/** The requests that deliver documents or deletions of an entry to the physical index `name`; in order. */
export function buildRequests(
  context: StreamContext,
  entry: DeliveryEntry,
  name: string,
  primaryKey: string | null,
): EntryRequest[] {
  const metadata = `customMetadata=${encodeURIComponent(customMetadata(context, entry.seq))}`;
  const meta: EntryMeta = entry.meta;
  if (meta.kind === 'documentAdditionOrUpdate') {
    const key = primaryKey === null ? '' : `&primaryKey=${encodeURIComponent(primaryKey)}`;
    return chunk(entry.parts.map((part) => part.payload)).map((payloads) => ({
      counted: false,
      request: {
        method: meta.method === 'update' ? 'PUT' : 'POST',
        path: `/indexes/${name}/documents?${metadata}${key}`,
        body: joinArray(payloads),
      },
    }));
  }
  if (meta.kind !== 'documentDeletion') return [];
  const counted = new Set(entry.countedShards);
  const halves = [true, false].map((count) => ({
    count,
    shards: entry.liveShards.filter((shard) => counted.has(shard) === count),
  }));
  return halves
    .filter((half) => half.shards.length > 0)
    .flatMap(({ count, shards }): EntryRequest[] => {
      if (meta.mode === 'ids') {
        const mine = new Set(shards);
        const payloads = entry.parts.filter((part) => mine.has(part.shard)).map((part) => part.payload);
        return [
          {
            counted: count,
            request: {
              method: 'POST',
              path: `/indexes/${name}/documents/delete-batch?${metadata}`,
              body: joinArray(payloads),
            },
          },
        ];
      }
      const filter =
        meta.mode === 'filter'
          ? limitFilter(meta.filter ?? '[]', shards)
          : JSON.stringify(shardFilter(shards));
      return [
        {
          counted: count,
          request: {
            method: 'POST',
            path: `/indexes/${name}/documents/delete?${metadata}`,
            body: `{"filter":${filter}}`,
          },
        },
      ];
    });
}

/** What a node's deletions say for the details of the task; null when this node counts nothing. */
export function countDeletions(tasks: readonly { task: NodeTask; counted: boolean }[]): number | null {
  let total: number | null = null;
  for (const { task, counted } of tasks) {
    const deleted = task.details?.deletedDocuments;
    if (counted && typeof deleted === 'number') total = (total ?? 0) + deleted;
  }
  return total;
}
