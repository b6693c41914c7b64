// What a running change knows: which moves are planned, running, failed, over. Pure; the workflow acts on it.

import type { ValidatedChange } from './messages.js';
import { type ChangePhase, type ChangeProgress, type ChangeResume, moveIdOf } from './messages.js';

/** Of an error, in what is shown and carried on. */
const ERROR_CHARACTERS = 500;

export class ChangeState {
  phase: ChangePhase = 'validating';
  planned = 0;
  next = 0;
  done = 0;
  skipped = 0;
  abortRequested = false;
  /** True when the change takes no more decisions. */
  private ending = false;
  /** Grows with everything that a waiting loop may want to see. */
  version = 0;
  readonly running = new Map<string, string>();
  /** Flipped, and kept for rollback: they hold no place in the window. */
  readonly retaining = new Set<string>();
  readonly failed = new Map<string, string>();
  private readonly again: string[] = [];
  private readonly givingUp = new Map<string, string>();
  onChange: () => void = () => undefined;
  onAbort: () => void = () => undefined;

  constructor(
    private readonly kind: string,
    resume?: ChangeResume,
  ) {
    if (!resume) return;
    this.planned = resume.plannedMoves;
    this.next = resume.next;
    this.done = resume.outcomes.done;
    this.skipped = resume.outcomes.skipped;
    this.again.push(...resume.again);
    for (const { moveId, error } of resume.failed) this.failed.set(moveId, error);
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

  /** Whether nothing runs, not even the cleaning up of a move that is given up. */
  isIdle(): boolean {
    return this.running.size === 0 && this.retaining.size === 0 && this.givingUp.size === 0;
  }

  isComplete(): boolean {
    return !this.hasWork() && this.isIdle() && this.failed.size === 0;
  }

  retain(moveId: string): void {
    if (!this.running.delete(moveId)) return;
    this.retaining.add(moveId);
    this.touch();
  }

  end(moveId: string, outcome: 'done' | 'skipped' | 'cancelled'): void {
    this.running.delete(moveId);
    this.retaining.delete(moveId);
    this.givingUp.delete(moveId);
    if (outcome === 'done') this.done += 1;
    if (outcome === 'skipped') this.skipped += 1;
    this.touch();
  }

  fail(moveId: string, error: string): void {
    this.running.delete(moveId);
    this.retaining.delete(moveId);
    this.givingUp.delete(moveId);
    this.failed.set(moveId, error.slice(0, ERROR_CHARACTERS));
    this.touch();
  }

  /** Throws a sentence for the operator when the change is past all decisions. */
  requireOpen(): void {
    if (this.ending) throw new Error(`the change is ${this.phase}: there is nothing left to decide`);
  }

  /** Throws a sentence for the operator unless there is a failed move, or that one. */
  requireFailed(moveId: string | undefined): void {
    this.requireOpen();
    if (moveId !== undefined && !this.failed.has(moveId))
      throw new Error(
        `move "${moveId}" has not failed; failed moves: ${[...this.failed.keys()].join(', ') || 'none'}`,
      );
    if (this.failed.size === 0) throw new Error('no move has failed: there is nothing to retry or skip');
  }

  /** Takes failed moves out for cleaning up; each ends with `end`, or fails again. */
  takeFailed(moveId: string | undefined): string[] {
    const ids = moveId === undefined ? [...this.failed.keys()] : [moveId].filter((id) => this.failed.has(id));
    for (const id of ids) {
      this.givingUp.set(id, this.failed.get(id)!);
      this.failed.delete(id);
    }
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

  /** From here on nothing is decided or started any more. */
  close(): void {
    this.ending = true;
    for (const id of this.again.splice(0)) this.failed.set(id, 'was to be tried again');
    this.next = this.planned;
    this.touch();
  }

  abort(): void {
    this.abortRequested = true;
    this.onAbort();
    this.touch();
  }

  toResume(change: ValidatedChange): ChangeResume {
    return {
      change,
      plannedMoves: this.planned,
      next: this.next,
      again: [...this.again],
      outcomes: { done: this.done, skipped: this.skipped },
      failed: [...this.failed].map(([moveId, error]) => ({ moveId, error })),
    };
  }

  progress(): ChangeProgress {
    const failed = [...this.failed, ...this.givingUp];
    return {
      phase: this.phase,
      kind: this.kind,
      moves: {
        planned: this.planned,
        done: this.done,
        skipped: this.skipped,
        running: this.running.size,
        retaining: this.retaining.size,
        failed: failed.length,
      },
      running: [...this.running].map(([moveId, phase]) => ({ moveId, phase })),
      failed: failed.slice(0, 20).map(([moveId, error]) => ({ moveId, error })),
    };
  }
}

/** The change as Markdown for the Web UI; at most twenty rows. */
export function describeProgress(progress: ChangeProgress): string {
  const { moves } = progress;
  const lines = [
    `**${progress.kind}**: ${progress.phase}`,
    '',
    `${moves.done} of ${moves.planned} moves done, ${moves.running} running, ${moves.retaining} flipped and kept for rollback, ${moves.skipped} skipped, ${moves.failed} failed`,
  ];
  for (const { moveId, error } of progress.failed.slice(0, 10)) lines.push(`- ${moveId} failed: ${error}`);
  if (moves.failed > 0) lines.push('', 'Decide with `miroir-ctl rebalance retry`, `skip` or `abort`.');
  return lines.join('\n');
}
