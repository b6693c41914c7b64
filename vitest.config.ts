// Test projects: unit (no server), postgres (the state store's tests on a PostgreSQL server), node (single nodes),
// workflow (a Temporal server), e2e (whole clusters), chaos (whole clusters whose processes are killed).
import { defineConfig } from 'vitest/config';

const shared = { pool: 'forks' as const, hookTimeout: 60_000 };
const cluster = { globalSetup: ['test/global-setup.ts'], fileParallelism: false, testTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/{unit,property,simulation,recorded}/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'postgres',
          include: [
            'test/unit/store-*.test.ts',
            'test/property/store-*.test.ts',
            'test/postgres/**/*.test.ts',
          ],
          // Of the other driver, and of the thread that it needs.
          exclude: ['test/unit/store-failure.test.ts'],
          globalSetup: ['test/support/postgres-global.ts'],
          setupFiles: ['test/support/postgres-only.ts'],
          testTimeout: 60_000,
        },
      },
      { test: { ...shared, name: 'node', include: ['test/node/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { ...shared, ...cluster, name: 'workflow', include: ['test/workflow/**/*.test.ts'] } },
      { test: { ...shared, ...cluster, name: 'e2e', include: ['test/e2e/**/*.test.ts'] } },
      { test: { ...shared, ...cluster, name: 'chaos', include: ['test/chaos/**/*.test.ts'] } },
    ],
  },
});
