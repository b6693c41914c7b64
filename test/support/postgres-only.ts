// Set-up of every file of the project `postgres`: without a server each of its tests counts as skipped.
import { beforeEach, inject } from 'vitest';

beforeEach((context) => {
  if (inject('postgresUrl') === null) context.skip('no PostgreSQL server');
});
