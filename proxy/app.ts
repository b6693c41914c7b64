// The proxy as a Fastify app without a socket: client authentication, bodies, errors and all routes.
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { authorizeClient } from './auth.js';
import { registerBodies } from './bodies.js';
import type { ProxyContext } from './context.js';
import { registerReplies } from './replies.js';
import { registerHealthRoutes } from './routes/health.js';
import { registerIndexRoutes } from './routes/indexes.js';
import { registerMetrics } from './routes/metrics.js';
import { registerSettingsRoutes } from './routes/settings.js';
import { registerStatsRoutes } from './routes/stats.js';
import { registerTaskRoutes } from './routes/tasks.js';
import { registerUnsupportedRoutes } from './unsupported.js';

/** Registers the routes of one file. */
export type RouteGroup = (app: FastifyInstance, ctx: ProxyContext) => void | Promise<void>;

/** Paths that ask for no client key: liveness, and the admin API, which has its own. */
function isOpen(path: string): boolean {
  return path === '/health' || path === '/' || path === '/_miroir' || path.startsWith('/_miroir/');
}

function pathOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}

/** Builds the app. `groups` are the routes that live in files of their own (documents, search, admin). */
export async function buildApp(
  ctx: ProxyContext,
  groups: readonly RouteGroup[] = [],
): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: ctx.log,
    // A line per request would cost more than the request.
    logController: new LogController({ disableRequestLogging: true }),
    // So would a logger of its own for each request, whose redaction is prepared anew.
    childLoggerFactory: (logger) => logger,
    bodyLimit: ctx.options.payloadLimitBytes,
    // An upload may take as long as it moves; a client that sends no headers may not.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 2_048 },
  });
  registerBodies(app, ctx.options.payloadLimitBytes);
  registerReplies(app, ctx.options.payloadLimitBytes);

  // Hooks on the path of every request take callbacks: an async one costs a promise each.
  app.addHook('onRequest', (request, reply, done) => {
    // Meilisearch answers browsers of every origin; its keys are the protection.
    reply.header('access-control-allow-origin', '*');
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      const headers = request.headers['access-control-request-headers'];
      reply.header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE');
      reply.header('access-control-allow-headers', headers ?? '*');
      reply.header('access-control-max-age', '86400');
      reply.code(200).send();
      return;
    }
    try {
      if (!request.is404 && !isOpen(pathOf(request.url))) {
        authorizeClient(request.headers.authorization, ctx.options.masterKey);
      }
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  });

  registerMetrics(app, ctx);
  registerHealthRoutes(app, ctx);
  registerStatsRoutes(app, ctx);
  registerTaskRoutes(app, ctx);
  registerIndexRoutes(app, ctx);
  registerSettingsRoutes(app, ctx);
  for (const group of groups) await group(app, ctx);
  registerUnsupportedRoutes(app);
  return app;
}
