// Once per run of the project `postgres`: one server for all its tests, or none where the machine has none.
import type { TestProject } from 'vitest/node';
import { NO_POSTGRES, PostgresServer } from './postgres-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `postgres://…` of the server of this project; null where the machine has none. */
    postgresUrl: string | null;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await PostgresServer.start();
  if (server === null) console.log(`all tests on PostgreSQL are skipped: ${NO_POSTGRES}`);
  project.provide('postgresUrl', server?.url() ?? null);
  return async () => {
    await server?.stop();
  };
}
