// Settings, whole and one by one.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireIndex } from '../application.js';
import { jsonBody } from '../bodies.js';
import { indexUidOf, type RouteContext } from '../route-context.js';
import { checkSettings, SETTING_ROUTES } from '../settings.js';

/** Meilisearch shows the two lists with a default of `*` as that default. */
function resetDetails(patch: Record<string, unknown>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const name of ['displayedAttributes', 'searchableAttributes']) if (name in patch) shown[name] = ['*'];
  return shown;
}

export function settingRoutes(app: FastifyInstance, { engine, authorize, accept }: RouteContext): void {
  const read = (request: FastifyRequest) => {
    const uid = indexUidOf(request);
    authorize(request, 'settings.get', uid);
    return requireIndex(engine.indexes, uid).settings;
  };
  const update = (request: FastifyRequest, patch: unknown, deletion: boolean) => {
    const indexUid = indexUidOf(request);
    const access = authorize(request, 'settings.update', indexUid);
    checkSettings(patch);
    return {
      indexUid,
      type: 'settingsUpdate',
      operation: {
        do: 'settings' as const,
        patch,
        mayCreate: !deletion && access.allows('indexes.create', indexUid),
        deletion,
      },
      details: deletion ? { ...patch, ...resetDetails(patch) } : patch,
    };
  };
  const reset = Object.fromEntries([...SETTING_ROUTES.values()].map((name) => [name, null]));

  app.get('/indexes/:uid/settings', read);
  app.patch('/indexes/:uid/settings', (request, reply) =>
    accept(reply, update(request, jsonBody(request), false)),
  );
  app.delete('/indexes/:uid/settings', (request, reply) => accept(reply, update(request, reset, true)));

  for (const [route, name] of SETTING_ROUTES) {
    const path = `/indexes/:uid/settings/${route}`;
    app.get(path, (request, reply) => {
      const value = (read(request) as unknown as Record<string, unknown>)[name] ?? null;
      return reply.header('content-type', 'application/json').send(JSON.stringify(value));
    });
    app.route({
      method: ['PUT', 'PATCH'],
      url: path,
      handler: (request, reply) =>
        accept(reply, update(request, { [name]: jsonBody<unknown>(request) }, false)),
    });
    app.delete(path, (request, reply) => accept(reply, update(request, { [name]: null }, true)));
  }
}
