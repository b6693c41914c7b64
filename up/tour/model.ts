// What must be there: every acknowledged write, in order, as the documents that they add up to.

export type Document = Record<string, unknown> & { id: string };

export type Operation =
  | { kind: 'add'; documents: Document[] }
  | { kind: 'update'; documents: Document[] }
  | { kind: 'delete'; ids: string[] };

export interface Acknowledged {
  taskUid: number;
  ids: string[];
}

export interface Model {
  /** Says that a write of these documents is about to be sent: until it is acknowledged, either state may be found. */
  begin(operation: Operation): void;
  /** Grows with every write of the document that was begun. */
  versionOf(id: string): number;
  /** The latest acknowledged operation, or null before the first. */
  readonly latest: Acknowledged | null;
  /** Records an acknowledged operation. */
  acknowledge(operation: Operation, taskUid: number): void;
  /** Documents that must be found, by id. */
  readonly documents: ReadonlyMap<string, Document>;
  /** Ids that were deleted and not added again: they must not be found. */
  readonly deleted: ReadonlySet<string>;
  /** Writes of single documents that were acknowledged. */
  readonly writes: number;
  readonly requests: number;
  readonly lastTaskUid: number;
  /** The acknowledged operations since the last call, for the reference node. */
  takeOperations(): Operation[];
}

/** A model of one index whose writer waits for each acknowledgement. */
export function createModel(): Model {
  const documents = new Map<string, Document>();
  const deleted = new Set<string>();
  let pending: Operation[] = [];
  let writes = 0;
  let requests = 0;
  let lastTaskUid = -1;
  let latest: Acknowledged | null = null;
  const versions = new Map<string, number>();
  return {
    begin(operation) {
      for (const id of idsOf(operation)) versions.set(id, (versions.get(id) ?? 0) + 1);
    },
    versionOf: (id) => versions.get(id) ?? 0,
    get latest() {
      return latest;
    },
    documents,
    deleted,
    get writes() {
      return writes;
    },
    get requests() {
      return requests;
    },
    get lastTaskUid() {
      return lastTaskUid;
    },
    acknowledge(operation, taskUid) {
      requests += 1;
      lastTaskUid = Math.max(lastTaskUid, taskUid);
      latest = { taskUid, ids: idsOf(operation) };
      pending.push(operation);
      if (operation.kind === 'delete') {
        for (const id of operation.ids) {
          documents.delete(id);
          deleted.add(id);
          writes += 1;
        }
        return;
      }
      for (const document of operation.documents) {
        const before = operation.kind === 'update' ? documents.get(document.id) : undefined;
        documents.set(document.id, { ...before, ...document });
        deleted.delete(document.id);
        writes += 1;
      }
    },
    takeOperations() {
      const taken = pending;
      pending = [];
      return taken;
    },
  };
}

function idsOf(operation: Operation): string[] {
  return operation.kind === 'delete' ? operation.ids : operation.documents.map(({ id }) => id);
}
