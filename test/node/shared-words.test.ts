// Queries whose answer depends on the words of all nodes, over three nodes against one plain node: byte by byte,
// timings aside.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedWorld } from '../../bench/record-shared.js';
import { onRealMeilisearch } from '../support/node-process.js';
import { SplitFleet } from '../support/split-indexes.js';

const WORLD = sharedWorld(4, 4711);
const REFUSED = [
  { q: 'make sure', matchingStrategy: 'frequency', filter: 'gloss = a' },
  { q: 'make sure', matchingStrategy: 'frequency', sort: ['word:asc'] },
  { q: 'make sure', matchingStrategy: 'often' },
];

describe.skipIf(!onRealMeilisearch)('words that only some nodes know', () => {
  let fleet: SplitFleet;

  beforeAll(async () => {
    const documents = WORLD.documents.map((document, id) => ({ ...document, id }));
    fleet = await SplitFleet.start([{ uid: 'shared', settings: WORLD.settings, documents }]);
  }, 120_000);
  afterAll(() => fleet?.close());

  it('change nothing: hits, scores, totals and facets are those of one node', async () => {
    for (const { class: kind, query } of WORLD.queries) {
      const path = '/indexes/shared/search';
      expect(await fleet.ours(path, query), kind).toEqual(await fleet.plain(path, query));
    }
  });

  it('are refused in the words of one node', async () => {
    for (const query of REFUSED) {
      const answer = await fleet.ours('/indexes/shared/search', query);
      expect(answer.status).toBe(400);
      expect(answer).toEqual(await fleet.plain('/indexes/shared/search', query));
    }
  });
});
