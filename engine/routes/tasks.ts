// Tasks: one, and the list with its filters.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import type { Query, RouteContext } from '../route-context.js';
import { listTasks, taskView } from '../tasks.js';

export function taskRoutes(app: FastifyInstance, { engine, authorize }: RouteContext): void {
  app.get('/tasks', (request) => {
    const access = authorize(request, 'tasks.get');
    return listTasks([...engine.tasks.values()], request.query as Query, access.allowsIndex);
  });

  app.get('/tasks/:taskUid', (request) => {
    const access = authorize(request, 'tasks.get');
    const { taskUid } = request.params as { taskUid: string };
    if (!/^\d+$/.test(taskUid)) {
      throw new ApiError(
        'invalid_task_uids',
        `Task uid \`${taskUid}\` is invalid. It should only contain numeric characters.`,
      );
    }
    const task = engine.tasks.get(Number(taskUid));
    if (!task || !access.allowsIndex(task.indexUid)) {
      throw new ApiError('task_not_found', `Task \`${taskUid}\` not found.`);
    }
    return taskView(task);
  });
}
