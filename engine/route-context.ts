// What every route needs: the engine, the right to use it, the way to enqueue, and the index that a path names.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../shared/core/errors.js';
import type { Engine, Enqueue } from './engine.js';
import type { Access } from './keys.js';

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
