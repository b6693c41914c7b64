// The engine's HTTP surface in Meilisearch's shapes; it does not listen.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ApiError } from '../shared/core/errors.js';
import type { Engine, Enqueue } from './engine.js';
import type { Access } from './keys.js';
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
const INDEX_UID = /^[A-Za-z0-9_-]{1,400}$/;

/** What routes need: the engine, the right to use it, and the way to enqueue. */
export interface RouteContext {
  engine: Engine;
  authorize: (request: FastifyRequest, action: string, indexUid?: string) => Access;
  /** Enqueues and answers 202. */
  accept: (reply: FastifyReply, request: Enqueue) => Promise<FastifyReply>;
}

export type Query = Record<string, string>;

/** The index uid of a request's path, checked. */
export function indexUidOf(request: FastifyRequest): string {
  const { uid } = request.params as { uid: string };
  checkIndexUid(uid, '');
  return uid;
}

export function checkIndexUid(uid: string, lead: string): void {
  if (INDEX_UID.test(uid)) return;
  throw new ApiError(
    'invalid_index_uid',
    `${lead}\`${uid}\` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.`,
  );
}

/** Answers JSON that is already text. */
export function sendJson(reply: FastifyReply, text: string, status = 200): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(text);
}

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
