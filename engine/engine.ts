// The engine's state and its one queue: a task is on the disk before it is acknowledged, and applied in order.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError, meilisearchError } from '../shared/core/errors.js';
import { type Applied, applyTask, failureDetails, type Indexes } from './application.js';
import { Faults } from './faults.js';
import { IndexData } from './index-data.js';
import { type ApiKey, Keys } from './keys.js';
import { Log, type LogRecord } from './log.js';
import type { Settings } from './settings.js';
import type { Operation, Task } from './tasks.js';

export interface EngineOptions {
  dbPath: string;
  masterKey: string | null;
  faults: boolean;
  /** From which size on the log is rewritten when most of it is history. */
  rewriteBytes?: number;
  /** How many finished tasks are kept at least. */
  keptTasks?: number;
}

export interface Enqueue {
  indexUid: string;
  type: string;
  operation: Operation;
  details: Record<string, unknown>;
  customMetadata?: string;
  documents?: string[];
}

const SLICE_MS = 15;
const SNAPSHOT_CHUNK = 2_000;
/** Meilisearch too forgets the oldest finished tasks, though at a million. */
const KEPT_TASKS = 10_000;

export class Engine {
  readonly indexes: Indexes = new Map();
  /** By uid, ascending. */
  readonly tasks = new Map<number, Task>();
  readonly keys: Keys;
  readonly faults: Faults | null;
  private readonly keptTasks: number;
  private log!: Log;
  private nextUid = 0;
  private readonly pending: { task: Task; documents: string[] }[] = [];
  private working: Promise<void> | null = null;
  private closing = false;

  private constructor(options: EngineOptions) {
    this.keys = new Keys(options.masterKey);
    this.faults = options.faults ? new Faults() : null;
    this.keptTasks = options.keptTasks ?? KEPT_TASKS;
  }

  /** Opens a folder: replays its log and goes on with what was waiting. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options);
    engine.log = await Log.open(options.dbPath, (record) => engine.replay(record), options.rewriteBytes);
    engine.work();
    return engine;
  }

  /** Enqueues a task; resolves once it is on the disk. */
  async enqueue(request: Enqueue): Promise<Task> {
    const { documents = [], ...rest } = request;
    const task: Task = {
      uid: this.nextUid++,
      status: 'enqueued',
      error: null,
      enqueuedAt: new Date().toISOString(),
      startedAt: null,
      finishedAt: null,
      ...rest,
    };
    await this.log.append(enqueueRecord(task, documents), () => {
      this.tasks.set(task.uid, task);
      this.pending.push({ task, documents });
    });
    this.work();
    await this.faults?.reach('after-enqueue', task);
    return task;
  }

  /** Whether a task of an index is being applied. */
  isIndexing(indexUid: string): boolean {
    return this.pending[0]?.task.status === 'processing' && this.pending[0].task.indexUid === indexUid;
  }

  async putKey(key: ApiKey): Promise<void> {
    this.keys.put(key);
    await this.log.append({ header: { kind: 'key', key } });
  }

  async removeKey(uid: string): Promise<void> {
    this.keys.remove(uid);
    await this.log.append({ header: { kind: 'key-removed', uid } });
  }

  /** Finishes the running task and closes the log; waiting tasks stay for the next start. */
  async close(): Promise<void> {
    this.closing = true;
    await this.working;
    await this.log.close();
  }

  private work(): void {
    if (this.working || this.closing) return;
    this.working = this.applyPending().finally(() => {
      this.working = null;
      if (this.pending.length > 0) this.work();
    });
  }

  private async applyPending(): Promise<void> {
    await nextTurn();
    let sliceEndsMs = performance.now() + SLICE_MS;
    while (this.pending.length > 0 && !this.closing) {
      const { task, documents } = this.pending[0]!;
      task.startedAt = new Date().toISOString();
      task.status = 'processing';
      let failure: unknown = null;
      try {
        if (this.faults) await this.faults.reach('before-apply', task);
        if (this.faults) await this.faults.reach('during-apply', task);
      } catch (error) {
        failure = error;
      }
      const { done, filteredIds } = this.settle(task, documents, failure);
      // A failure is durable before it shows: replaying could otherwise succeed where a fault was reported.
      const recorded = this.log.append(doneRecord(done, filteredIds));
      if (done.status === 'failed') await recorded;
      else recorded.catch(() => {});
      Object.assign(task, done);
      this.pending.shift();
      this.forgetOldTasks();
      if (this.log.worthRewriting) await this.log.rewrite(() => this.snapshot());
      if (performance.now() < sliceEndsMs) continue;
      await nextTurn();
      sliceEndsMs = performance.now() + SLICE_MS;
    }
  }

  private settle(task: Task, documents: string[], fault: unknown): { done: Task; filteredIds?: string[] } {
    const done: Task = { ...task };
    let filteredIds: string[] | undefined;
    try {
      if (fault) throw fault;
      const applied = this.apply(task, documents);
      filteredIds = applied.filteredIds;
      done.details = { ...task.details, ...applied.details };
      done.status = 'succeeded';
    } catch (error) {
      const { code, message } =
        error instanceof ApiError ? error : new ApiError('internal', `Internal error: ${String(error)}`);
      done.status = 'failed';
      done.error = meilisearchError(code, message);
      if (code === 'no_space_left_on_device') done.error.type = 'system';
      done.details = { ...task.details, ...failureDetails(task) };
    }
    done.finishedAt = new Date().toISOString();
    return { done, filteredIds };
  }

  private apply(task: Task, documents: string[]): Applied {
    const applied = applyTask(this.indexes, task, documents);
    const { operation } = task;
    if (operation?.do === 'updateIndex' && operation.newUid) {
      // As in Meilisearch, the history goes with the index.
      for (const [uid, earlier] of this.tasks) {
        if (uid < task.uid && earlier.indexUid === task.indexUid) earlier.indexUid = operation.newUid;
      }
    }
    return applied;
  }

  private forgetOldTasks(): void {
    // The oldest are finished, because there is one queue.
    for (const uid of this.tasks.keys()) {
      if (this.tasks.size - this.pending.length <= this.keptTasks) return;
      this.tasks.delete(uid);
    }
  }

  private replay({ header, payload }: LogRecord): void {
    switch (header.kind) {
      case 'enqueue': {
        const task = header.task as Task;
        const text = payload!.toString('utf8');
        this.tasks.set(task.uid, task);
        this.nextUid = Math.max(this.nextUid, task.uid + 1);
        this.pending.push({ task, documents: text === '' ? [] : text.split('\n') });
        break;
      }
      case 'done': {
        const done = header.task as Task;
        const next = this.pending[0];
        if (next?.task.uid !== done.uid) break; // already part of a snapshot
        this.pending.shift();
        Object.assign(next.task, done);
        this.reapply(next.task, next.documents, header.filteredIds as string[] | undefined);
        this.forgetOldTasks();
        break;
      }
      case 'tasks':
        for (const task of header.tasks as Task[]) {
          this.tasks.set(task.uid, task);
          this.nextUid = Math.max(this.nextUid, task.uid + 1);
        }
        break;
      case 'index': {
        const index = new IndexData(header.uid as string, header.createdAt as string);
        index.primaryKey = header.primaryKey as string | null;
        index.settings = header.settings as Settings;
        for (const name of (header.fields ?? []) as string[]) index.registerField(name);
        index.updatedAt = header.updatedAt as string;
        index.stale = true;
        this.indexes.set(index.uid, index);
        break;
      }
      case 'documents': {
        const index = this.indexes.get(header.uid as string)!;
        const ids = header.ids as string[];
        for (const [at, text] of payload!.toString('utf8').split('\n').entries()) {
          index.put(ids[at]!, text, JSON.parse(text));
        }
        break;
      }
      case 'key':
        this.keys.put(header.key as ApiKey);
        break;
      case 'key-removed':
        this.keys.remove(header.uid as string);
        break;
    }
  }

  /** Fails where it failed before, except where the disk was to blame: then it had changed nothing. */
  private reapply(task: Task, documents: string[], filteredIds?: string[]): void {
    if (task.error?.code === 'no_space_left_on_device') return;
    if (task.operation?.do === 'deleteByFilter' && task.status === 'failed') return;
    for (const index of this.indexes.values()) index.stale = true;
    // A filter would need all words and columns, anew for every one of them.
    const known = filteredIds && { ...task, operation: { do: 'deleteIds' as const, ids: filteredIds } };
    try {
      this.apply(known ?? task, documents);
    } catch (error) {
      if (task.status === 'succeeded') throw error;
    }
  }

  private *snapshot(): Iterable<LogRecord> {
    for (const key of this.keys.all()) yield { header: { kind: 'key', key } };
    for (const index of this.indexes.values()) {
      const { uid, createdAt, updatedAt, primaryKey, settings } = index;
      const fields = [...index.fieldOrder.keys()];
      yield { header: { kind: 'index', uid, createdAt, updatedAt, primaryKey, settings, fields } };
      const documents = index.documents.filter((document) => document !== undefined);
      for (let at = 0; at < documents.length; at += SNAPSHOT_CHUNK) {
        const chunk = documents.slice(at, at + SNAPSHOT_CHUNK);
        yield {
          header: { kind: 'documents', uid, ids: chunk.map(({ id }) => id) },
          payload: Buffer.from(chunk.map(({ text }) => text).join('\n')),
        };
      }
    }
    const waiting = new Set(this.pending.map(({ task }) => task.uid));
    const finished = [...this.tasks.values()].filter(({ uid }) => !waiting.has(uid)).map(withoutInput);
    for (let at = 0; at < finished.length; at += SNAPSHOT_CHUNK) {
      yield { header: { kind: 'tasks', tasks: finished.slice(at, at + SNAPSHOT_CHUNK) } };
    }
    for (const { task, documents } of this.pending) {
      yield enqueueRecord({ ...task, status: 'enqueued', startedAt: null }, documents);
    }
  }
}

function enqueueRecord(task: Task, documents: string[]): LogRecord {
  return { header: { kind: 'enqueue', task }, payload: Buffer.from(documents.join('\n')) };
}

function doneRecord(task: Task, filteredIds?: string[]): LogRecord {
  const { uid, status, error, details, startedAt, finishedAt } = task;
  return {
    header: { kind: 'done', task: { uid, status, error, details, startedAt, finishedAt }, filteredIds },
  };
}

/** A finished task as a snapshot keeps it: of its operation only what is shown. */
function withoutInput(task: Task): Task {
  const { operation, ...rest } = task;
  return operation?.do === 'deleteIndex' ? task : rest;
}
