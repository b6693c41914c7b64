// Liveness and version. /health is open; it is available as long as this proxy could answer a search.
import type { FastifyInstance } from 'fastify';
import { MEILISEARCH_VERSION, MIROIR_VERSION } from '../../shared/core/version.js';
import type { ProxyContext } from '../context.js';

export function registerHealthRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  app.get('/', async () => ({ status: 'Meilisearch is running' }));

  app.get('/health', async (_request, reply) => {
    reply.header('x-miroir-version', MIROIR_VERSION);
    // A proxy without its lease would refuse every search: a load balancer should know.
    ctx.watcher.acquire('search').release();
    return { status: 'available' };
  });

  app.get('/version', async (_request, reply) => {
    reply.header('x-miroir-version', MIROIR_VERSION);
    return { commitSha: 'unknown', commitDate: 'unknown', pkgVersion: MEILISEARCH_VERSION };
  });
}
