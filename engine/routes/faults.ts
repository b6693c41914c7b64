// Arms faults for tests; registered only with MIROIR_ENGINE_FAULTS=1.
import type { FastifyInstance } from 'fastify';
import { jsonBody } from '../bodies.js';
import type { Faults } from '../faults.js';

export function faultRoutes(app: FastifyInstance, faults: Faults): void {
  app.post('/__faults', (request) => faults.arm(jsonBody(request)));
  app.delete('/__faults', (_request, reply) => {
    faults.disarm();
    return reply.code(204).send();
  });
}
