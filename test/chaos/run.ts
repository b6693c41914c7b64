// One chaos run: writers and searchers go on while every change of the topology meets a fault; in between, and at the
// end, everything is held against the history. Every random choice comes from the seed; the interleaving does not.
import { Api } from '../../up/admin-api.js';
import { checkReplicas, type ReplicaCheck } from '../../up/tour/checks.js';
import { createRandom, type Random } from '../../up/tour/random.js';
import { makeDocuments } from '../support/traffic.js';
import { chooseChange } from './changes.js';
import { type Fault, type FaultRecord, type Probe, strike } from './faults.js';
import { ChaosFleet, ENDED, type FleetSize } from './fleet.js';
import { ChaosSearcher, type SearchTally } from './searcher.js';
import { ChaosWriter } from './writer.js';

export interface ChaosOptions extends FleetSize {
  seed: number;
  /** The run ends after so many changes, or after so many minutes, whichever comes first. */
  changes: number;
  minutes: number;
  writers: number;
  /** Between two writes of a writer, and two searches. */
  pauseMs: number;
  faults: readonly Fault[];
  /** Changes between two looks at everything. */
  checkEvery: number;
  env?: Record<string, string>;
  say: (line: string) => void;
  /** Called with what is known after each look, so that a run that is cut off leaves it. */
  keep?: (report: ChaosReport) => void;
}

export interface ChaosReport {
  seed: number;
  minutes: number;
  changes: Record<string, number>;
  /** Changes that ended otherwise than done, with what they said. */
  unfinished: string[];
  faults: FaultRecord[];
  writes: { acknowledged: number; unanswered: number; refused: string[]; retries: Record<string, number> };
  documents: { expected: number; found: number; lost: string[]; resurrected: string[]; wrong: string[] };
  /** Documents that a search did not show as they were when their task had succeeded. */
  stale: string[];
  staleChecks: number;
  searches: Omit<SearchTally, 'slowestMs'> & { slowestMs: number; retries: Record<string, number> };
  replicas: ReplicaCheck;
  checks: number;
}

const CALM_DOCUMENTS = 300;
/** Phases of a move that searches see no more of. */
const MOVED = new Set(['done', 'retain', 'rolled-back']);

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { say } = options;
  const fleet = await ChaosFleet.start(options, options.seed, options.env ?? {});
  const run = new ChaosRun(options, fleet, createRandom(options.seed));
  try {
    say(
      `${options.nodes} nodes, ${options.proxies} proxies, ${options.workers} workers; seed ${options.seed}`,
    );
    await run.load();
    return await run.go();
  } catch (error) {
    say(fleet.cluster.tails());
    say(`seed ${options.seed} ended at ${run.where}: ${error instanceof Error ? error.message : error}`);
    throw error;
  } finally {
    run.halt();
    await fleet.stop();
  }
}

class ChaosRun {
  private readonly writers: ChaosWriter[];
  private readonly searcher: ChaosSearcher;
  private readonly clients;
  private readonly begun = performance.now();
  /** What replaces the last victim of each sort: it may come while the next change has begun. */
  private readonly mending = new Map<string, Promise<unknown>>();
  /** Nodes whose change takes them out of the fleet, perhaps only when its retention ends. */
  private readonly leaving = new Set<string>();
  private isWriting = false;
  private isSearching = false;
  private loops: Promise<void>[] = [];
  private searching: Promise<void> = Promise.resolve();
  private readonly report: ChaosReport;
  /** What the run is doing, for whoever reads why it ended. */
  where = 'the start';

  constructor(
    private readonly options: ChaosOptions,
    private readonly fleet: ChaosFleet,
    private readonly random: Random,
  ) {
    this.clients = Array.from({ length: options.writers + 1 }, () => fleet.client());
    this.writers = this.clients.slice(0, options.writers).map(
      (client, at) =>
        new ChaosWriter({
          name: `w${at}`,
          index: 'busy',
          client,
          random: createRandom(options.seed * 1_000 + at),
          pauseMs: options.pauseMs,
        }),
    );
    this.searcher = new ChaosSearcher(this.clients.at(-1)!, 'calm', options.pauseMs);
    this.report = {
      seed: options.seed,
      minutes: 0,
      changes: {},
      unfinished: [],
      faults: [],
      writes: { acknowledged: 0, unanswered: 0, refused: [], retries: {} },
      documents: { expected: 0, found: 0, lost: [], resurrected: [], wrong: [] },
      stale: [],
      staleChecks: 0,
      searches: { ...this.searcher.tally, retries: {} },
      replicas: { shards: 0, exact: 0, misplaced: 0, unequal: 0, examples: [] },
      checks: 0,
    };
  }

  async load(): Promise<void> {
    const { admin } = this.fleet;
    const settings = {
      filterableAttributes: ['id', 'color', 'rank', 'group', 'writer'],
      sortableAttributes: ['rank'],
    };
    for (const index of ['calm', 'busy']) {
      await this.settle(await admin.ask('POST', '/indexes', { uid: index, primaryKey: 'id' }, true));
      await this.settle(await admin.ask('PATCH', `/indexes/${index}/settings`, settings, true));
    }
    await this.settle(
      await admin.ask('POST', '/indexes/calm/documents', makeDocuments(0, CALM_DOCUMENTS), true),
    );
    await this.searcher.prepare(CALM_DOCUMENTS);
  }

  async go(): Promise<ChaosReport> {
    const { options, report } = this;
    this.startSearching();
    this.startWriting();
    const untilMs = this.begun + options.minutes * 60_000;
    for (let turn = 1; report.faults.length < options.changes && performance.now() < untilMs; turn += 1) {
      await this.changeUnderFault(report.faults.length + 1);
      if (turn % options.checkEvery === 0) await this.check();
    }
    await this.check();
    this.halt();
    await Promise.all([...this.loops, this.searching]);
    this.sumUp();
    return report;
  }

  private sumUp(): void {
    const { report } = this;
    report.minutes = (performance.now() - this.begun) / 60_000;
    report.writes.retries = sumRetries(this.clients.slice(0, -1));
    report.searches = { ...this.searcher.tally, retries: sumRetries([this.clients.at(-1)!]) };
  }

  halt(): void {
    this.isWriting = false;
    this.isSearching = false;
  }

  private async changeUnderFault(count: number): Promise<void> {
    const { fleet, random } = this;
    await this.endLeaving();
    const change = await chooseChange(fleet, random, this.leaving);
    const changeId = await fleet.startChange(change.method, change.path, change.body);
    const status = await this.meetFault(count, change.kind, changeId);
    for (const id of change.nodes) this.leaving.add(id);
    await this.endLeaving();
    if (status === 'retaining' && change.isTakenBack) {
      const body = { changeId };
      const rollback = await fleet.startChange('POST', '/_miroir/rebalance/rollback', body);
      await this.meetFault(count + 1, 'rollback', rollback);
      // What the rollback leaves behind is kept for as long as the sources were.
      await fleet.admin.ask('POST', '/_miroir/rebalance/finish', { changeId: rollback }, true);
    }
  }

  /** Lets a fault come into a change that runs, and waits until the fleet is whole again. */
  private async meetFault(count: number, kind: string, changeId: string): Promise<string> {
    const { fleet, random, report, options } = this;
    const fault = options.faults[(count - 1) % options.faults.length]!;
    this.where = `change ${count}, ${kind} with "${fault}"`;
    const lap = stopwatch();
    const victims = fault.split(' ')[1]!;
    await this.mending.get(victims); // another of them must be there
    const isWithin = await this.waitForMoment(changeId);
    const reached = lap();
    const faultyBefore = this.searcher.faulty();
    const { record, mended } = await strike(fault, fleet, random, this.searcher, this.probe);
    report.faults.push({ ...record, isWithin });
    const struck = lap();
    this.mending.set(victims, mended);
    mended.catch(() => {}); // thrown where it is awaited
    const { status, error } = await fleet.waitForChange(changeId);
    // A change may end without a node; but it may not be taken for one that has left.
    if (fault === 'kill node') await mended;
    const ended = lap();
    report.changes[kind] = (report.changes[kind] ?? 0) + 1;
    if (['failed', 'aborted'].includes(status))
      report.unfinished.push(`${kind} met ${fault}: ${status}, ${error}`);
    await fleet.waitForRedundancy();
    const faulty = this.searcher.faulty() - faultyBefore;
    options.say(
      `${count}: ${kind} met "${fault}" (${record.victim})${isWithin ? '' : ' AFTER ITS END'}, ${status}; a write was ` +
        `accepted after ${seconds(record.acceptedMs)}, succeeded after ${seconds(record.succeededMs)}` +
        `${faulty > 0 ? `; ${faulty} SEARCHES WERE NOT ANSWERED AS THEY SHOULD` : ''}; ` +
        `took ${reached} + ${struck} + ${ended} + ${lap()} (moment, fault, end, redundancy)`,
    );
    return status;
  }

  /**
   * A fault comes when a random share of the moves is done: at a state of the change, not at a time; at once where there
   * are none. Answers whether the change goes on.
   */
  private async waitForMoment(changeId: string): Promise<boolean> {
    const share = this.random.below(100) / 100;
    return this.fleet.until(`moves of change ${changeId}`, async () => {
      const { change, moves } = await this.fleet.viewChange(changeId);
      if (ENDED.has(change?.status ?? '')) return false;
      // Started, but not planned, perhaps not even opened. A rollback has the moves of the change that it takes back.
      if (change?.kind === 'rollback' ? moves.length === 0 : !change?.plannedAt) return null;
      const done = moves.filter(({ phase }) => MOVED.has(phase)).length;
      return done >= Math.floor(share * moves.length) ? true : null;
    });
  }

  /** Ends the processes of nodes that do not, or not any more, belong to the fleet. */
  private async endLeaving(): Promise<void> {
    const { nodes } = await this.fleet.topology();
    for (const id of [...this.leaving]) {
      const known = nodes.find((node) => node.id === id);
      if (known === undefined) await this.fleet.cluster.kill(id);
      // Active: it came. Any other goes once the sources on it are kept no longer.
      if (known === undefined || known.state === 'active') this.leaving.delete(id);
    }
  }

  /** One write of its own, by a client that retries as every client does. */
  private readonly probe: Probe = async () => {
    const begun = performance.now();
    const client = this.fleet.client();
    const document = [{ id: 'probe', group: 'probe', revision: Math.round(begun) }];
    const accepted = await client.ask('POST', '/indexes/probe/documents?primaryKey=id', document, true);
    const acceptedMs = performance.now() - begun;
    await this.settle(accepted);
    return { acceptedMs, succeededMs: performance.now() - begun };
  };

  private async settle(reply: { status: number; text: string; body: unknown }): Promise<void> {
    if (reply.status !== 202) throw new Error(`refused: ${reply.status} ${reply.text}`);
    const { taskUid } = reply.body as { taskUid: number };
    await this.fleet.until(`task ${taskUid}`, async () => {
      const task = (await this.fleet.admin.ask('GET', `/tasks/${taskUid}`)).body as { status?: string };
      if (task.status === 'failed') throw new Error(`task ${taskUid}: ${JSON.stringify(task)}`);
      return task.status === 'succeeded' ? true : null;
    });
  }

  private startSearching(): void {
    this.isSearching = true;
    this.searching = (async () => {
      while (this.isSearching) await this.searcher.step();
    })();
    this.searching.catch(() => this.halt());
  }

  private startWriting(): void {
    this.isWriting = true;
    this.loops = this.writers.map(async (writer) => {
      while (this.isWriting) await writer.step();
    });
    for (const loop of this.loops) loop.catch(() => this.halt());
  }

  /** Lets the writers pause, waits until everything is still, and holds every document and replica against the history. */
  private async check(): Promise<void> {
    const { fleet, report } = this;
    this.where = `the look after ${report.faults.length} changes`;
    const lap = stopwatch();
    this.isWriting = false;
    await Promise.all([...this.loops, ...this.mending.values()]);
    await fleet.until('all tasks to end', async () => {
      const open = await fleet.admin.ask('GET', '/tasks?statuses=enqueued,processing&limit=1');
      return (open.body as { total: number }).total === 0 ? true : null;
    });
    await fleet.waitForRest();
    const found = await this.readAll();
    report.documents = { expected: 0, found: 0, lost: [], resurrected: [], wrong: [] };
    report.writes = { ...report.writes, acknowledged: 0, unanswered: 0, refused: [] };
    report.stale = [];
    report.staleChecks = 0;
    for (const [at, writer] of this.writers.entries()) {
      const own = new Map([...found].filter(([id]) => id.startsWith(`w${at}-`)));
      const verdict = writer.history.judge(own);
      report.documents.expected += verdict.expected;
      report.documents.found += verdict.found;
      for (const key of ['lost', 'resurrected', 'wrong'] as const)
        report.documents[key].push(...verdict[key].slice(0, 20));
      report.writes.acknowledged += writer.history.acknowledged;
      report.writes.unanswered += writer.history.unanswered;
      report.writes.refused.push(...writer.refused);
      report.stale.push(...writer.stale);
      report.staleChecks += writer.checks;
    }
    const topology = await fleet.topology();
    const nodes = topology.nodes.map(({ id }) => fleet.nodeInput(id));
    report.replicas = await checkReplicas(topology, nodes);
    report.checks += 1;
    const { lost, resurrected, wrong } = report.documents;
    const bad = lost.length + resurrected.length + wrong.length + report.stale.length;
    this.sumUp();
    this.options.keep?.(report);
    this.options.say(
      `look ${report.checks} after ${report.minutes.toFixed(1)} min: ${report.documents.found} documents, ` +
        `${bad} of them not as written; ${report.replicas.exact} of ${report.replicas.shards} shards as they should lie; ` +
        `${this.searcher.tally.sent} searches, ${this.searcher.faulty()} not answered as they should; took ${lap()}`,
    );
    if (bad + this.searcher.faulty() > 0) throw new ChaosFailure(report);
    this.startWriting();
  }

  private async readAll(): Promise<Map<string, Record<string, unknown>>> {
    const api = new Api([...this.fleet.proxies.values()][0]!, null);
    const found = new Map<string, Record<string, unknown>>();
    try {
      for (let offset = 0; ; offset += 1_000) {
        const page = await api.json<{ results: { id: string }[]; total: number }>(
          'GET',
          `/indexes/busy/documents?limit=1000&offset=${offset}`,
        );
        for (const document of page.results) found.set(document.id, document);
        if (offset + 1_000 >= page.total) return found;
      }
    } finally {
      await api.close();
    }
  }
}

/** The history was broken: the run ends at once, so that the fleet's logs still tell of it. */
export class ChaosFailure extends Error {
  constructor(readonly report: ChaosReport) {
    super(
      `the history is broken: ${JSON.stringify({ ...report.documents, stale: report.stale, searches: report.searches }).slice(0, 8_000)}`,
    );
  }
}

function sumRetries(clients: { tally: { retries: Record<string, number> } }[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { tally } of clients)
    for (const [trouble, count] of Object.entries(tally.retries)) sum[trouble] = (sum[trouble] ?? 0) + count;
  return sum;
}

/** Answers the time since it was last called. */
function stopwatch(): () => string {
  let lastMs = performance.now();
  return () => {
    const tookMs = performance.now() - lastMs;
    lastMs += tookMs;
    return seconds(tookMs);
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
