// Documents: reading by id, list or filter, and the writes that become tasks.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../../shared/core/errors.js';
import { requireIndex } from '../application.js';
import { documentTexts, idTexts, jsonBody, jsonText } from '../bodies.js';
import { type FetchRequest, fetchDocuments, readFetchBody, readFetchQuery } from '../document-reads.js';
import { parseFilter } from '../filter-grammar.js';
import { showDocument } from '../formatting.js';
import { indexUidOf, type Query, type RouteContext, sendJson } from '../route-context.js';
import { describeValue } from '../settings.js';

export function documentRoutes(app: FastifyInstance, { engine, authorize, accept }: RouteContext): void {
  const fetch = (request: FastifyRequest, reply: FastifyReply, wanted: () => FetchRequest) => {
    const uid = indexUidOf(request);
    authorize(request, 'documents.get', uid);
    const parsed = wanted();
    const withSortValues = request.method === 'POST' && request.headers['meili-proxy-search'] === 'true';
    return sendJson(reply, fetchDocuments(requireIndex(engine.indexes, uid), parsed, withSortValues));
  };

  app.get('/indexes/:uid/documents', (request, reply) =>
    fetch(request, reply, () => readFetchQuery(request.query as Query)),
  );
  app.post('/indexes/:uid/documents/fetch', (request, reply) =>
    fetch(request, reply, () => readFetchBody(jsonText(request))),
  );

  app.get('/indexes/:uid/documents/:id', (request, reply) => {
    const uid = indexUidOf(request);
    authorize(request, 'documents.get', uid);
    const { id } = request.params as { id: string };
    const { fields, retrieveVectors } = request.query as Query;
    const stored = requireIndex(engine.indexes, uid).get(id);
    if (!stored) throw new ApiError('document_not_found', `Document \`${id}\` not found.`);
    return sendJson(reply, showDocument(stored.text, fields?.split(',') ?? null, retrieveVectors === 'true'));
  });

  app.route({
    method: ['POST', 'PUT'],
    url: '/indexes/:uid/documents',
    handler: async (request, reply) => {
      const indexUid = indexUidOf(request);
      const access = authorize(request, 'documents.add', indexUid);
      const query = request.query as Query;
      const documents = documentTexts(request);
      return accept(reply, {
        indexUid,
        type: 'documentAdditionOrUpdate',
        operation: {
          do: 'putDocuments',
          replace: request.method === 'POST',
          primaryKey: query.primaryKey ?? null,
          mayCreate: access.allows('indexes.create', indexUid),
          skipCreation: query.skipCreation === 'true',
        },
        details: { receivedDocuments: documents.length, indexedDocuments: null },
        customMetadata: query.customMetadata,
        documents,
      });
    },
  });

  const acceptDeletion = (request: FastifyRequest, reply: FastifyReply, ids: string[]) =>
    accept(reply, {
      indexUid: indexUidOf(request),
      type: 'documentDeletion',
      operation: { do: 'deleteIds', ids },
      details: { providedIds: ids.length, deletedDocuments: null, originalFilter: null },
      customMetadata: (request.query as Query).customMetadata,
    });

  app.post('/indexes/:uid/documents/delete-batch', (request, reply) => {
    authorize(request, 'documents.delete', indexUidOf(request));
    return acceptDeletion(request, reply, idTexts(request));
  });

  app.delete('/indexes/:uid/documents/:id', (request, reply) => {
    authorize(request, 'documents.delete', indexUidOf(request));
    const { id } = request.params as { id: string };
    return acceptDeletion(request, reply, [id]);
  });

  app.post('/indexes/:uid/documents/delete', (request, reply) => {
    const indexUid = indexUidOf(request);
    authorize(request, 'documents.delete', indexUid);
    const { filter } = jsonBody<{ filter?: unknown }>(request);
    if (filter === undefined) throw new ApiError('missing_document_filter', 'Missing field `filter`');
    if (typeof filter !== 'string' && !Array.isArray(filter)) {
      throw new ApiError(
        'invalid_document_filter',
        `Invalid syntax for the filter parameter: \`expected String, Array, found: ${describeValue(filter)}\`.`,
      );
    }
    if (parseFilter(filter, 'invalid_document_filter') === null) {
      throw new ApiError('invalid_document_filter', 'Sending an empty filter is forbidden.');
    }
    return accept(reply, {
      indexUid,
      type: 'documentDeletion',
      operation: { do: 'deleteByFilter', filter },
      details: { providedIds: 0, deletedDocuments: null, originalFilter: JSON.stringify(filter) },
      customMetadata: (request.query as Query).customMetadata,
    });
  });

  app.delete('/indexes/:uid/documents', (request, reply) => {
    const indexUid = indexUidOf(request);
    authorize(request, 'documents.delete', indexUid);
    return accept(reply, {
      indexUid,
      type: 'documentDeletion',
      operation: { do: 'clear' },
      details: { deletedDocuments: null },
      customMetadata: (request.query as Query).customMetadata,
    });
  });
}
