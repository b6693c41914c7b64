// Changes of the topology as the admin API shows them: start one, follow it to its end.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeRow, MoveRow } from '../shared/io/store-changes.js';
import { type Api, ApiRefusal } from './admin-api.js';
import type { LocalNode } from './nodes.js';

export interface ChangeView extends ChangeRow {
  moves: MoveRow[];
  /** Why it was refused or failed as a whole. */
  error: string | null;
}

export interface FleetNodeView {
  id: string;
  url: string;
  state: string;
}

/** Options of a change that the tour sets. */
export interface ChangeOptions {
  retentionMs?: number;
  copyChunkDocuments?: number;
  concurrency?: number;
}

const POLL_INTERVAL_MS = 200;

export async function listFleetNodes(api: Api): Promise<FleetNodeView[]> {
  const answer = await api.json<{ nodes: FleetNodeView[] }>('GET', '/_miroir/nodes');
  return answer.nodes;
}

/** Starts a change that adds nodes; answers its id. */
export async function addNodes(api: Api, nodes: LocalNode[], options: ChangeOptions = {}): Promise<string> {
  const body = { nodes: nodes.map(({ id, url, key }) => ({ id, url, key })), ...options };
  return (await api.json<{ changeId: string }>('POST', '/_miroir/nodes', body)).changeId;
}

/** Starts a change that takes all shards off a node; answers its id. */
export async function drainNode(api: Api, id: string, options: ChangeOptions = {}): Promise<string> {
  const path = `/_miroir/nodes/${encodeURIComponent(id)}/drain`;
  return (await api.json<{ changeId: string }>('POST', path, options)).changeId;
}

/** A change with its moves. */
export async function readChange(api: Api, id: string): Promise<ChangeView> {
  const path = `/_miroir/rebalance/${encodeURIComponent(id)}`;
  const answer = await api.json<{ change: ChangeRow; moves: MoveRow[]; error?: string | null }>('GET', path);
  return { ...answer.change, moves: answer.moves, error: answer.error ?? null };
}

/** The same, or null where the answer is an error that passes: a busy store, a lease being renewed. */
export async function tryReadChange(api: Api, id: string): Promise<ChangeView | null> {
  try {
    return await readChange(api, id);
  } catch (error) {
    if (error instanceof ApiRefusal && error.status < 500) throw error;
    return null;
  }
}

/** Follows a change until it has ended, or waits for an operator. `follow` sees every poll. */
export async function waitForChange(
  api: Api,
  id: string,
  deadlineMs: number,
  follow: (change: ChangeView) => void,
): Promise<ChangeView> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const change = await tryReadChange(api, id);
    if (change) {
      follow(change);
      if (change.status !== 'running') return change;
    }
    if (performance.now() > until)
      throw new Error(`the change ${id} is not done after ${deadlineMs / 1_000} s`);
    await sleep(POLL_INTERVAL_MS);
  }
}

/** One line about how far a change is. */
export function describeProgress(change: ChangeView): string {
  const kind = change.kind ?? 'change';
  if (change.error !== null) return `${kind}: ${change.error}`;
  if (change.moves.length === 0)
    return `${kind}: ${change.status === 'running' ? 'preparing' : 'nothing to move'}`;
  const done = change.moves.filter((move) => move.phase === 'done').length;
  const copied = change.moves.reduce((sum, move) => sum + move.documentsCopied, 0);
  const failed = change.moves.find((move) => move.lastError !== null && move.phase !== 'done');
  const trouble = failed ? `; ${failed.indexUid}/${failed.shard}: ${failed.lastError}` : '';
  return `${kind}: ${done}/${change.moves.length} moves done, ${copied} documents copied${trouble}`;
}
