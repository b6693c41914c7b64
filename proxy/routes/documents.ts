// The document routes: adding, deleting and reading documents, with Meilisearch's parameters, answers and errors.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { requireIndexUid, unknownField, wrongKind } from '../../shared/core/field-errors.js';
import { printCompact } from '../../shared/core/json-print.js';
import { cutArray, textOf } from '../../shared/core/json-text.js';
import type { TaskSummary } from '../../shared/core/tasks.js';
import { decoded, wrongContentType } from '../bodies.js';
import type { ProxyContext } from '../context.js';
import { readFetchBody, readFetchParameters, readFields } from '../documents/fetch-query.js';
import { readDocument, readDocuments, referFetch } from '../documents/read-documents.js';
import { booleanParameter, checkParameters, type Query, textParameter } from '../parameters.js';
import { notSupported } from '../unsupported.js';
import { deleteAll, deleteByFilter, deleteByIds } from '../write/deletion.js';
import { ingestDocuments } from '../write/ingest.js';
import type { PayloadFormat } from '../write/payload.js';

interface ByIndex {
  Params: { indexUid: string };
  Querystring: Record<string, string | string[] | undefined>;
}
interface ById {
  Params: { indexUid: string; documentId: string };
  Querystring: Record<string, string | string[] | undefined>;
}

/** JSON bodies of these routes are read and checked before the route, like everywhere else. */
const JSON_BODY = { config: { rawBody: false } };

/** Registers the document routes. */
export function registerDocumentRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  const add = (method: 'replace' | 'update') => async (request: FastifyRequest, reply: FastifyReply) => {
    const query = request.query as Query;
    checkParameters(query, ['primaryKey', 'csvDelimiter', 'customMetadata', 'skipCreation']);
    const delimiter = readDelimiter(query);
    refuseSkipCreation(query);
    const indexUid = requireIndexUid((request.params as { indexUid: string }).indexUid);
    const format = readFormat(request.headers['content-type'], delimiter);
    refuseMetadata(query);
    const task = await ingestDocuments(ctx, {
      indexUid,
      method,
      primaryKey: textParameter(query, 'primaryKey') ?? null,
      format,
      body: decoded(request.raw, request.headers['content-encoding']),
    });
    return accept(reply, task);
  };
  app.post('/indexes/:indexUid/documents', { config: { rawBody: true } }, add('replace'));
  app.put('/indexes/:indexUid/documents', { config: { rawBody: true } }, add('update'));

  app.delete<ByIndex>('/indexes/:indexUid/documents', JSON_BODY, async (request, reply) => {
    const uid = readTarget(request.query, request.params.indexUid);
    return accept(reply, await deleteAll(ctx, uid));
  });

  app.delete<ById>('/indexes/:indexUid/documents/:documentId', JSON_BODY, async (request, reply) => {
    const uid = readTarget(request.query, request.params.indexUid);
    return accept(reply, await deleteByIds(ctx, uid, [request.params.documentId]));
  });

  app.post<ByIndex>('/indexes/:indexUid/documents/delete-batch', JSON_BODY, async (request, reply) => {
    const uid = readTarget(request.query, request.params.indexUid);
    return accept(reply, await deleteByIds(ctx, uid, readIds(request)));
  });

  app.post<ByIndex>('/indexes/:indexUid/documents/delete', JSON_BODY, async (request, reply) => {
    const filter = readFilter(request.body);
    const uid = readTarget(request.query, request.params.indexUid);
    return accept(reply, await deleteByFilter(ctx, uid, filter));
  });

  app.get<ByIndex>('/indexes/:indexUid/documents', async (request, reply) => {
    const query = readFetchParameters(request.query);
    const { filter } = query;
    if (filter !== undefined && typeof filter !== 'string' && !Array.isArray(filter)) {
      await referFetch(ctx, request.params.indexUid, JSON.stringify({ filter }));
    }
    return sendJson(reply, await readDocuments(ctx, request.params.indexUid, query));
  });

  app.post<ByIndex>('/indexes/:indexUid/documents/fetch', JSON_BODY, async (request, reply) => {
    const query = readFetchBody(request.body);
    if (query === null) return referFetch(ctx, request.params.indexUid, request.bodyText!);
    return sendJson(reply, await readDocuments(ctx, request.params.indexUid, query));
  });

  app.get<ById>('/indexes/:indexUid/documents/:documentId', async (request, reply) => {
    checkParameters(request.query, ['fields', 'retrieveVectors', 'useNetwork']);
    const retrieveVectors =
      booleanParameter(request.query, 'retrieveVectors', 'invalid_document_retrieve_vectors') ?? false;
    const { indexUid, documentId } = request.params;
    const fields = readFields(request.query);
    return sendJson(reply, await readDocument(ctx, indexUid, documentId, { fields, retrieveVectors }));
  });
}

function accept(reply: FastifyReply, task: TaskSummary): FastifyReply {
  return reply.code(202).send(task);
}

function sendJson(reply: FastifyReply, body: Uint8Array): FastifyReply {
  return reply
    .code(200)
    .header('content-type', 'application/json')
    .send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
}

function readTarget(query: Query, indexUid: string): string {
  checkParameters(query, ['customMetadata']);
  refuseMetadata(query);
  return requireIndexUid(indexUid);
}

function refuseMetadata(query: Query): void {
  if (textParameter(query, 'customMetadata') !== undefined) {
    throw notSupported('The parameter `customMetadata`');
  }
}

function refuseSkipCreation(query: Query): void {
  const text = textParameter(query, 'skipCreation');
  if (text === undefined || text.toLowerCase() === 'false') return;
  if (text.toLowerCase() === 'true') throw notSupported('The parameter `skipCreation`');
  throw new ApiError(
    'invalid_skip_creation',
    `skipCreation must be either \`true\` or \`false\`. Found: \`${text}\``,
  );
}

function readDelimiter(query: Query): number | null {
  const text = textParameter(query, 'csvDelimiter');
  if (text === undefined) return null;
  const code = 'invalid_document_csv_delimiter';
  const characters = [...text];
  if (characters.length !== 1) {
    const found =
      characters.length === 0
        ? 'an empty string'
        : `the following string of ${characters.length} characters: \`${text}\``;
    throw new ApiError(
      code,
      `Invalid value in parameter \`csvDelimiter\`: expected a string of one character, but found ${found}`,
    );
  }
  const delimiter = characters[0]!.codePointAt(0)!;
  if (delimiter > 0x7f) {
    throw new ApiError(code, `csv delimiter must be an ascii character. Found: \`${text}\``);
  }
  return delimiter;
}

const ACCEPTED = ['application/json', 'application/x-ndjson', 'text/csv'];

function readFormat(header: string | undefined, delimiter: number | null): PayloadFormat {
  if (header === undefined) throw wrongContentType(undefined, ACCEPTED);
  const essence = /^\s*([^\s;/]+\/[^\s;/]+)\s*(?:;|$)/.exec(header)?.[1]?.toLowerCase();
  if (essence === 'text/csv') return { kind: 'csv', delimiter: delimiter ?? 0x2c };
  if (essence === undefined || !ACCEPTED.includes(essence))
    throw wrongContentType(essence ?? header, ACCEPTED);
  if (delimiter !== null) {
    throw new ApiError(
      'invalid_content_type',
      `The Content-Type \`${essence}\` does not support the use of a csv delimiter. The csv delimiter can only be ` +
        'used with the Content-Type `text/csv`.',
    );
  }
  return { kind: essence === 'application/json' ? 'json' : 'ndjson' };
}

/** Ids as text: strings as they are, anything else as JSON, so that big numbers stay what they are. */
function readIds(request: FastifyRequest): string[] {
  if (!Array.isArray(request.body)) {
    const { body } = request;
    const kind =
      typeof body === 'object' && body !== null
        ? 'map'
        : body === null
          ? 'null'
          : typeof body === 'number'
            ? `${Number.isInteger(body) ? 'integer' : 'floating point'} \`${body}\``
            : typeof body === 'boolean'
              ? `boolean \`${body}\``
              : `string ${JSON.stringify(body)}`;
    const text = request.bodyText!;
    // Meilisearch stops behind a scalar, and before an object.
    const read = kind === 'map' ? text.slice(0, text.indexOf('{')) : text.trimEnd();
    const lines = read.split('\n');
    const place = `at line ${lines.length} column ${Buffer.byteLength(lines.at(-1)!)}`;
    throw new ApiError(
      'bad_request',
      `Json deserialize error: invalid type: ${kind}, expected a sequence ${place}`,
    );
  }
  const bytes = Buffer.from(request.bodyText!);
  return cutArray(bytes).map((range) => {
    const text = textOf(bytes, range);
    return text.startsWith('"') ? (JSON.parse(text) as string) : printCompact(text);
  });
}

function readFilter(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw wrongKind('', 'an object', body, 'bad_request');
  }
  for (const key of Object.keys(body)) if (key !== 'filter') throw unknownField(key, ['filter']);
  if (!('filter' in body)) throw new ApiError('missing_document_filter', 'Missing field `filter`');
  return body.filter;
}
