// The engine's HTTP surface in Meilisearch's shapes; it does not listen.
import Fastify, { type FastifyInstance } from 'fastify';
import { ApiError } from '../shared/core/errors.js';
import type { Engine } from './engine.js';
import type { RouteContext } from './route-context.js';
import { documentRoutes } from './routes/documents.js';
import { faultRoutes } from './routes/faults.js';
import { indexRoutes } from './routes/indexes.js';
import { keyRoutes } from './routes/keys.js';
import { searchRoutes } from './routes/search.js';
import { settingRoutes } from './routes/settings.js';
import { systemRoutes } from './routes/system.js';
import { taskRoutes } from './routes/tasks.js';
import { taskSummary } from './tasks.js';

const BODY_LIMIT_BYTES = 100 * 1024 * 1024;
function tooLarge(): ApiError {
  return new ApiError(
    'payload_too_large',
    'The provided payload reached the size limit. The maximum accepted payload size is 100 MiB.',
  );
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, message, statusCode } = error as { code?: string; message?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge();
  if (statusCode !== undefined && statusCode < 500)
    return new ApiError('bad_request', message ?? 'Bad request.');
  return new ApiError('internal', `Internal error: ${error instanceof Error ? error.stack : String(error)}`);
}

/** Builds the app around an open engine. */
export function buildApp(engine: Engine): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 600 },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => {
    const shown = asApiError(error);
    reply.code(shown.status).send(shown.toJSON());
  });
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send();
  });
  const context: RouteContext = {
    engine,
    authorize: (request, action, indexUid) =>
      engine.keys.authorize(request.headers.authorization, action, indexUid),
    accept: async (reply, request) => {
      const task = await engine.enqueue(request);
      if (await engine.faults?.dropsResponse(task)) {
        reply.hijack();
        reply.raw.destroy();
        return reply;
      }
      return reply.code(202).send(taskSummary(task));
    },
  };
  systemRoutes(app, context);
  keyRoutes(app, context);
  indexRoutes(app, context);
  settingRoutes(app, context);
  documentRoutes(app, context);
  searchRoutes(app, context);
  taskRoutes(app, context);
  if (engine.faults) faultRoutes(app, engine.faults);
  return app;
}
