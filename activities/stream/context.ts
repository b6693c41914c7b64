// What one run of a node's stream knows. It lives as long as the generation that it took over.
import type { NodeId } from '../../shared/core/topology.js';
import type { NodeClient, NodeRequest } from '../../shared/io/node-client.js';
import type { ActivityDeps } from '../deps.js';

export interface PhysicalIndex {
  name: string;
  uid: string;
  /** The primary key that the node's index has, with the hidden ranking rule in place. */
  primaryKey: string | null;
  /** How many of the index's fields this run has shown to the node: see registerFields. */
  registeredFields: number;
}

export interface StreamContext extends ActivityDeps {
  node: NodeId;
  clusterId: string;
  client: NodeClient;
  generation: number;
  signal: AbortSignal;
  /** The newest task uid that the node has given this stream, or null before the first. */
  lastTaskUid: number | null;
  /** By incarnation. */
  indexes: Map<number, PhysicalIndex>;
}

/** Sends a write of this stream and answers its task uid. */
export async function enqueueTask(context: StreamContext, request: NodeRequest): Promise<number> {
  const uid = await context.client.enqueue({ ...request, signal: context.signal });
  // Numbers of a node rise: one that begins anew has lost what it held, and may have made an index just for this.
  if (context.lastTaskUid !== null && uid <= context.lastTaskUid) {
    const reason = `gave task ${uid} after task ${context.lastTaskUid}: it was wiped or restored while it ran`;
    // Recorded at once: with this very task the node's numbers may have come to what was confirmed, and then nothing
    // shows any more that it has lost something.
    await context.store.declareLoss(context.node, context.generation, reason);
    throw new NodeLost(context.node, reason);
  }
  context.lastTaskUid = uid;
  return uid;
}

/** The node answered in a way that says nothing about the entry: disk full, overload. Try again, nothing is decided. */
export class NodeTrouble extends Error {
  constructor(node: NodeId, code: string, message: string) {
    super(`node ${node} cannot index now (${code}): ${message}`);
    this.name = 'NodeTrouble';
  }
}

/** The node is not the one that was added, or has lost what it held. An operator must look. */
export class NodeLost extends Error {
  constructor(node: NodeId, reason: string) {
    super(`node ${node} ${reason}`);
    this.name = 'NodeLost';
  }
}

const TROUBLE_CODES = new Set([
  'no_space_left_on_device',
  'too_many_open_files',
  'database_size_limit_reached',
  'max_database_size_reached',
  'io_error',
  'internal',
  'unretrievable_document',
  'invalid_state',
  'invalid_store_file',
  'remote_timeout',
  // Its index or its tasks are gone, its keys too: it was wiped or renamed away, which says nothing of the entry.
  'index_not_found',
  'task_not_found',
  'invalid_api_key',
  'missing_authorization_header',
]);

/** Whether a failed task is the node's fault, never the entry's. */
export function isTrouble(code: string | undefined): boolean {
  return code === undefined || TROUBLE_CODES.has(code);
}
