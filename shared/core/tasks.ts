// Tasks as Meilisearch shows them: the short form of an accepted write and the full view.
import type { EntryMeta, TaskRow, TaskStatus } from './entries.js';
import type { MeilisearchError } from './errors.js';

/** All task types of Meilisearch, in the order in which its errors list them. */
export const TASK_TYPES = [
  'documentAdditionOrUpdate',
  'documentEdition',
  'documentDeletion',
  'settingsUpdate',
  'indexCreation',
  'indexDeletion',
  'indexUpdate',
  'indexSwap',
  'taskCancelation',
  'taskDeletion',
  'dumpCreation',
  'snapshotCreation',
  'export',
  'upgradeDatabase',
  'indexCompaction',
  'networkTopologyChange',
  'dsrUpdate',
  'dsrClear',
] as const;

export const TASK_STATUSES: readonly TaskStatus[] = [
  'enqueued',
  'processing',
  'succeeded',
  'failed',
  'canceled',
];

/** The answer to an accepted write. */
export interface TaskSummary {
  taskUid: number;
  indexUid: string | null;
  status: 'enqueued';
  type: string;
  enqueuedAt: string;
}

export function summarizeTask(
  uid: number,
  indexUid: string,
  meta: EntryMeta,
  enqueuedAt: string,
): TaskSummary {
  return { taskUid: uid, indexUid, status: 'enqueued', type: meta.kind, enqueuedAt };
}

export interface TaskView {
  uid: number;
  batchUid: number | null;
  indexUid: string | null;
  status: TaskStatus;
  type: string;
  canceledBy: number | null;
  details?: Record<string, unknown>;
  error: MeilisearchError | null;
  duration: string | null;
  enqueuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

/** A task of the journal in Meilisearch's form. Every task is a batch of its own. */
export function viewTask(row: TaskRow): TaskView {
  return {
    uid: row.uid,
    batchUid: row.status === 'enqueued' ? null : row.uid,
    indexUid: row.indexUid,
    status: row.status,
    type: row.meta.kind,
    canceledBy: null,
    details: viewDetails(row),
    error: row.error,
    duration:
      row.startedAt === null || row.finishedAt === null ? null : duration(row.startedAt, row.finishedAt),
    enqueuedAt: row.enqueuedAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
  };
}

function viewDetails(row: TaskRow): Record<string, unknown> {
  const { meta } = row;
  const count = (name: string) => {
    const known = row.outcomeDetails?.[name];
    if (row.status === 'failed' || row.status === 'canceled') return 0;
    return typeof known === 'number' ? known : null;
  };
  switch (meta.kind) {
    case 'documentAdditionOrUpdate': {
      const indexed = count('indexedDocuments');
      return {
        receivedDocuments: meta.receivedDocuments,
        indexedDocuments: row.status === 'succeeded' ? (indexed ?? meta.receivedDocuments) : indexed,
      };
    }
    case 'documentDeletion': {
      const deletedDocuments = count('deletedDocuments');
      if (meta.mode === 'all') return { deletedDocuments };
      if (meta.mode === 'filter') return { providedIds: 0, deletedDocuments, originalFilter: meta.filter };
      return { providedIds: meta.providedIds, deletedDocuments, originalFilter: null };
    }
    case 'settingsUpdate':
      return showWholeLists(hideSecrets(meta.patch));
    case 'indexCreation':
    case 'indexUpdate':
      return { primaryKey: meta.primaryKey };
    case 'indexDeletion':
      return { deletedDocuments: count('deletedDocuments') };
  }
}

/** These two are reset to all attributes, and Meilisearch's details say so. */
function showWholeLists(patch: Record<string, unknown>): Record<string, unknown> {
  const shown = { ...patch };
  for (const key of ['displayedAttributes', 'searchableAttributes'])
    if (shown[key] === null) shown[key] = ['*'];
  return shown;
}

/** A settings patch without the API keys of its embedders, masked as Meilisearch masks them. */
function hideSecrets(patch: Record<string, unknown>): Record<string, unknown> {
  const embedders = patch.embedders;
  if (typeof embedders !== 'object' || embedders === null) return patch;
  const masked = Object.entries(embedders).map(([name, embedder]) => {
    const key = (embedder as { apiKey?: unknown } | null)?.apiKey;
    return [name, typeof key === 'string' ? { ...(embedder as object), apiKey: maskSecret(key) } : embedder];
  });
  return { ...patch, embedders: Object.fromEntries(masked) };
}

/** The first characters of a secret, the rest hidden; the longer it is, the more is shown. */
export function maskSecret(secret: string): string {
  if (secret.length < 10) return 'XXX...';
  if (secret.length < 20) return `${secret.slice(0, 2)}XXXX...`;
  if (secret.length < 30) return `${secret.slice(0, 3)}XXXXX...`;
  return `${secret.slice(0, 5)}XXXXXX...`;
}

/** The time between two RFC 3339 times in ISO 8601, as Meilisearch prints it; null when it would be negative. */
export function duration(startedAt: string, finishedAt: string): string | null {
  const nanos = toNanos(finishedAt) - toNanos(startedAt);
  if (nanos < 0n) return null;
  const second = 1_000_000_000n;
  const day = 86_400n * second;
  const days = nanos / day;
  const seconds = (nanos % day) / second;
  const rest = nanos % second;
  let text = days > 0n ? `P${days}D` : 'P';
  if (seconds === 0n && rest === 0n && days > 0n) return text;
  if (rest === 0n) text += `T${seconds}S`;
  else if (rest % 1_000_000n === 0n) text += `T${seconds}.${String(rest / 1_000_000n).padStart(3, '0')}S`;
  else if (rest % 1_000n === 0n) text += `T${seconds}.${String(rest / 1_000n).padStart(6, '0')}S`;
  else text += `T${seconds}.${String(rest).padStart(9, '0')}S`;
  return text;
}

/** Nanoseconds since 1970 of an RFC 3339 time, without the loss of JavaScript's milliseconds. */
function toNanos(time: string): bigint {
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? '';
  const whole = Date.parse(time.replace(/\.\d+/, ''));
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
