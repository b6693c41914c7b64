// Health, version and statistics.
import type { FastifyInstance } from 'fastify';
import { requireIndex } from '../application.js';
import type { Engine } from '../engine.js';
import type { IndexData } from '../index-data.js';
import { indexUidOf, type RouteContext } from '../route-context.js';

function indexStats(engine: Engine, index: IndexData): Record<string, unknown> {
  return {
    numberOfDocuments: index.size,
    rawDocumentDbSize: index.rawBytes,
    avgDocumentSize: index.size === 0 ? 0 : Math.round(index.rawBytes / index.size),
    isIndexing: engine.isIndexing(index.uid),
    numberOfEmbeddings: 0,
    numberOfEmbeddedDocuments: 0,
    fieldDistribution: Object.fromEntries([...index.fieldDistribution].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

export function systemRoutes(app: FastifyInstance, { engine, authorize }: RouteContext): void {
  app.get('/health', () => ({ status: 'available' }));

  app.get('/version', (request) => {
    authorize(request, 'version');
    return {
      commitSha: 'unknown',
      commitDate: 'unknown',
      pkgVersion: '1.50.0',
      engine: 'miroir-embedded',
    };
  });

  app.get('/stats', (request) => {
    const access = authorize(request, 'stats.get');
    const indexes = [...engine.indexes.values()].filter((index) => access.allowsIndex(index.uid));
    const sizeBytes = indexes.reduce((sum, index) => sum + index.rawBytes, 0);
    const updates = indexes.map((index) => index.updatedAt).sort();
    return {
      databaseSize: sizeBytes,
      usedDatabaseSize: sizeBytes,
      lastUpdate: updates[updates.length - 1] ?? null,
      indexes: Object.fromEntries(indexes.map((index) => [index.uid, indexStats(engine, index)])),
    };
  });

  app.get('/indexes/:uid/stats', (request) => {
    const uid = indexUidOf(request);
    authorize(request, 'stats.get', uid);
    return indexStats(engine, requireIndex(engine.indexes, uid));
  });
}
