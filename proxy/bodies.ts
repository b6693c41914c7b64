// Request bodies: JSON is read and checked here with Meilisearch's errors; document routes get the untouched stream.
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type {
  FastifyContentTypeParser,
  FastifyContextConfig,
  FastifyInstance,
  FastifyRequest,
} from 'fastify';
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
  const parse: FastifyContentTypeParser = (request, payload, done) => {
    const { rawBody, bodyless } = expectedBody(request);
    if (rawBody || request.is404) return done(null);
    if (request.method === 'DELETE') {
      payload.resume();
      return done(null);
    }
    try {
      if (!bodyless) requireJson(request);
    } catch (error) {
      return done(error as Error);
    }
    readText(payload, request.headers['content-encoding'], payloadLimitBytes, (error, text) => {
      if (error !== null) return done(error);
      if (text === '' && bodyless) return done(null);
      request.bodyText = text;
      parseJson(text, done);
    });
  };
  // Whatever is sent is read; the name spares most requests the work of matching their type against a pattern.
  app.addContentTypeParser(['application/json', '*'], parse);
  // Without a body Fastify skips the parser; Meilisearch still wants the content type first, then a payload.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body !== undefined || request.is404) return done();
    const { rawBody, bodyless } = expectedBody(request);
    if (rawBody || bodyless || !['POST', 'PUT', 'PATCH'].includes(request.method)) return done();
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

interface ExpectedBody {
  rawBody: boolean;
  bodyless: boolean;
}

const known = new WeakMap<FastifyContextConfig, ExpectedBody>();

/** What a request's route wants to be done with its body; found out once a route. */
function expectedBody(request: FastifyRequest): ExpectedBody {
  const { config, url } = request.routeOptions;
  let expected = known.get(config);
  if (expected === undefined) {
    expected = {
      rawBody: config.rawBody ?? /^\/indexes\/:[^/]+\/documents(\/|$)/.test(url ?? ''),
      bodyless: config.bodyless === true,
    };
    known.set(config, expected);
  }
  return expected;
}

function requireJson(request: FastifyRequest): void {
  const given = request.headers['content-type'];
  if (given === 'application/json') return;
  const essence = (given ?? '').replace(/;.*$/s, '').trim().toLowerCase();
  if (/^application\/([^/]+\+)?json$/.test(essence)) return;
  throw wrongContentType(given, ['application/json']);
}

function parseJson(text: string, done: (error: Error | null, body?: unknown) => void): void {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const error =
      text.trim() === ''
        ? new ApiError('missing_payload', 'A json payload is missing.')
        : new ApiError(
            'malformed_payload',
            `The json payload provided is malformed. \`${describeJsonProblem(text)}\`.`,
          );
    done(error);
    return;
  }
  done(null, body);
}

/** Events, not iteration or promises: those would cost each search more than reading its body. */
function readText(
  payload: Readable,
  encoding: string | undefined,
  limitBytes: number,
  done: (error: Error | null, text: string) => void,
): void {
  const source = decoded(payload, encoding);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let ended = false;
  const incomplete = () => {
    if (ended) return;
    ended = true;
    done(new ApiError('bad_request', 'The provided payload is incomplete and cannot be parsed'), '');
  };
  source.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= limitBytes) {
      chunks.push(chunk);
      return;
    }
    ended = true;
    source.removeAllListeners('data');
    source.pause();
    done(payloadTooLarge(limitBytes), '');
  });
  source.once('end', () => {
    if (ended) return;
    ended = true;
    done(null, (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8'));
  });
  source.on('error', incomplete);
  source.once('close', incomplete);
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
