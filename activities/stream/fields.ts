// Registers fields on a node, in the journal's order. Meilisearch prints a document's keys in the order in which it first
// met their names; so before any document comes, a node is shown all names in the order in which one node with every
// document would have met them. Showing a name again changes nothing, so that a resend is harmless.
import { randomUUID } from 'node:crypto';
import { enqueueTask, isTrouble, NodeTrouble, type PhysicalIndex, type StreamContext } from './context.js';

/**
 * Registers what the index's list has and this run has not shown to the node yet. One document with all names, which
 * `skipCreation` keeps out; its id is random, so that there is none of it to update. Waits for its task before anything
 * else is sent, so that no neighbour in a batch fails it.
 */
export async function registerFields(
  context: StreamContext,
  incarnation: number,
  index: PhysicalIndex,
): Promise<void> {
  const names = await context.store.readFields(incarnation, index.registeredFields);
  if (names.length === 0) return;
  // A primary key alone is registered when it is set.
  if (index.primaryKey === null && names.length === 1) return;
  context.signal.throwIfAborted();
  // Without a primary key the first field stands in for it: the right one is set once all names are there, and must not
  // come before its place.
  const primaryKey = index.primaryKey ?? names.find((name) => name !== '') ?? 'id';
  const metadata = encodeURIComponent(`${context.clusterId}:${context.generation}:fields`);
  const uid = await enqueueTask(context, {
    method: 'POST',
    path:
      `/indexes/${index.name}/documents?skipCreation=true&customMetadata=${metadata}` +
      `&primaryKey=${encodeURIComponent(primaryKey)}`,
    body: `[${fieldsDocument(names, primaryKey, randomUUID())}]`,
  });
  const task = await context.client.waitTask(uid, context.signal);
  if (task.status !== 'succeeded') {
    const { code, message } = task.error ?? { code: task.status, message: 'no reason given' };
    if (isTrouble(task.error?.code)) throw new NodeTrouble(context.node, code, message);
    // Too many fields: the entry that brought them meets the same limit and fails by itself.
    context.log.warn({ node: context.node, index: index.uid, code }, message);
  }
  index.registeredFields += names.length;
}

/** A document with these keys in this order, whose id is found once, wherever the primary key says that it is. */
export function fieldsDocument(names: readonly string[], primaryKey: string, id: string): string {
  const holder = names.includes(primaryKey)
    ? primaryKey
    : names.find((name) => primaryKey.startsWith(`${name}.`));
  // Not among the new names, so the node has it already and its place does not matter.
  const all = holder === undefined ? [primaryKey.split('.')[0]!, ...names] : names;
  const carrier = holder ?? all[0]!;
  const members = all.map((name) => {
    const value = name === carrier ? nest(primaryKey.slice(name.length + 1), id) : null;
    return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

function nest(path: string, id: string): unknown {
  return path === '' ? id : { [path]: id };
}
