// Kills the worker when a copy is half done, starts another, and measures when that copy goes on.
import { setTimeout as sleep } from 'node:timers/promises';
import type { MoveRow } from '../../shared/io/store-changes.js';
import type { Api } from '../admin-api.js';
import { describeProgress, tryReadChange } from '../changes.js';
import type { Fleet } from '../fleet.js';
import type { Output } from '../output.js';

export interface KillResult {
  movedDocumentsAtKill: number;
  ofDocuments: number;
  /** From the kill to the first progress of the same move. */
  resumedAfterMs: number;
  /** Where the copy stood when the new worker was there, before it went on. */
  continuedFrom: number;
}

const POLL_INTERVAL_MS = 20;
const CATCH_DEADLINE_MS = 300_000;
const RESUME_DEADLINE_MS = 180_000;

/** Waits for a copy between 30 and 70 %, kills, starts again, waits for progress. Throws when it cannot be caught. */
export async function killHalfway(stage: {
  admin: Api;
  fleet: Fleet;
  output: Output;
  changeId: string;
}): Promise<KillResult> {
  const { admin, fleet, output, changeId } = stage;
  const caught = await waitForMove(admin, changeId, CATCH_DEADLINE_MS, isHalfCopied);
  const killedAt = performance.now();
  const pid = await fleet.killWorker();
  const atKill = await waitForMove(admin, changeId, CATCH_DEADLINE_MS, (move) => move.id === caught.id);
  const place = `${atKill.indexUid}/${atKill.shard}`;
  output.line(
    `   kill -9 ${pid}: the copy of ${place} to ${atKill.targetNode} stood at ` +
      `${atKill.documentsCopied} of ${atKill.documentsTotal}`,
  );
  let lowest = atKill.documentsCopied;
  await fleet.startWorker();
  const resumed = await waitForMove(admin, changeId, RESUME_DEADLINE_MS, (move) => {
    if (move.id !== caught.id) return false;
    lowest = Math.min(lowest, move.documentsCopied);
    return hasProgressed(move, atKill);
  });
  const resumedAfterMs = performance.now() - killedAt;
  output.line(
    `   a new worker went on with it after ${(resumedAfterMs / 1_000).toFixed(1)} s, at ${resumed.documentsCopied}`,
  );
  return {
    movedDocumentsAtKill: atKill.documentsCopied,
    ofDocuments: atKill.documentsTotal,
    resumedAfterMs,
    continuedFrom: lowest,
  };
}

function isHalfCopied(move: MoveRow): boolean {
  const share = move.documentsCopied / Math.max(1, move.documentsTotal);
  return move.phase === 'copy' && share >= 0.3 && share <= 0.7;
}

function hasProgressed(move: MoveRow, before: MoveRow): boolean {
  return move.documentsCopied > before.documentsCopied || move.phase !== before.phase;
}

async function waitForMove(
  admin: Api,
  changeId: string,
  deadlineMs: number,
  wanted: (move: MoveRow) => boolean,
): Promise<MoveRow> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const change = await tryReadChange(admin, changeId);
    if (change) {
      const move = change.moves.find(wanted);
      if (move) return move;
      if (change.status !== 'running') {
        throw new Error(
          `the change was ${change.status} before a copy could be caught: ${describeProgress(change)}`,
        );
      }
    }
    if (performance.now() > until) throw new Error(`no move of ${changeId} came to the awaited state`);
    await sleep(POLL_INTERVAL_MS);
  }
}
