// Changes of the topology as the admin API shows them: start one, follow it to its end.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeRow, MoveRow } from '../shared/io/store.js';
import { type Api, ApiRefusal } from './admin-api.js';
import type { LocalNode } from './nodes.js';

export interface ChangeView extends ChangeRow {
  moves: MoveRow[];
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

/** The latest change with its moves, or null when there was none. */
export async function readLatestChange(api: Api): Promise<ChangeView | null> {
  const answer = await api.json<{ change: ChangeRow | null; moves: MoveRow[] }>('GET', '/_miroir/rebalance');
  return answer.change === null ? null : { ...answer.change, moves: answer.moves };
}

/** Follows a change until it has ended, or waits for an operator. `follow` sees every poll. */
export async function waitForChange(
  api: Api,
  id: string,
  deadlineMs: number,
  follow: (change: ChangeView) => void | Promise<void>,
): Promise<ChangeView> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const change = await readLatestChange(api).catch((error: unknown) => {
      // A store that is busy, or a proxy that renews its lease, is asked again.
      if (error instanceof ApiRefusal && error.status >= 500) return null;
      throw error;
    });
    if (change && change.id === id) {
      await follow(change);
      if (change.status !== 'running') return change;
    }
    if (performance.now() > until)
      throw new Error(`the change ${id} is not done after ${deadlineMs / 1_000} s`);
    await sleep(POLL_INTERVAL_MS);
  }
}

/** One line about how far a change is. */
export function describeProgress(change: ChangeView): string {
  const done = change.moves.filter((move) => move.phase === 'done').length;
  const copied = change.moves.reduce((sum, move) => sum + move.documentsCopied, 0);
  const failed = change.moves.find((move) => move.lastError !== null && move.phase !== 'done');
  const trouble = failed ? `; ${failed.indexUid}/${failed.shard}: ${failed.lastError}` : '';
  return `${change.kind}: ${done}/${change.plannedMoves} moves done, ${copied} documents copied${trouble}`;
}
