// Meilisearch's routes that Miroir does not have yet: they say so, instead of looking like typing errors.
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { ApiError } from '../shared/core/errors.js';

export const UNSUPPORTED_ROUTES: readonly (readonly [HTTPMethods, string])[] = [
  ['DELETE', '/tasks'],
  ['POST', '/tasks/cancel'],
  ['POST', '/tasks/compact'],
  ['GET', '/tasks/:taskUid/documents'],
  ['GET', '/batches'],
  ['GET', '/batches/:batchUid'],
  ['POST', '/swap-indexes'],
  ['POST', '/dumps'],
  ['POST', '/snapshots'],
  ['POST', '/export'],
  ['GET', '/keys'],
  ['POST', '/keys'],
  ['GET', '/keys/:key'],
  ['PATCH', '/keys/:key'],
  ['DELETE', '/keys/:key'],
  ['GET', '/webhooks'],
  ['POST', '/webhooks'],
  ['GET', '/webhooks/:uuid'],
  ['PATCH', '/webhooks/:uuid'],
  ['DELETE', '/webhooks/:uuid'],
  ['POST', '/logs/stream'],
  ['DELETE', '/logs/stream'],
  ['POST', '/logs/stderr'],
  ['GET', '/experimental-features'],
  ['PATCH', '/experimental-features'],
  ['GET', '/network'],
  ['PATCH', '/network'],
  ['POST', '/network/control'],
  ['GET', '/dynamic-search-rules'],
  ['POST', '/dynamic-search-rules'],
  ['DELETE', '/dynamic-search-rules'],
  ['GET', '/dynamic-search-rules/:uid'],
  ['PATCH', '/dynamic-search-rules/:uid'],
  ['DELETE', '/dynamic-search-rules/:uid'],
  ['GET', '/chats'],
  ['GET', '/chats/:workspace'],
  ['DELETE', '/chats/:workspace'],
  ['GET', '/chats/:workspace/settings'],
  ['PATCH', '/chats/:workspace/settings'],
  ['DELETE', '/chats/:workspace/settings'],
  ['POST', '/chats/:workspace/chat/completions'],
  ['POST', '/render-template'],
  ['POST', '/indexes/:indexUid/documents/edit'],
  ['POST', '/indexes/:indexUid/fields'],
  ['POST', '/indexes/:indexUid/compact'],
];

/** The error for a route, or a part of one, that Meilisearch has and Miroir does not have yet. */
export function notSupported(what: string): ApiError {
  return new ApiError('miroir_not_supported', `${what} is not supported by Miroir yet.`);
}

/** Registers every unsupported route that no other file has registered. */
export function registerUnsupportedRoutes(app: FastifyInstance): void {
  for (const [method, url] of UNSUPPORTED_ROUTES) {
    if (app.hasRoute({ method, url })) continue;
    app.route({
      method,
      url,
      config: { rawBody: true },
      handler: async (request) => {
        request.raw.resume();
        throw notSupported(`The route \`${method} ${request.url.split('?')[0]}\``);
      },
    });
  }
}
