// Connections that a node closes while the next request is already on them.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NodeClient, NodeUnreachable } from '../../shared/io/node-client.js';

let server: Server;
let client: NodeClient;
let requests: number;
beforeEach(async () => {
  requests = 0;
  const answered = new WeakSet<object>();
  // Every connection answers one request and is closed by the next.
  server = createServer((request, response) => {
    requests += 1;
    if (answered.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    answered.add(request.socket);
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new NodeClient({ id: 'a', url, adminKey: null, dataKey: null, connections: 1 });
  await client.request({ method: 'GET', path: '/' });
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
});

it.each([
  { method: 'GET' as const, path: '/' },
  { method: 'POST' as const, path: '/', body: '{}', readOnly: true },
])('sends a request that only reads once more: $method', async (request) => {
  expect((await client.request(request)).status).toBe(200);
  expect(requests).toBe(3);
});

it('sends a write once: it may have arrived', async () => {
  await expect(client.request({ method: 'POST', path: '/', body: '{}' })).rejects.toThrow(NodeUnreachable);
  expect(requests).toBe(2);
});
