// Flip: the target becomes readable in one epoch; the step ends when no proxy can answer with an older one.
import type { Store } from '../../shared/io/store.js';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { Beat } from '../beat.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';
import { requireKnownTasks } from './known-tasks.js';

/**
 * Reasons that pass. The target's stream is behind a task that has succeeded: readable now, it would hide that task.
 * Or the others of a surplus replica are too few as yet: moves of the same shard are under way, or a node lags.
 */
const PASSING = new Set(['below-watermark', 'too-few-replicas']);

/** Answers the epoch; `again` where the copy was spoiled meanwhile and must begin again. */
export async function flipShard(
  deps: ActivityDeps,
  moveId: string,
  beat: Beat,
  retentionMs = 0,
): Promise<{ epoch: number; again?: boolean }> {
  const { store } = deps;
  const move = await store.updateMove(moveId, { phase: 'flip' });
  if (move.kind === 'drop') await requireAnswering(deps, move);
  for (;;) {
    beat.report({ phase: 'flip' });
    await deps.faults.reach('flip.begin');
    const answer = await store.flipMove(moveId, retentionMs);
    if (answer.flipped) {
      await deps.faults.reach('flip.committed');
      await awaitLeases(store, answer.epoch, beat);
      await deps.faults.reach('flip.acknowledged');
      return { epoch: answer.epoch };
    }
    if (answer.reason === 'spoiled') return { epoch: 0, again: true };
    if (answer.reason === 'index-deleted') throw finalFailure('IndexDeleted', 'the index has been deleted');
    if (!PASSING.has(answer.reason ?? ''))
      throw finalFailure('StaleEpoch', `the move may not flip: ${answer.reason ?? 'no reason given'}`);
    if (move.kind === 'drop') {
      const lastError = `the shard has too few in-sync replicas beside the one on ${move.sourceNode} as yet`;
      await store.updateMove(moveId, { lastError });
      await beat.sleep(200);
    }
    await beat.sleep(20);
  }
}

/** Waits until every live lease has left all epochs before `epoch`, or has expired and its grace is over. */
export async function awaitLeases(store: Store, epoch: number, beat: Beat): Promise<void> {
  for (;;) {
    const leases = await store.readLeases();
    if (leases.every((lease) => lease.oldestEpoch >= epoch)) return;
    await beat.sleep(20);
  }
}

/**
 * In-sync says what a node has confirmed, not that it lives: before a copy is given up those that stay must answer, have
 * the index, and know the tasks that they have confirmed. One that was wiped or restored is healthy too, until its stream
 * finds out.
 */
async function requireAnswering({ store, nodes }: ActivityDeps, move: MoveRow): Promise<void> {
  const { indexes } = await store.readTopology();
  const index = indexes.find((candidate) => candidate.incarnation === move.incarnation);
  for (const { node, state } of index?.shards[move.shard] ?? []) {
    if (node === move.sourceNode || state !== 'in-sync') continue;
    const client = await nodes.client(node);
    try {
      const streams = await store.readStreams();
      const { lastError } = streams.find((stream) => stream.node === node) ?? {};
      if (lastError) throw new Error(lastError);
      const path = `/indexes/${index?.physicalNames[node]}`;
      await client.json({ method: 'GET', path, headersTimeoutMs: 3_000 });
      await requireKnownTasks({ store, nodes }, node);
    } catch (error) {
      throw new Error(
        `the replica on ${move.sourceNode} is not taken away while node ${node}, which keeps the shard, does not answer: ${(error as Error).message}`,
      );
    }
  }
}
