// A writer of the chaos run: random adds, updates, deletes and deletes by filter on documents of its own, each with a
// model of what must be there; now and then it waits for a task and looks at once whether every proxy shows it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../up/tour/random.js';
import { type ChaosClient, NoAnswer } from './client.js';
import { type ChaosDocument, History, type Write } from './history.js';

export interface WriterOptions {
  name: string;
  index: string;
  client: ChaosClient;
  random: Random;
  pauseMs: number;
}

const GROUPS = 40;

export class ChaosWriter {
  readonly history = new History();
  /** What a search showed that it must not show after a task succeeded. */
  readonly stale: string[] = [];
  readonly refused: string[] = [];
  checks = 0;
  private sequence = 0;
  private lastTask = -1;

  constructor(private readonly options: WriterOptions) {}

  async step(): Promise<void> {
    const { random } = this.options;
    const write = this.next();
    if ((await this.send(write)) && random.below(4) === 0) await this.check(write);
    await sleep(this.options.pauseMs);
  }

  /** Sends a write until it is acknowledged; false when it stays open. */
  async send(write: Write): Promise<boolean> {
    const { client } = this.options;
    const [method, path, body] = this.request(write);
    try {
      const reply = await client.ask(method, path, body, false);
      if (reply.status !== 202) {
        this.refused.push(`${method} ${path}: ${reply.status} ${reply.text.slice(0, 300)}`);
        return false;
      }
      this.lastTask = (reply.body as { taskUid: number }).taskUid;
      this.history.acknowledge(write);
      return true;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.history.leaveOpen(write);
      return false;
    }
  }

  /** Waits for the last task and then asks a proxy for the documents: succeeded means that every search sees it. */
  async check(write: Write): Promise<void> {
    const { client, index } = this.options;
    if ((await this.waitForTask()) !== 'succeeded') return;
    const ids = this.idsOf(write);
    if (ids.length === 0) return;
    const filter = `id IN [${ids.map((id) => JSON.stringify(id)).join(', ')}]`;
    const reply = await client.ask('POST', `/indexes/${index}/search`, { filter, limit: ids.length }, true);
    const hits = (reply.body as { hits?: ChaosDocument[] }).hits ?? [];
    this.checks += 1;
    for (const id of ids) {
      const hit = hits.find((candidate) => candidate.id === id) ?? null;
      if (!this.history.allows(id, hit))
        this.stale.push(`task ${this.lastTask}: ${id} is ${JSON.stringify(hit)} (${reply.status})`);
    }
  }

  private async waitForTask(): Promise<string> {
    for (let delayMs = 10; ; delayMs = Math.min(2 * delayMs, 250)) {
      const reply = await this.options.client.ask('GET', `/tasks/${this.lastTask}`);
      const { status, error } = reply.body as { status?: string; error?: unknown };
      if (status === 'failed') this.refused.push(`task ${this.lastTask}: ${JSON.stringify(error)}`);
      if (status === 'succeeded' || status === 'failed') return status;
      await sleep(delayMs);
    }
  }

  private next(): Write {
    const { random } = this.options;
    const known = this.history.known();
    const choice = random.below(20);
    if (known.length < 50 || choice < 7) {
      const documents = Array.from({ length: 1 + random.below(15) }, () => this.fresh());
      return { kind: 'add', documents };
    }
    if (choice < 14) {
      const documents = this.pick(known, 1 + random.below(8)).map((id) => ({ id, ...this.change() }));
      return { kind: 'update', documents };
    }
    if (choice < 17) {
      const documents = this.pick(known, 1 + random.below(4)).map((id) => this.fresh(id));
      return { kind: 'add', documents };
    }
    if (choice < 19) return { kind: 'delete', ids: this.pick(known, 1 + random.below(3)) };
    return { kind: 'delete-by-filter', group: this.group() };
  }

  private fresh(id = `${this.options.name}-${this.sequence++}`): ChaosDocument {
    return { id, writer: this.options.name, group: this.group(), revision: this.revision() };
  }

  private change(): Record<string, unknown> {
    const field = this.options.random.pick(['note', 'mark', 'group'] as const);
    if (field === 'group') return { group: this.group(), revision: this.revision() };
    return { [field]: `changed ${this.options.random.below(1_000)}`, revision: this.revision() };
  }

  /** Groups are the writer's own: its filters touch nobody else's documents. */
  private group(): string {
    for (let spare = 0; ; spare += GROUPS) {
      const group = `${this.options.name}:${spare + this.options.random.below(GROUPS)}`;
      if (!this.history.openGroups.has(group)) return group;
    }
  }

  private revision(): number {
    return this.history.acknowledged + this.history.unanswered;
  }

  private pick(known: string[], count: number): string[] {
    return [...new Set(Array.from({ length: count }, () => this.options.random.pick(known)))];
  }

  private idsOf(write: Write): string[] {
    if (write.kind === 'delete') return write.ids;
    if (write.kind === 'delete-by-filter') return this.pick(this.history.known(), 10);
    return write.documents.map(({ id }) => id);
  }

  private request(write: Write): [string, string, unknown] {
    const path = `/indexes/${this.options.index}/documents`;
    if (write.kind === 'add') return ['POST', path, write.documents];
    if (write.kind === 'update') return ['PUT', path, write.documents];
    if (write.kind === 'delete') return ['POST', `${path}/delete-batch`, write.ids];
    return ['POST', `${path}/delete`, { filter: `group = ${JSON.stringify(write.group)}` }];
  }
}
