// What must be there: every acknowledged write, in order, as the documents that they add up to.

export type Document = Record<string, unknown> & { id: string };

export type Operation =
  | { kind: 'add'; documents: Document[] }
  | { kind: 'update'; documents: Document[] }
  | { kind: 'delete'; ids: string[] };

export interface Model {
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
  return {
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
