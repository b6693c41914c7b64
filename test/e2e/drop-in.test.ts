// The fleet beside one plain Meilisearch: the same requests in the same order get the same answers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCluster } from '../support/cluster.js';
import { type NodeProcess, onRealMeilisearch, startNode } from '../support/node-process.js';
import { DIFFERENCES } from '../support/side-by-side/differences.js';
import { nameOf, type SideRequest } from '../support/side-by-side/request.js';
import { ask, type Side } from '../support/side-by-side/sides.js';
import { DOCUMENTS } from '../support/side-by-side/table-documents.js';
import { INDEXES, SYSTEM } from '../support/side-by-side/table-indexes.js';
import { SEARCHES } from '../support/side-by-side/table-search.js';
import { SEARCH_ROUTES } from '../support/side-by-side/table-search-routes.js';
import { SETTING_REQUESTS } from '../support/side-by-side/table-settings.js';
import { TASKS } from '../support/side-by-side/table-tasks.js';

const MASTER_KEY = 'the-master-key-of-both-sides';

const PARTS: [string, SideRequest[]][] = [
  ['the server and its keys', SYSTEM],
  ['indexes', INDEXES],
  ['documents', DOCUMENTS],
  ['settings', SETTING_REQUESTS],
  ['search', SEARCHES],
  ['other search routes', SEARCH_ROUTES],
  ['tasks', TASKS],
];

describe.skipIf(!onRealMeilisearch)(
  'a fleet beside one Meilisearch (skipped without MIROIR_MEILISEARCH_BIN: only the real one can be the judge)',
  () => {
    const cluster = useCluster({ masterKey: MASTER_KEY });
    const dir = mkdtempSync(join(tmpdir(), 'miroir-drop-in-'));
    const counts = { compared: 0, identical: 0, listed: 0 };
    const met = new Set<string>();
    let reference: NodeProcess;

    beforeAll(async () => {
      reference = await startNode({ id: 'reference', dir, masterKey: MASTER_KEY });
    });
    afterAll(async () => {
      await reference?.process.end();
      rmSync(dir, { recursive: true, force: true });
      console.log(
        `drop-in: ${counts.compared} requests compared, ${counts.identical} identical, ${counts.listed} as listed`,
      );
    });

    // One order for all parts: later ones read what earlier ones wrote.
    for (const [part, requests] of PARTS) {
      it(`answers alike: ${part}`, { timeout: 600_000 }, async () => {
        const fleet: Side = { url: cluster().url, masterKey: MASTER_KEY };
        const single: Side = { url: reference.url, masterKey: MASTER_KEY };
        const unlisted: unknown[] = [];
        for (const request of requests) {
          const [miroir, meilisearch] = await Promise.all([ask(fleet, request), ask(single, request)]);
          const name = nameOf(request);
          counts.compared++;
          if (JSON.stringify(miroir) === JSON.stringify(meilisearch)) {
            counts.identical++;
            continue;
          }
          const listed = DIFFERENCES.find((difference) => difference.applies(name, miroir, meilisearch));
          if (listed === undefined) {
            unlisted.push({ request: name, miroir, meilisearch });
          } else {
            met.add(listed.reason);
            counts.listed++;
          }
        }
        expect(unlisted).toEqual([]);
      });
    }

    it('still differs where differences are listed', () => {
      expect(DIFFERENCES.map(({ reason }) => reason).filter((reason) => !met.has(reason))).toEqual([]);
    });
  },
);
