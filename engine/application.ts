// What each task does to the indexes. Deterministic: replaying the log leads to the same state.
import { ApiError } from '../shared/core/errors.js';
import { deleteDocuments, putDocuments } from './document-writes.js';
import { evaluateFilter } from './filter-evaluation.js';
import { parseFilter } from './filter-grammar.js';
import { IndexData } from './index-data.js';
import type { Task } from './tasks.js';

export type Indexes = Map<string, IndexData>;

export function indexNotFound(uid: string): ApiError {
  return new ApiError('index_not_found', `Index \`${uid}\` not found.`);
}

/** The index, or Meilisearch's error. */
export function requireIndex(indexes: Indexes, uid: string): IndexData {
  const index = indexes.get(uid);
  if (!index) throw indexNotFound(uid);
  return index;
}

function openIndex(indexes: Indexes, task: Task, mayCreate: boolean): IndexData {
  const known = indexes.get(task.indexUid);
  if (known) return known;
  if (!mayCreate) throw indexNotFound(task.indexUid);
  const created = new IndexData(task.indexUid, task.startedAt!);
  indexes.set(task.indexUid, created);
  return created;
}

function updateIndex(
  indexes: Indexes,
  task: Task,
  primaryKey: string | null | undefined,
  newUid?: string,
): void {
  const index = requireIndex(indexes, task.indexUid);
  if (primaryKey && primaryKey !== index.primaryKey) {
    if (index.size > 0) {
      throw new ApiError(
        'index_primary_key_already_exists',
        `Index \`${index.uid}\`: Index already has a primary key: \`${index.primaryKey}\`.`,
      );
    }
    index.primaryKey = primaryKey;
    index.registerField(primaryKey);
  }
  if (newUid !== undefined && newUid !== index.uid) {
    if (indexes.has(newUid)) {
      throw new ApiError('index_already_exists', `Index \`${newUid}\` already exists.`);
    }
    indexes.delete(index.uid);
    index.uid = newUid;
    indexes.set(newUid, index);
  }
  index.updatedAt = task.startedAt!;
}

export interface Applied {
  details: Record<string, unknown>;
  /** The documents that a filter matched: the log keeps them, so that replaying it evaluates no filter. */
  filteredIds?: string[];
}

/** Applies one task. Throws ApiError, having changed nothing but a created index. */
export function applyTask(indexes: Indexes, task: Task, documents: string[]): Applied {
  const operation = task.operation!;
  switch (operation.do) {
    case 'createIndex': {
      if (indexes.has(task.indexUid)) {
        throw new ApiError('index_already_exists', `Index \`${task.indexUid}\` already exists.`);
      }
      const created = openIndex(indexes, task, true);
      created.primaryKey = operation.primaryKey;
      if (operation.primaryKey !== null) created.registerField(operation.primaryKey);
      return { details: {} };
    }
    case 'updateIndex':
      updateIndex(indexes, task, operation.primaryKey, operation.newUid);
      return { details: {} };
    case 'deleteIndex': {
      const deletedDocuments = requireIndex(indexes, task.indexUid).size;
      indexes.delete(task.indexUid);
      return { details: { deletedDocuments } };
    }
    default: {
      const mayCreate = 'mayCreate' in operation && operation.mayCreate;
      const index = openIndex(indexes, task, mayCreate);
      const applied = applyToIndex(index, task, documents);
      index.updatedAt = task.startedAt!;
      return applied;
    }
  }
}

function applyToIndex(index: IndexData, task: Task, documents: string[]): Applied {
  const operation = task.operation!;
  switch (operation.do) {
    case 'putDocuments':
      return { details: { indexedDocuments: putDocuments(index, documents, operation) } };
    case 'deleteIds':
      return { details: { deletedDocuments: deleteDocuments(index, operation.ids) } };
    case 'deleteByFilter': {
      const code = 'invalid_document_filter';
      const matched = evaluateFilter(index, parseFilter(operation.filter, code), code);
      const ids = [...index.byId].filter(([, document]) => matched[document]).map(([id]) => id);
      return { details: { deletedDocuments: deleteDocuments(index, ids) }, filteredIds: ids };
    }
    case 'clear': {
      const deletedDocuments = index.size;
      index.clear();
      return { details: { deletedDocuments } };
    }
    case 'settings':
      index.applySettings(operation.patch);
      return { details: {} };
    default:
      return { details: {} };
  }
}

/** The details of a task that failed: counts are zero. */
export function failureDetails(task: Task): Record<string, unknown> {
  if ('indexedDocuments' in task.details) return { indexedDocuments: 0 };
  if ('deletedDocuments' in task.details) return { deletedDocuments: 0 };
  return {};
}
