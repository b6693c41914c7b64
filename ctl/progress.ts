// Following a change until it ends or waits for an operator: true numbers, and an exit code that says how it ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailure, EXIT, type ExitCode } from './exit.js';
import { formatBytes, formatTable } from './output.js';
import { describeSize, formatDuration } from './plans.js';
import type { Session } from './session.js';
import type {
  ChangeHead,
  ChangeView,
  ControlView,
  MoveView,
  PredictionView,
  ProgressView,
  RetentionView,
  StartedView,
} from './views.js';

const POLL_INTERVAL_MS = 500;
/** A paused change waits for somebody, but has not asked for anybody. */
const UNFINISHED = new Set(['running', 'paused']);
const OPEN = new Set([...UNFINISHED, 'awaiting-approval', 'needs-attention']);

/** One line: kind, status, moves, documents, bytes, rate, last error. */
export function describeChange(change: ChangeHead, progress: ProgressView | null): string {
  const name = `${change.kind ?? 'change'} ${change.id}`;
  if (progress === null) {
    return change.status === 'running'
      ? `${name}: waits for a worker to take it`
      : `${name}: ${change.status}`;
  }
  const parts = [
    `${progress.movesDone}/${progress.movesTotal} moves`,
    `${progress.documentsCopied}/${progress.documentsTotal} documents`,
    formatBytes(progress.bytesCopied),
  ];
  if (progress.documentsPerSecond !== null) parts.push(`${progress.documentsPerSecond} documents/s`);
  if (progress.movesFailed > 0) parts.push(`${progress.movesFailed} failed`);
  if (progress.lastError !== null) parts.push(`last error: ${progress.lastError}`);
  return `${name}: ${change.status}, ${parts.join(', ')}`;
}

/** Steps of the change itself that are tried again, with their last error. */
function describePending(view: ChangeView): string[] {
  const failing = (view.pending ?? []).filter((step) => step.lastError !== null);
  return failing.map(
    ({ step, attempt, lastError }) => `${step}, attempt ${attempt}: ${lastError!.split('\n', 1)[0]}`,
  );
}

export function formatMoves(moves: readonly MoveView[]): string[] {
  return formatTable(
    ['MOVE', 'INDEX', 'SHARD', 'FROM', 'TO', 'PHASE', 'ATTEMPT', 'DOCUMENTS', 'BYTES', 'LAST ERROR'],
    moves.map((move) => [
      move.id,
      move.indexUid,
      move.shard,
      move.sourceNode,
      move.kind === 'drop' ? '(dropped)' : move.targetNode,
      move.phase,
      move.attempt,
      `${move.documentsCopied}/${move.documentsTotal}`,
      formatBytes(move.bytesCopied),
      move.lastError,
    ]),
  );
}

/** Says whether a way back is left. */
export function describeRetention(retention: RetentionView | undefined): string[] {
  if (!retention || retention.sources === 0) return [];
  return [`${retention.sources} sources are kept: rollback is possible until ${retention.until}`];
}

/** Says that a change was started, or follows it with --watch. */
export async function finishStart(session: Session, started: StartedView, watch: boolean): Promise<ExitCode> {
  if (watch) return watchChange(session, started.changeId);
  session.output.result([`started change ${started.changeId}`], started);
  return EXIT.done;
}

/** Follows a change (the latest one without an id) until it has ended or waits for an operator. */
export async function watchChange(session: Session, id: string | null): Promise<ExitCode> {
  let followed = id;
  for (;;) {
    const view = await readChange(session, followed);
    if (view.change === null) {
      showChange(session, view);
      return EXIT.done;
    }
    followed = view.change.id;
    if (!UNFINISHED.has(view.change.status)) {
      showChange(session, view);
      return exitCodeOf(view.change.status);
    }
    session.output.progress(
      [describeChange(view.change, view.progress), ...describePending(view)].join('; '),
    );
    if (session.remainingMs() <= POLL_INTERVAL_MS) throw timedOut(followed);
    await sleep(POLL_INTERVAL_MS);
  }
}

/** Reads a change within what is left of --timeout. */
export async function readChange(session: Session, id: string | null): Promise<ChangeView> {
  const path = id === null ? '/rebalance' : `/rebalance/${encodeURIComponent(id)}`;
  try {
    return await session.api.get<ChangeView>(path, session.remainingMs());
  } catch (error) {
    if (id !== null && error instanceof CommandFailure && error.exitCode === EXIT.timedOut)
      throw timedOut(id);
    throw error;
  }
}

export function showChange(session: Session, view: ChangeView): void {
  if (view.change === null) {
    session.output.result(['no change of the topology so far'], view);
    return;
  }
  const lines = [describeChange(view.change, view.progress)];
  if (view.error) lines.push(`  ${view.error}`);
  if (view.control && OPEN.has(view.change.status)) lines.push(`  ${describeControl(view.control)}`);
  lines.push(...describeRetention(view.retention).map((line) => `  ${line}`));
  lines.push(...describePending(view).map((line) => `  ${line}`));
  lines.push(...describeAccuracy(view).map((line) => `  ${line}`));
  if (view.moves.length > 0) lines.push('', ...formatMoves(view.moves));
  session.output.result(lines, view);
}

function describeControl({ concurrency, nodeConcurrency, documentsPerSecond }: ControlView): string {
  const limits = [`${concurrency} ${concurrency === 1 ? 'move' : 'moves'} at a time`];
  if (nodeConcurrency !== null) limits.push(`${nodeConcurrency} a node`);
  if (documentsPerSecond !== null) limits.push(`${documentsPerSecond} documents/s in all`);
  return limits.join(', ');
}

/** What was predicted, and what came of it. */
function describeAccuracy({ predicted, actual }: ChangeView): string[] {
  const line = (size: PredictionView, isEstimate: boolean) =>
    `${describeSize(size, isEstimate)}, ${formatDuration(size.durationMs) ?? 'time unknown'}`;
  return predicted && actual
    ? [`predicted ${line(predicted, true)}`, `actual    ${line(actual, false)}`]
    : [];
}

export function exitCodeOf(status: string): ExitCode {
  if (status === 'needs-attention' || status === 'awaiting-approval') return EXIT.degraded;
  return status === 'failed' || status === 'aborted' ? EXIT.failed : EXIT.done;
}

function timedOut(id: string): CommandFailure {
  return new CommandFailure(
    `change ${id} is not done in time; it goes on without this command`,
    EXIT.timedOut,
    {
      nextSteps: ['miroir-ctl rebalance status --watch'],
    },
  );
}
