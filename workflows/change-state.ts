// What a running change knows: which moves are planned, running, failed, over. Pure; the workflow acts on it.
import {
  type ChangeInput,
  type ChangePhase,
  type ChangeProgress,
  type ChangeResume,
  moveIdOf,
} from './messages.js';

export class ChangeState {
  phase: ChangePhase = 'validating';
  planned = 0;
  next = 0;
  done = 0;
  skipped = 0;
  abortRequested = false;
  /** Grows with everything that a waiting loop may want to see. */
  version = 0;
  readonly running = new Map<string, string>();
  readonly failed = new Map<string, string>();
  private readonly again: string[] = [];
  private readonly kind: string;
  onChange: () => void = () => undefined;

  constructor(input: ChangeInput) {
    this.kind = input?.kind ?? 'unknown';
    const resume = input?.resume;
    if (!resume) return;
    this.planned = resume.plannedMoves;
    this.next = resume.next;
    this.done = resume.outcomes.done;
    this.skipped = resume.outcomes.skipped;
    for (const moveId of resume.failed) this.failed.set(moveId, 'failed before the run was continued');
  }

  private touch(): void {
    this.version += 1;
    this.onChange();
  }

  setPhase(phase: ChangePhase): void {
    this.phase = phase;
    this.touch();
  }

  /** The next move to start, or null. */
  takeNext(changeId: string): string | null {
    const moveId = this.again.shift() ?? (this.next < this.planned ? moveIdOf(changeId, this.next++) : null);
    if (moveId !== null) {
      this.running.set(moveId, 'running');
      this.touch();
    }
    return moveId;
  }

  hasWork(): boolean {
    return this.again.length > 0 || this.next < this.planned;
  }

  isComplete(): boolean {
    return !this.hasWork() && this.running.size === 0 && this.failed.size === 0 && this.givingUp === 0;
  }

  private givingUp = 0;

  end(moveId: string, outcome: 'done' | 'skipped' | 'cancelled'): void {
    if (!this.running.delete(moveId)) this.givingUp = Math.max(0, this.givingUp - 1);
    if (outcome === 'done') this.done += 1;
    if (outcome === 'skipped') this.skipped += 1;
    this.touch();
  }

  fail(moveId: string, error: string): void {
    this.running.delete(moveId);
    this.failed.set(moveId, error);
    this.touch();
  }

  /** Throws a sentence for the operator unless there is a failed move, or that one. */
  requireFailed(moveId: string | undefined): void {
    if (moveId !== undefined && !this.failed.has(moveId))
      throw new Error(
        `move "${moveId}" has not failed; failed moves: ${[...this.failed.keys()].join(', ') || 'none'}`,
      );
    if (this.failed.size === 0) throw new Error('no move has failed: there is nothing to retry or skip');
  }

  /** Takes failed moves out for a decision; they count as unfinished until `end`. */
  takeFailed(moveId: string | undefined): string[] {
    const ids = moveId === undefined ? [...this.failed.keys()] : [moveId].filter((id) => this.failed.has(id));
    for (const id of ids) this.failed.delete(id);
    this.givingUp += ids.length;
    this.touch();
    return ids;
  }

  retry(moveId: string | undefined): string {
    const ids = moveId === undefined ? [...this.failed.keys()] : [moveId];
    for (const id of ids) {
      this.failed.delete(id);
      this.again.push(id);
    }
    this.touch();
    return `${ids.length} moves are tried again`;
  }

  abort(): void {
    this.abortRequested = true;
    this.touch();
  }

  toResume(changeId: string): ChangeResume {
    return {
      changeId,
      plannedMoves: this.planned,
      next: this.next,
      outcomes: { done: this.done, skipped: this.skipped },
      failed: [...this.failed.keys()],
    };
  }

  progress(): ChangeProgress {
    return {
      phase: this.phase,
      kind: this.kind,
      moves: {
        planned: this.planned,
        done: this.done,
        skipped: this.skipped,
        running: this.running.size,
        failed: this.failed.size,
      },
      running: [...this.running].map(([moveId, phase]) => ({ moveId, phase })),
      failed: [...this.failed].slice(0, 20).map(([moveId, error]) => ({ moveId, error })),
    };
  }
}

/** The change as Markdown for the Web UI; at most twenty rows. */
export function describeProgress(progress: ChangeProgress): string {
  const { moves } = progress;
  const lines = [
    `**${progress.kind}**: ${progress.phase}`,
    '',
    `${moves.done} of ${moves.planned} moves done, ${moves.running} running, ${moves.skipped} skipped, ${moves.failed} failed`,
  ];
  for (const { moveId, error } of progress.failed.slice(0, 10)) lines.push(`- ${moveId} failed: ${error}`);
  if (moves.failed > 0) lines.push('', 'Decide with `miroir-ctl rebalance retry`, `skip` or `abort`.');
  return lines.join('\n');
}
