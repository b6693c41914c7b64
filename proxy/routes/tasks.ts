// Tasks: the journal's entries as Meilisearch shows them, one or filtered in pages.
import type { FastifyInstance } from 'fastify';
import type { TaskStatus } from '../../shared/core/entries.js';
import { ApiError } from '../../shared/core/errors.js';
import { indexUidProblem } from '../../shared/core/field-errors.js';
import { TASK_STATUSES, TASK_TYPES, viewTask } from '../../shared/core/tasks.js';
import type { TaskFilter } from '../../shared/io/store.js';
import type { ProxyContext } from '../context.js';
import {
  booleanParameter,
  checkParameters,
  integerParameter,
  listParameter,
  parseUid,
  type Query,
  timeParameter,
} from '../parameters.js';

const PARAMETERS = [
  'limit',
  'from',
  'reverse',
  'batchUids',
  'uids',
  'canceledBy',
  'types',
  'statuses',
  'indexUids',
  'afterEnqueuedAt',
  'beforeEnqueuedAt',
  'afterStartedAt',
  'beforeStartedAt',
  'afterFinishedAt',
  'beforeFinishedAt',
] as const;

const UID_MAX = 0xffff_ffff;

function parseStatus(item: string): TaskStatus {
  const found = TASK_STATUSES.find((status) => status.toLowerCase() === item.toLowerCase());
  if (found !== undefined) return found;
  const available = TASK_STATUSES.map((status) => `\`${status}\``).join(', ');
  throw `\`${item}\` is not a valid task status. Available statuses are ${available}.`;
}

function parseType(item: string): string {
  const found = TASK_TYPES.find((type) => type.toLowerCase() === item.toLowerCase());
  if (found !== undefined) return found;
  const available = TASK_TYPES.map((type) => `\`${type}\``).join(', ');
  throw `\`${item}\` is not a valid task type. Available types are ${available}.`;
}

function parseIndexUid(item: string): string {
  const problem = indexUidProblem(item);
  if (problem !== null) throw problem;
  return item;
}

/** The filter that a query asks for; null when it can match nothing. */
function readFilter(query: Query): { filter: TaskFilter | null; limit: number } {
  checkParameters(query, PARAMETERS);
  const limit = integerParameter(query, 'limit', 'invalid_task_limit', UID_MAX) ?? 20;
  const filter: TaskFilter = {
    limit,
    from: integerParameter(query, 'from', 'invalid_task_from', UID_MAX),
    reverse: booleanParameter(query, 'reverse', 'invalid_task_reverse'),
    uids: listParameter(query, 'uids', 'invalid_task_uids', parseUid),
    types: listParameter(query, 'types', 'invalid_task_types', parseType),
    statuses: listParameter(query, 'statuses', 'invalid_task_statuses', parseStatus),
    indexUids: listParameter(query, 'indexUids', 'invalid_index_uid', parseIndexUid),
    afterEnqueuedAt: timeParameter(query, 'afterEnqueuedAt', 'invalid_task_after_enqueued_at', 'after'),
    beforeEnqueuedAt: timeParameter(query, 'beforeEnqueuedAt', 'invalid_task_before_enqueued_at', 'before'),
    afterStartedAt: timeParameter(query, 'afterStartedAt', 'invalid_task_after_started_at', 'after'),
    beforeStartedAt: timeParameter(query, 'beforeStartedAt', 'invalid_task_before_started_at', 'before'),
    afterFinishedAt: timeParameter(query, 'afterFinishedAt', 'invalid_task_after_finished_at', 'after'),
    beforeFinishedAt: timeParameter(query, 'beforeFinishedAt', 'invalid_task_before_finished_at', 'before'),
  };
  const batchUids = listParameter(query, 'batchUids', 'invalid_batch_uids', parseUid);
  // Nothing cancels tasks here.
  const canceledBy = listParameter(query, 'canceledBy', 'invalid_task_canceled_by', parseUid);
  const lists = [filter.uids, filter.types, filter.statuses, filter.indexUids, batchUids];
  if (canceledBy !== undefined || lists.some((list) => list?.length === 0)) return { filter: null, limit };
  if (batchUids !== undefined) {
    // A task is its own batch from the moment in which it starts.
    filter.uids = filter.uids?.filter((uid) => batchUids.includes(uid)) ?? batchUids;
    filter.statuses = (filter.statuses ?? [...TASK_STATUSES]).filter((status) => status !== 'enqueued');
    if (filter.uids.length === 0 || filter.statuses.length === 0) return { filter: null, limit };
  }
  return { filter, limit };
}

export function registerTaskRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.get<{ Querystring: Record<string, string> }>('/tasks', async (request) => {
    const { filter, limit } = readFilter(request.query);
    if (filter === null) return { results: [], total: 0, limit, from: null, next: null };
    const { rows, total, next } = await ctx.store.listTasks(filter);
    return { results: rows.map(viewTask), total, limit, from: rows[0]?.uid ?? null, next };
  });

  app.get<{ Params: { taskUid: string } }>('/tasks/:taskUid', async (request) => {
    const { taskUid } = request.params;
    const uid = /^\+?[0-9]+$/.test(taskUid) ? Number(taskUid) : Number.NaN;
    if (!(uid <= UID_MAX)) {
      throw new ApiError(
        'invalid_task_uids',
        `Task uid \`${taskUid}\` is invalid. It should only contain numeric characters.`,
      );
    }
    const row = await ctx.store.readTask(uid);
    if (row === null) throw new ApiError('task_not_found', `Task \`${uid}\` not found.`);
    return viewTask(row);
  });
}
