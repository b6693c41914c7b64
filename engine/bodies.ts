// Request bodies: JSON, and documents as compact JSON texts that keep what the client wrote.
import { gunzipSync } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../shared/core/errors.js';
import { compactJson, splitArray } from './raw-json.js';

const ACCEPTED = '`application/json`, `application/x-ndjson`, `text/csv`';

function bodyText(request: FastifyRequest): string {
  const raw = request.body as Buffer | undefined;
  if (!raw || raw.length === 0) return '';
  const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
  return bytes.toString('utf8');
}

function contentType(request: FastifyRequest, accepted: string): string {
  const header = request.headers['content-type'];
  if (header === undefined) {
    throw new ApiError(
      'missing_content_type',
      `A Content-Type header is missing. Accepted values for the Content-Type header are: ${accepted}`,
    );
  }
  return header.split(';')[0]!.trim().toLowerCase();
}

function refuseType(type: string, accepted: string): ApiError {
  return new ApiError(
    'invalid_content_type',
    `The Content-Type \`${type}\` is invalid. Accepted values for the Content-Type header are: ${accepted}`,
  );
}

/** The text of a JSON body, checked. */
export function jsonText(request: FastifyRequest): string {
  const type = contentType(request, '`application/json`');
  if (type !== 'application/json') throw refuseType(type, '`application/json`');
  const text = bodyText(request);
  if (text.trim() === '') throw new ApiError('missing_payload', 'A json payload is missing.');
  try {
    JSON.parse(text);
  } catch (error) {
    throw new ApiError('malformed_payload', `The json payload provided is malformed. \`${reason(error)}\`.`);
  }
  return text;
}

/** A parsed JSON body. */
export function jsonBody<T = Record<string, unknown>>(request: FastifyRequest): T {
  return JSON.parse(jsonText(request)) as T;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function malformed(type: string, error: unknown): ApiError {
  return new ApiError(
    'malformed_payload',
    `The \`${type}\` payload provided is malformed. \`Couldn't serialize document value: ${reason(error)}\`.`,
  );
}

function notDocuments(type: string): ApiError {
  return malformed(type, 'data are neither an object nor a list of objects');
}

/** The documents of a write, one compact text each. */
export function documentTexts(request: FastifyRequest): string[] {
  const type = contentType(request, ACCEPTED);
  if (type !== 'application/json' && type !== 'application/x-ndjson') throw refuseType(type, ACCEPTED);
  const name = type === 'application/json' ? 'json' : 'ndjson';
  const text = bodyText(request);
  if (text.trim() === '') throw new ApiError('missing_payload', `A ${name} payload is missing.`);
  const texts: string[] = [];
  const add = (value: unknown, compact: string) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notDocuments(name);
    texts.push(compact);
  };
  try {
    if (name === 'ndjson') {
      for (const line of text.split('\n')) if (line.trim() !== '') add(JSON.parse(line), compactJson(line));
      return texts;
    }
    const parsed = JSON.parse(text) as unknown;
    const compact = compactJson(text);
    if (!Array.isArray(parsed)) add(parsed, compact);
    else for (const [at, element] of splitArray(compact).entries()) add(parsed[at], element);
    return texts;
  } catch (error) {
    throw error instanceof SyntaxError ? malformed(name, error) : error;
  }
}

/** A list of document ids as texts, numbers with their own digits. */
export function idTexts(request: FastifyRequest): string[] {
  const compact = compactJson(jsonText(request));
  if (!compact.startsWith('[')) {
    throw new ApiError('bad_request', 'Invalid value type: expected an array of document ids');
  }
  return splitArray(compact).map((text) => (text.startsWith('"') ? (JSON.parse(text) as string) : text));
}
