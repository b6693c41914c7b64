// Every error of a request becomes an answer in Meilisearch's shape; what is unexpected is logged and stays unnamed.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, meilisearchError } from '../shared/core/errors.js';
import { NodeRefusal, NodeUnreachable } from '../shared/io/node-client.js';
import { StateConflict } from '../shared/io/store.js';
import { StoreUnavailable } from '../shared/io/store-failure.js';
import { acceptedTypes, payloadTooLarge, wrongContentType } from './bodies.js';

const JSON_WITH_CHARSET = 'application/json; charset=utf-8';

export function registerReplies(app: FastifyInstance, payloadLimitBytes: number): void {
  const known: RegExp[] = [];
  app.addHook('onRoute', ({ url }) => {
    const pattern = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+');
    known.push(new RegExp(`^${pattern}/?$`));
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!;
    if (path === '/_miroir' || path.startsWith('/_miroir/')) {
      const message = `The route \`${request.method} ${path}\` does not exist.`;
      return reply.code(404).send(meilisearchError('not_found', message));
    }
    // Meilisearch answers without a body, and tells a wrong method from a wrong path.
    return reply.code(known.some((route) => route.test(path)) ? 405 : 404).send();
  });
  // Fastify would add a charset, which JSON does not have and Meilisearch does not send.
  app.addHook('preSerialization', async (_request, reply, payload) => {
    if (JSON_WITH_CHARSET === reply.getHeader('content-type'))
      reply.header('content-type', 'application/json');
    return payload;
  });
  app.setErrorHandler((error: unknown, request, reply) => {
    sendError(toApiError(error, request, payloadLimitBytes), request, reply);
  });
}

function sendError(error: ApiError, request: FastifyRequest, reply: FastifyReply): void {
  // A body that nobody will read must not keep the connection half used.
  if (!request.raw.readableEnded && request.raw.readable) {
    request.raw.resume();
    reply.header('connection', 'close');
  }
  reply.code(error.status).send(error.toJSON());
}

function toApiError(error: unknown, request: FastifyRequest, payloadLimitBytes: number): ApiError {
  if (error instanceof ApiError) {
    if (error.status >= 500) request.log.warn({ code: error.code }, error.message);
    return error;
  }
  if (error instanceof StoreUnavailable) {
    request.log.error({ err: error }, 'the state store failed');
    return new ApiError('miroir_store_unavailable', error.message);
  }
  if (error instanceof StateConflict) return new ApiError(error.code, error.message);
  if (error instanceof NodeUnreachable) {
    request.log.warn({ err: error }, 'a node does not answer');
    return new ApiError('miroir_node_unreachable', error.message);
  }
  if (error instanceof NodeRefusal) {
    request.log.warn({ err: error, node: error.nodeId }, 'a node refused a request');
    // A node's key problems are ours, never the client's.
    if (error.status === 401 || error.status === 403) {
      return new ApiError('miroir_node_unreachable', `node ${error.nodeId} does not accept its key`);
    }
    return new ApiError(error.code, error.message, error.status);
  }
  const code = (error as Partial<FastifyError>).code;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return payloadTooLarge(payloadLimitBytes);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return wrongContentType(request.headers['content-type'], acceptedTypes(request));
  }
  const status = (error as Partial<FastifyError>).statusCode;
  if (typeof code === 'string' && code.startsWith('FST_') && status !== undefined && status < 500) {
    return new ApiError('bad_request', (error as Error).message, status);
  }
  request.log.error({ err: error }, 'a request failed');
  return new ApiError('internal', 'An internal error has occurred. See the log of the proxy.');
}
