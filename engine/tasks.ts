// Tasks: what the log keeps of them, and how Meilisearch shows and lists them.
import { ApiError, type MeilisearchError } from '../shared/core/errors.js';

export type TaskStatus = 'enqueued' | 'processing' | 'succeeded' | 'failed' | 'canceled';

/** What a task will do; documents travel beside it as raw text. */
export type Operation =
  | {
      do: 'putDocuments';
      replace: boolean;
      primaryKey: string | null;
      mayCreate: boolean;
      skipCreation: boolean;
    }
  | { do: 'deleteIds'; ids: string[] }
  | { do: 'deleteByFilter'; filter: unknown }
  | { do: 'clear' }
  | { do: 'settings'; patch: Record<string, unknown>; mayCreate: boolean; deletion: boolean }
  | { do: 'createIndex'; primaryKey: string | null }
  | { do: 'updateIndex'; primaryKey: string | null | undefined; newUid: string | undefined }
  | { do: 'deleteIndex' };

export interface Task {
  uid: number;
  indexUid: string;
  type: string;
  status: TaskStatus;
  customMetadata?: string;
  operation?: Operation;
  details: Record<string, unknown>;
  error: MeilisearchError | null;
  enqueuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

const STATUSES = ['enqueued', 'processing', 'succeeded', 'failed', 'canceled'];

function durationText(task: Task): string | null {
  if (!task.startedAt || !task.finishedAt) return null;
  return `PT${((Date.parse(task.finishedAt) - Date.parse(task.startedAt)) / 1000).toFixed(9)}S`;
}

/** A task as GET /tasks shows it. */
export function taskView(task: Task): Record<string, unknown> {
  return {
    uid: task.uid,
    batchUid: task.status === 'enqueued' ? null : task.uid,
    indexUid: task.indexUid,
    status: task.status,
    type: task.type,
    canceledBy: null,
    ...(task.operation?.do === 'deleteIndex' || Object.keys(task.details).length > 0
      ? { details: task.details }
      : {}),
    error: task.error,
    duration: durationText(task),
    enqueuedAt: task.enqueuedAt,
    startedAt: task.startedAt,
    finishedAt: task.finishedAt,
    ...(task.customMetadata === undefined ? {} : { customMetadata: task.customMetadata }),
  };
}

/** The answer to an enqueued write. */
export function taskSummary(task: Task): Record<string, unknown> {
  const { uid, indexUid, type, enqueuedAt, customMetadata } = task;
  return {
    taskUid: uid,
    indexUid,
    status: 'enqueued',
    type,
    enqueuedAt,
    ...(customMetadata === undefined ? {} : { customMetadata }),
  };
}

function listOf(text: string | undefined): Set<string> | null {
  if (text === undefined || text === '*') return null;
  return new Set(text.split(',').map((part) => part.trim()));
}

function integer(query: Record<string, string>, name: string, initial: number | null): number | null {
  const text = query[name];
  if (text === undefined) return initial;
  if (/^\d+$/.test(text)) return Number(text);
  throw new ApiError(
    `invalid_task_${name}`,
    `Invalid value in parameter \`${name}\`: could not parse \`${text}\` as a positive integer`,
  );
}

/** GET /tasks: newest first unless reversed. */
export function listTasks(
  tasks: Task[],
  query: Record<string, string>,
  mayRead: (indexUid: string) => boolean,
): Record<string, unknown> {
  const limit = integer(query, 'limit', 20)!;
  const from = integer(query, 'from', null);
  const reverse = query.reverse === 'true';
  const uids = listOf(query.uids);
  const statuses = listOf(query.statuses);
  const types = listOf(query.types);
  const indexUids = listOf(query.indexUids);
  for (const uid of uids ?? []) {
    if (/^\d+$/.test(uid)) continue;
    throw new ApiError(
      'invalid_task_uids',
      `Invalid value in parameter \`uids\`: could not parse \`${uid}\` as a positive integer`,
    );
  }
  for (const status of statuses ?? []) {
    if (STATUSES.includes(status)) continue;
    const known = STATUSES.map((name) => `\`${name}\``).join(', ');
    throw new ApiError(
      'invalid_task_statuses',
      `Invalid value in parameter \`statuses\`: \`${status}\` is not a valid task status. Available statuses are ${known}.`,
    );
  }
  const matching = tasks.filter(
    (task) =>
      mayRead(task.indexUid) &&
      (uids === null || uids.has(String(task.uid))) &&
      (statuses === null || statuses.has(task.status)) &&
      (types === null || types.has(task.type)) &&
      (indexUids === null || indexUids.has(task.indexUid)),
  );
  if (!reverse) matching.reverse();
  const rest = matching.filter((task) => from === null || (reverse ? task.uid >= from : task.uid <= from));
  return {
    results: rest.slice(0, limit).map(taskView),
    total: matching.length,
    limit,
    from: rest[0]?.uid ?? null,
    next: rest[limit]?.uid ?? null,
  };
}
