// The reference: one standalone node that gets the same writes directly, in the same order, and is asked the same.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../admin-api.js';
import type { Operation } from './model.js';

interface NodeTaskView {
  status: string;
  error: { message: string } | null;
}

/**
 * Creates an index on a standalone node with the user's settings and the same last ranking rule that Miroir gives its
 * nodes, so that ties are ordered alike.
 */
export async function createReferenceIndex(
  api: Api,
  uid: string,
  primaryKey: string,
  settings: { sortableAttributes: string[] } & Record<string, unknown>,
): Promise<void> {
  await settle(api, await enqueue(api, 'POST', '/indexes', { uid, primaryKey }));
  const rules = await api.json<string[]>('GET', `/indexes/${uid}/settings/ranking-rules`);
  const own = {
    ...settings,
    sortableAttributes: [...settings.sortableAttributes, primaryKey],
    rankingRules: [...rules, `${primaryKey}:asc`],
  };
  await settle(api, await enqueue(api, 'PATCH', `/indexes/${uid}/settings`, own));
}

/** Sends acknowledged operations to the reference, in order, and waits until they are done. */
export async function applyOperations(api: Api, uid: string, operations: Operation[]): Promise<void> {
  let last: number | null = null;
  for (const operation of operations) {
    const path = `/indexes/${uid}/documents`;
    if (operation.kind === 'delete') last = await enqueue(api, 'POST', `${path}/delete-batch`, operation.ids);
    else last = await enqueue(api, operation.kind === 'add' ? 'POST' : 'PUT', path, operation.documents);
  }
  if (last !== null) await settle(api, last);
}

/** Sends documents in batches, as replacements, and waits until they are done. */
export async function loadDocuments(
  api: Api,
  uid: string,
  documents: readonly unknown[],
  batch: number,
  onBatch: (sent: number, taskUid: number) => void = () => {},
): Promise<void> {
  let last: number | null = null;
  for (let at = 0; at < documents.length; at += batch) {
    const part = documents.slice(at, at + batch);
    last = await enqueue(api, 'POST', `/indexes/${uid}/documents`, part);
    onBatch(at + part.length, last);
  }
  if (last !== null) await settle(api, last);
}

/** Enqueues a write and answers its task uid. */
export async function enqueue(
  api: Api,
  method: 'POST' | 'PUT' | 'PATCH',
  path: string,
  body: unknown,
): Promise<number> {
  return (await api.json<{ taskUid: number }>(method, path, body)).taskUid;
}

/** Waits until a task has succeeded; throws when it did not. */
export async function settle(api: Api, taskUid: number, deadlineMs = 300_000): Promise<void> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const task = await api.json<NodeTaskView>('GET', `/tasks/${taskUid}`);
    if (task.status === 'succeeded') return;
    if (task.status === 'failed' || task.status === 'canceled') {
      throw new Error(
        `task ${taskUid} at ${api.url} is ${task.status}: ${task.error?.message ?? 'no reason given'}`,
      );
    }
    if (performance.now() > until) {
      throw new Error(`task ${taskUid} at ${api.url} is still ${task.status} after ${deadlineMs / 1_000} s`);
    }
    await sleep(25);
  }
}
