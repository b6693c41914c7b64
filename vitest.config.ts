// Test projects: unit (no server), node (single nodes), workflow (a Temporal server), e2e (whole
// clusters), chaos (whole clusters whose processes are killed).
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
      { test: { ...shared, name: 'node', include: ['test/node/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { ...shared, ...cluster, name: 'workflow', include: ['test/workflow/**/*.test.ts'] } },
      { test: { ...shared, ...cluster, name: 'e2e', include: ['test/e2e/**/*.test.ts'] } },
      { test: { ...shared, ...cluster, name: 'chaos', include: ['test/chaos/**/*.test.ts'] } },
    ],
  },
});
