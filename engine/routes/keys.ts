// API keys.
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { jsonBody } from '../bodies.js';
import type { Query, RouteContext } from '../route-context.js';

const IMMUTABLE = ['uid', 'actions', 'indexes', 'expiresAt', 'createdAt', 'updatedAt'];

export function keyRoutes(app: FastifyInstance, { engine, authorize }: RouteContext): void {
  const { keys } = engine;

  app.post('/keys', async (request, reply) => {
    authorize(request, 'keys.create');
    const key = keys.draft(jsonBody(request), new Date().toISOString());
    await engine.putKey(key);
    return reply.code(201).send(keys.view(key));
  });

  app.get('/keys', (request) => {
    authorize(request, 'keys.get');
    const query = request.query as Query;
    const [offset, limit] = [Number(query.offset ?? 0), Number(query.limit ?? 20)];
    const all = keys.all().map((key) => keys.view(key));
    return { results: all.slice(offset, offset + limit), offset, limit, total: all.length };
  });

  app.get('/keys/:key', (request) => {
    authorize(request, 'keys.get');
    return keys.view(keys.find((request.params as { key: string }).key));
  });

  app.patch('/keys/:key', async (request) => {
    authorize(request, 'keys.update');
    const patch = jsonBody<{ name?: string; description?: string }>(request);
    for (const field of Object.keys(patch)) {
      if (!IMMUTABLE.includes(field)) continue;
      const snake = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const known = '`description`, `name`';
      throw new ApiError(
        `immutable_api_key_${snake}`,
        `Immutable field \`${field}\`: expected one of ${known}`,
        400,
      );
    }
    const key = keys.find((request.params as { key: string }).key);
    const changed = {
      ...key,
      ...('name' in patch ? { name: patch.name ?? null } : {}),
      ...('description' in patch ? { description: patch.description ?? null } : {}),
      updatedAt: new Date().toISOString(),
    };
    await engine.putKey(changed);
    return keys.view(changed);
  });

  app.delete('/keys/:key', async (request, reply) => {
    authorize(request, 'keys.delete');
    await engine.removeKey(keys.find((request.params as { key: string }).key).uid);
    return reply.code(204).send();
  });
}
