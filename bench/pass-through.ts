// The yardstick: a bare Fastify and undici's Pool in front of one node. It relays bytes and knows nothing.
import { pathToFileURL } from 'node:url';
import Fastify from 'fastify';
import { Pool } from 'undici';

/** Relays every POST to the node. Answers where it listens. */
export async function runPassThrough(nodeUrl: string, authorization: string | null): Promise<string> {
  const pool = new Pool(nodeUrl, { connections: 32, pipelining: 1 });
  const app = Fastify({ bodyLimit: 104_857_600 });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post('/*', async (request, reply) => {
    const answer = await pool.request({
      method: 'POST',
      path: request.url,
      headers: {
        'content-type': 'application/json',
        ...(authorization === null ? {} : { authorization }),
      },
      body: request.body as Buffer,
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    return reply.code(answer.statusCode).type('application/json').send(body);
  });
  return app.listen({ host: '127.0.0.1', port: 0 });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { BENCH_NODE_URL, BENCH_NODE_KEY } = process.env;
  const url = await runPassThrough(BENCH_NODE_URL!, BENCH_NODE_KEY ? `Bearer ${BENCH_NODE_KEY}` : null);
  process.stdout.write(`${JSON.stringify({ listening: url })}\n`);
  process.once('SIGTERM', () => process.exit(0));
}
