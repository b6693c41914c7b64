// Request bodies: JSON is read and checked here with Meilisearch's errors; document routes get the untouched stream.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../shared/core/errors.js';
import { describeJsonProblem } from './json-problem.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True: the route reads `request.raw` itself. By default only document routes do. */
    rawBody?: boolean;
    /** True: the route takes a body when there is one, but needs none. */
    bodyless?: boolean;
  }
  interface FastifyRequest {
    /** The text of a JSON body, as the client sent it. */
    bodyText: string | null;
  }
}

/** Registers the parsers. Fastify's own would answer with its errors and lose what a number was written as. */
export function registerBodies(app: FastifyInstance, payloadLimitBytes: number): void {
  app.decorateRequest('bodyText', null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if (readsRawBody(request)) return undefined;
    if (request.is404) return undefined;
    if (request.method === 'DELETE') {
      payload.resume();
      return undefined;
    }
    requireJson(request);
    const text = await readText(payload, request.headers['content-encoding'], payloadLimitBytes);
    if (text === '' && takesNoBody(request)) return undefined;
    if (text.trim() === '') throw new ApiError('missing_payload', 'A json payload is missing.');
    request.bodyText = text;
    try {
      return JSON.parse(text);
    } catch {
      throw new ApiError(
        'malformed_payload',
        `The json payload provided is malformed. \`${describeJsonProblem(text)}\`.`,
      );
    }
  });
  // Without a body Fastify skips the parser; Meilisearch still wants the content type first, then a payload.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body !== undefined || request.is404 || readsRawBody(request)) return done();
    if (!['POST', 'PUT', 'PATCH'].includes(request.method) || takesNoBody(request)) return done();
    try {
      requireJson(request);
    } catch (error) {
      return done(error as Error);
    }
    done(new ApiError('missing_payload', 'A json payload is missing.'));
  });
}

/** A payload larger than the limit, in Meilisearch's words. */
export function payloadTooLarge(limitBytes: number): ApiError {
  return new ApiError(
    'payload_too_large',
    `The provided payload reached the size limit. The maximum accepted payload size is ${formatBytes(limitBytes)}.`,
  );
}

/** The error for a content type that a route does not take. */
export function wrongContentType(given: string | undefined, accepted: readonly string[]): ApiError {
  const list = accepted.map((type) => `\`${type}\``).join(', ');
  if (given === undefined) {
    return new ApiError(
      'missing_content_type',
      `A Content-Type header is missing. Accepted values for the Content-Type header are: ${list}`,
    );
  }
  return new ApiError(
    'invalid_content_type',
    `The Content-Type \`${given}\` is invalid. Accepted values for the Content-Type header are: ${list}`,
  );
}

/** The content types that a route takes. */
export function acceptedTypes(request: FastifyRequest): readonly string[] {
  const additions = /^\/indexes\/:[^/]+\/documents\/?$/.test(request.routeOptions.url ?? '');
  return additions ? ['application/json', 'application/x-ndjson', 'text/csv'] : ['application/json'];
}

function readsRawBody(request: FastifyRequest): boolean {
  const chosen = request.routeOptions.config.rawBody;
  return chosen ?? /^\/indexes\/:[^/]+\/documents(\/|$)/.test(request.routeOptions.url ?? '');
}

function takesNoBody(request: FastifyRequest): boolean {
  return request.routeOptions.config.bodyless === true;
}

function requireJson(request: FastifyRequest): void {
  if (takesNoBody(request)) return;
  const given = request.headers['content-type'];
  const essence = (given ?? '').replace(/;.*$/s, '').trim().toLowerCase();
  if (/^application\/([^/]+\+)?json$/.test(essence)) return;
  throw wrongContentType(given, ['application/json']);
}

async function readText(
  payload: Readable,
  encoding: string | undefined,
  limitBytes: number,
): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Events, not iteration: that would cost each search more than reading its body.
  await new Promise<void>((resolve, reject) => {
    const source = decoded(payload, encoding);
    let ended = false;
    const incomplete = () => {
      if (ended) return;
      ended = true;
      reject(new ApiError('bad_request', 'The provided payload is incomplete and cannot be parsed'));
    };
    source.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) {
        chunks.push(chunk);
        return;
      }
      source.removeAllListeners('data');
      source.pause();
      reject(payloadTooLarge(limitBytes));
    });
    source.once('end', () => {
      ended = true;
      resolve();
    });
    source.on('error', incomplete);
    source.once('close', incomplete);
  });
  return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8');
}

/** Undoes the Content-Encoding of a payload. */
export function decoded(payload: Readable, encoding: string | undefined): Readable {
  const decoder =
    encoding === 'gzip'
      ? createGunzip()
      : encoding === 'deflate'
        ? createInflate()
        : encoding === 'br'
          ? createBrotliDecompress()
          : null;
  if (decoder === null) return payload;
  payload.once('error', (error) => decoder.destroy(error));
  return payload.pipe(decoder);
}

/** Bytes as Meilisearch prints a limit: binary units when they divide it by 1,024, decimal ones otherwise. */
export function formatBytes(bytes: number): string {
  const [step, units] =
    bytes % 1024 === 0
      ? ([1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']] as const)
      : ([1000, ['B', 'KB', 'MB', 'GB', 'TB']] as const);
  let value = bytes;
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  return `${value} ${units[unit]}`;
}
