// Chaos with real processes: every change of the topology meets a fault while writers and searchers go on. A short run
// stands in `npm test`; `npm run chaos` sets MIROIR_CHAOS for a long one.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { onRealMeilisearch } from '../support/node-process.js';
import { FAULTS } from './faults.js';
import { describeRun } from './report.js';
import { type ChaosOptions, type ChaosReport, runChaos } from './run.js';

interface Asked extends Partial<Omit<ChaosOptions, 'say' | 'keep'>> {
  json?: string;
}

const SHORT: Asked = { changes: 2, minutes: 10, faults: ['kill worker', 'kill proxy'] };
const LONG: Asked = { changes: 1_000, minutes: 30 };

const asked = JSON.parse(process.env.MIROIR_CHAOS ?? 'null') as Asked | null;
const options: ChaosOptions = {
  seed: 1,
  nodes: 3,
  proxies: 2,
  workers: 2,
  shardCount: 8,
  writers: 3,
  pauseMs: 60,
  faults: FAULTS,
  checkEvery: 5,
  changes: 1,
  minutes: 1,
  ...(asked !== null || process.env.MIROIR_TEST_FULL ? LONG : SHORT),
  ...asked,
  // Written past the test runner, which keeps lines until the end.
  say: (line) => process.stderr.write(`${line}\n`),
  keep: (report) => {
    if (asked?.json !== undefined) writeFileSync(asked.json, `${JSON.stringify(report)}\n`);
  },
};

it(
  'loses nothing, brings nothing back, and answers completely',
  async () => {
    const report: ChaosReport = await runChaos(options);
    process.stderr.write(`${describeRun(report, onRealMeilisearch ? 'Meilisearch' : 'embedded engine')}\n`);
    options.keep?.(report);
    const { documents, searches, replicas, writes } = report;
    expect({ lost: documents.lost, resurrected: documents.resurrected, wrong: documents.wrong }).toEqual({
      lost: [],
      resurrected: [],
      wrong: [],
    });
    expect({ stale: report.stale, refused: writes.refused }).toEqual({ stale: [], refused: [] });
    expect({ failed: searches.failed, incomplete: searches.incomplete, wrong: searches.wrong }).toEqual({
      failed: [],
      incomplete: [],
      wrong: [],
    });
    expect({ exact: replicas.exact, misplaced: replicas.misplaced, unequal: replicas.unequal }).toEqual({
      exact: replicas.shards,
      misplaced: 0,
      unequal: 0,
    });
    expect(searches.sent).toBeGreaterThan(0);
    expect(report.staleChecks).toBeGreaterThan(0);
    expect(report.unfinished).toEqual([]);
  },
  (options.minutes + 30) * 60_000,
);
