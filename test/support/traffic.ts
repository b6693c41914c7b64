// Writes and searches under which a fleet is changed, and the checks that nothing of them was lost.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Topology } from '../../shared/core/topology.js';
import { Api } from '../../up/admin-api.js';
import { checkDocuments, checkReplicas, waitForTasks } from '../../up/tour/checks.js';
import { createModel, type Document, type Model } from '../../up/tour/model.js';
import { createRandom } from '../../up/tour/random.js';
import { startWriter, type Writer } from '../../up/tour/writer.js';
import type { Cluster } from './cluster.js';

const COLORS = ['red', 'green', 'blue', 'grey'];

export function makeDocuments(first: number, count: number): Document[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `d${first + at}`,
    title: `heron number ${first + at}`,
    color: COLORS[(first + at) % COLORS.length],
    rank: first + at,
  }));
}

export interface SearchTally {
  sent: number;
  /** Errors, and answers that miss a document or count one twice. */
  wrong: string[];
}

/** An index that nobody writes to, `calm`, and one that is written to all the time, `busy`. */
export class Traffic {
  readonly model: Model = createModel();
  readonly tally: SearchTally = { sent: 0, wrong: [] };
  private readonly api: Api;
  private writer: Writer | null = null;
  private searching = false;
  private searcher: Promise<void> = Promise.resolve();

  constructor(
    private readonly cluster: Cluster,
    private readonly size: number,
  ) {
    this.api = new Api(cluster.url, cluster.options.masterKey ?? null);
  }

  /** Loads both indexes and makes `color` filterable. */
  async load(): Promise<void> {
    const documents = makeDocuments(0, this.size);
    for (const uid of ['calm', 'busy']) {
      const task = await this.cluster.write(`/indexes/${uid}/documents`, { body: documents });
      if (task.status !== 'succeeded') throw new Error(`loading ${uid}: ${JSON.stringify(task.error)}`);
      await this.cluster.write(`/indexes/${uid}/settings`, {
        method: 'PATCH',
        body: { filterableAttributes: ['color', 'rank'] },
      });
    }
    const operation = { kind: 'add' as const, documents };
    this.model.begin(operation);
    this.model.acknowledge(operation, 0);
  }

  start(seed: number): void {
    this.writer = startWriter({
      api: this.api,
      indexUid: 'busy',
      model: this.model,
      random: createRandom(seed),
      // Few, so that later tests of a file do not copy ever larger shards.
      fresh: makeDocuments(this.size, 600),
      pauseMs: 5,
      mostWaiting: 50,
    });
    this.searching = true;
    this.searcher = this.search();
  }

  async stop(): Promise<void> {
    this.searching = false;
    await this.searcher;
    await this.writer?.stop();
    this.writer = null;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.api.close();
  }

  /** Every answer over the calm index must have every document exactly once, whatever happens to the fleet. */
  private async search(): Promise<void> {
    while (this.searching) {
      const color = COLORS[this.tally.sent % COLORS.length]!;
      const expected = makeDocuments(0, this.size).filter((document) => document.color === color).length;
      this.tally.sent += 1;
      try {
        const answer = await this.cluster.request<{ hits: { id: string }[]; estimatedTotalHits: number }>(
          '/indexes/calm/search',
          { body: { q: 'heron', filter: `color = ${color}`, limit: this.size } },
        );
        const ids = new Set(answer.body.hits?.map((hit) => hit.id));
        const right =
          answer.status === 200 &&
          ids.size === expected &&
          answer.body.hits.length === expected &&
          answer.body.estimatedTotalHits === expected;
        if (!right)
          this.tally.wrong.push(`${answer.status}: ${ids.size} of ${expected}; ${answer.text.slice(0, 200)}`);
      } catch (error) {
        this.tally.wrong.push(String(error));
      }
      await sleep(5);
    }
  }

  /** Waits until everything is still, then reads every document and asks every node for what it holds. */
  async check(): Promise<{
    documents: Awaited<ReturnType<typeof checkDocuments>>;
    replicas: Awaited<ReturnType<typeof checkReplicas>>;
    failedTasks: number;
  }> {
    const failedTasks = await waitForTasks(this.api, 180_000, () => undefined);
    const documents = await checkDocuments(this.api, 'busy', this.model);
    const topology = await this.cluster.admin<Topology>('GET', '/_miroir/topology');
    const nodes = [...this.cluster.nodes.values()]
      .filter((node) => topology.nodes.some((member) => member.id === node.id))
      .map((node) => ({ id: node.id, url: node.url, key: node.masterKey }));
    const replicas = await checkReplicas(topology, nodes);
    return { documents, replicas, failedTasks };
  }
}

/** What `Traffic.check` must answer when nothing was lost, resurrected or left behind. */
export function expectWhole(model: Model, shards: number) {
  return {
    failedTasks: 0,
    documents: {
      expected: model.documents.size,
      found: model.documents.size,
      missing: 0,
      resurrected: 0,
      different: 0,
      unknown: 0,
      examples: [],
    },
    replicas: { shards, exact: shards, misplaced: 0, unequal: 0, examples: [] },
  };
}
