// A small Meilisearch: one queue of tasks, batches whose neighbours fail together, names that are renamed, keys that may
// not create, filters on the hidden field and on plain equality. What the protocols rest on, and no more.
import {
  type AddDocuments,
  addDocuments,
  type Fields,
  fetchDocuments,
  idOf,
  names,
  Refusal,
  select,
  type VirtualIndex,
} from './node-documents.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

interface Task {
  uid: number;
  indexUid: string | null;
  type: string;
  status: 'enqueued' | 'processing' | 'succeeded' | 'failed';
  details: Record<string, unknown> | null;
  error: Failure | null;
  mayCreate: boolean;
  operation: Operation;
}

interface Failure {
  message: string;
  code: string;
  type: string;
  link: string;
}

type Operation =
  | AddDocuments
  | { do: 'delete-ids'; ids: string[] }
  | { do: 'delete-filter'; filter: unknown }
  | { do: 'create'; primaryKey: string | null }
  | { do: 'update'; uid: string | null; primaryKey: string | null }
  | { do: 'drop' }
  | { do: 'settings'; filterable: string[] | null };

export interface VirtualAnswer {
  status: number;
  body: unknown;
}

interface Key {
  uid: string;
  key: string;
  description: string | null;
}

const fail = (code: string, message = code): Failure => ({
  code,
  message,
  type: 'invalid_request',
  link: '',
});
const refuse = (status: number, code: string): VirtualAnswer => ({ status, body: fail(code) });
const ok = (body: unknown, status = 200): VirtualAnswer => ({ status, body });

export class VirtualNode {
  readonly masterKey: string;
  indexes = new Map<string, VirtualIndex>();
  up = true;
  /** Multiplies how long its tasks take. */
  slowness = 1;
  /** Times that it was wiped or restored: keys of a new life are others. */
  lives = 0;
  private tasks: Task[] = [];
  private keys = new Map<string, Key>();
  private next = 0;
  private busy = false;

  constructor(
    readonly id: string,
    private readonly scheduler: Scheduler,
    private readonly random: Random,
  ) {
    this.masterKey = `master-of-${id}`;
  }

  /** Loses everything, as with an empty disk. */
  wipe(): void {
    this.indexes = new Map();
    this.tasks = [];
    this.keys = new Map();
    this.next = 0;
    this.lives += 1;
  }

  /** A copy of the disk, for a restore; what waits in the queue is in it. */
  backup(): () => void {
    const { indexes, tasks, keys, next } = structuredClone({
      indexes: this.indexes,
      tasks: this.tasks,
      keys: this.keys,
      next: this.next,
    });
    return () => {
      Object.assign(this, { indexes, tasks, keys, next, lives: this.lives + 1 });
      this.work();
    };
  }

  handle(method: string, path: string, body: string | null, key: string | null): VirtualAnswer {
    const [route = '', query = ''] = path.split('?');
    const isMaster = key === this.masterKey;
    if (route === '/health') return ok({ status: 'available' });
    if (key === null) return refuse(401, 'missing_authorization_header');
    if (!isMaster && ![...this.keys.values()].some((known) => known.key === key))
      return refuse(403, 'invalid_api_key');
    const json = body === null || body === '' ? null : (JSON.parse(body) as never);
    const params = new URLSearchParams(query);
    try {
      return this.dispatch(method, route.split('/').slice(1), params, json, isMaster);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return refuse(/not_found$/.test(error.code) ? 404 : 400, error.code);
    }
  }

  private dispatch(
    method: string,
    [root, uid, part, action]: string[],
    params: URLSearchParams,
    // biome-ignore lint/suspicious/noExplicitAny: bodies of many routes, read where they are understood
    json: any,
    isMaster: boolean,
  ): VirtualAnswer {
    if (root === 'keys') return this.handleKeys(method, uid, json);
    if (root === 'tasks') return this.handleTasks(uid);
    if (root !== 'indexes') throw new Error(`the model knows no ${method} /${root}`);
    if (uid === undefined) {
      if (method === 'GET') {
        const results = [...this.indexes].map(([name, { primaryKey }]) => ({ uid: name, primaryKey }));
        return ok({ results, total: results.length });
      }
      return this.enqueue(json.uid, 'indexCreation', true, {
        do: 'create',
        primaryKey: json.primaryKey ?? null,
      });
    }
    if (part === undefined) {
      if (method === 'GET') return ok({ uid, primaryKey: this.find(uid).primaryKey });
      if (method === 'DELETE') return this.enqueue(uid, 'indexDeletion', isMaster, { do: 'drop' });
      const change = { uid: json.uid ?? null, primaryKey: json.primaryKey ?? null };
      return this.enqueue(uid, 'indexUpdate', isMaster, { do: 'update', ...change });
    }
    if (part === 'settings') {
      if (method === 'GET') return ok({ filterableAttributes: [...this.find(uid).filterable] });
      const filterable = json.filterableAttributes === undefined ? null : names(json.filterableAttributes);
      return this.enqueue(uid, 'settingsUpdate', isMaster, { do: 'settings', filterable });
    }
    if (part === 'search') {
      const index = this.find(uid);
      const hits = select(index, json.filter);
      return ok({ hits, estimatedTotalHits: hits.length });
    }
    if (part === 'stats') {
      const numberOfDocuments = this.find(uid).documents.size;
      return ok({ numberOfDocuments, avgDocumentSize: 100, rawDocumentDbSize: 100 * numberOfDocuments });
    }
    if (part !== 'documents') throw new Error(`the model knows no ${method} /indexes/${uid}/${part}`);
    if (action === 'fetch') return ok(fetchDocuments(this.find(uid), json));
    if (action === 'delete-batch')
      return this.enqueue(uid, 'documentDeletion', isMaster, { do: 'delete-ids', ids: json.map(String) });
    if (action === 'delete')
      return this.enqueue(uid, 'documentDeletion', isMaster, { do: 'delete-filter', filter: json.filter });
    return this.enqueue(uid, 'documentAdditionOrUpdate', isMaster, {
      do: 'add',
      method: method as 'POST' | 'PUT',
      primaryKey: params.get('primaryKey'),
      documents: json as Fields[],
      skipCreation: params.get('skipCreation') === 'true',
    });
  }

  private handleKeys(
    method: string,
    uid: string | undefined,
    json: { uid: string; description: string | null } | null,
  ): VirtualAnswer {
    if (method === 'GET' && uid === undefined) return ok({ results: [...this.keys.values()] });
    const known = this.keys.get(uid ?? json!.uid);
    if (method === 'POST') {
      if (known) return refuse(409, 'api_key_already_exists');
      const key = {
        uid: json!.uid,
        key: `${this.id}-${this.lives}-${json!.uid}`,
        description: json!.description,
      };
      this.keys.set(json!.uid, key);
      return ok(key, 201);
    }
    if (!known) return refuse(404, 'api_key_not_found');
    if (method === 'DELETE') this.keys.delete(known.uid);
    return ok(known);
  }

  private handleTasks(uid: string | undefined): VirtualAnswer {
    if (uid === undefined) return ok({ results: this.tasks.slice(-1).map((task) => ({ uid: task.uid })) });
    const task = this.tasks[Number(uid)];
    return task ? ok({ ...task, operation: undefined }) : refuse(404, 'task_not_found');
  }

  private find(uid: string): VirtualIndex {
    const index = this.indexes.get(uid);
    if (!index) throw new Refusal('index_not_found');
    return index;
  }

  private enqueue(indexUid: string, type: string, mayCreate: boolean, operation: Operation): VirtualAnswer {
    const uid = this.tasks.length;
    this.tasks.push({
      uid,
      indexUid,
      type,
      status: 'enqueued',
      details: null,
      error: null,
      mayCreate,
      operation,
    });
    this.work();
    return ok({ taskUid: uid, status: 'enqueued' }, 202);
  }

  /** Applies the next batch after a while, as long as something waits and the node is up. */
  work(): void {
    if (this.busy || !this.up || this.next >= this.tasks.length) return;
    this.busy = true;
    const { lives } = this;
    this.scheduler.after(this.random.between(1, 12) * this.slowness, null, () => {
      this.busy = false;
      if (this.up && lives === this.lives) this.applyBatch();
      this.work();
    });
  }

  /** Additions of one kind that stand together are one batch: what fails it fails all of them. */
  private applyBatch(): void {
    const first = this.tasks[this.next]!;
    const batch = [first];
    const { operation } = first;
    if (operation.do === 'add' && !operation.skipCreation) {
      while (batch.length < 6) {
        const task = this.tasks[this.next + batch.length];
        if (task?.operation.do !== 'add' || task.operation.skipCreation) break;
        if (task.indexUid !== first.indexUid || task.operation.method !== operation.method) break;
        batch.push(task);
      }
    }
    this.next += batch.length;
    const poisoned = batch.some(
      (task) =>
        task.operation.do === 'add' && task.operation.documents.some((document) => '_geo' in document),
    );
    for (const task of batch) {
      try {
        if (poisoned) {
          this.target(task);
          throw new Refusal('invalid_document_geo_field');
        }
        task.details = this.apply(task);
        task.status = 'succeeded';
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        task.status = 'failed';
        task.error = fail(error.code, `Index \`${task.indexUid}\`: ${error.code}`);
      }
    }
  }

  private target(task: Task): VirtualIndex {
    const uid = task.indexUid!;
    const creates = task.operation.do === 'add' || task.operation.do === 'settings';
    if (!this.indexes.has(uid) && creates && task.mayCreate)
      this.indexes.set(uid, { primaryKey: null, filterable: new Set(), documents: new Map() });
    return this.find(uid);
  }

  private apply(task: Task): Record<string, unknown> | null {
    const { operation } = task;
    const uid = task.indexUid!;
    if (operation.do === 'create') {
      if (this.indexes.has(uid)) throw new Refusal('index_already_exists');
      this.indexes.set(uid, {
        primaryKey: operation.primaryKey,
        filterable: new Set(),
        documents: new Map(),
      });
      return null;
    }
    const index = this.target(task);
    switch (operation.do) {
      case 'drop':
        this.indexes.delete(uid);
        return { deletedDocuments: index.documents.size };
      case 'update':
        return this.update(uid, index, operation);
      case 'settings':
        if (operation.filterable) index.filterable = new Set(operation.filterable);
        return null;
      case 'add':
        return addDocuments(index, operation);
      case 'delete-ids': {
        let deletedDocuments = 0;
        for (const id of operation.ids) if (index.documents.delete(id)) deletedDocuments += 1;
        return { deletedDocuments };
      }
      case 'delete-filter': {
        const matching = select(index, operation.filter);
        for (const document of matching) index.documents.delete(idOf(index, document)!);
        return { deletedDocuments: matching.length };
      }
    }
  }

  private update(
    uid: string,
    index: VirtualIndex,
    change: { uid: string | null; primaryKey: string | null },
  ) {
    if (change.primaryKey !== null) {
      if (index.documents.size > 0) throw new Refusal('index_primary_key_already_exists');
      index.primaryKey = change.primaryKey;
    }
    if (change.uid !== null) {
      if (this.indexes.has(change.uid)) throw new Refusal('index_already_exists');
      this.indexes.delete(uid);
      this.indexes.set(change.uid, index);
    }
    return null;
  }
}
