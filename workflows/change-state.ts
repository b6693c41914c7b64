// What a running change knows: which moves are planned, running, failed, over, and what an operator has set. Pure; the
// workflow acts on it.
import type { ChangeControl, ThrottleInput } from '../shared/core/change-control.js';
import { throttleProblem } from '../shared/core/change-control.js';
import type {
  ChangePhase,
  ChangeProgress,
  ChangeResume,
  Gate,
  MoveToStart,
  ValidatedChange,
} from './messages.js';

/** Of an error, in what is shown and carried on. */
const ERROR_CHARACTERS = 500;
/** How far moves are looked through for one whose nodes are free. */
const LOOK_AHEAD = 64;

/** `kept`: it was to be taken back, and stays as it was. */
export type MoveEnd = 'done' | 'skipped' | 'cancelled' | 'rolled-back' | 'kept';

export class ChangeState {
  phase: ChangePhase = 'validating';
  planned = 0;
  next = 0;
  done = 0;
  skipped = 0;
  rolledBack = 0;
  control: ChangeControl = { paused: false, concurrency: 1, nodeConcurrency: null, documentsPerSecond: null };
  approved = true;
  abortRequested = false;
  /** True when the change takes no more decisions. */
  private ending = false;
  /** Grows with everything that a waiting loop may want to see. */
  version = 0;
  readonly running = new Map<string, string>();
  readonly failed = new Map<string, string>();
  /** Taken back instead of made. */
  readonly backward = new Set<string>();
  /** Failed before, or to be taken back: these come first. */
  private readonly again: string[] = [];
  /** Never begun: their nodes were busy when their turn came. */
  private readonly passed: string[] = [];
  /** What an operator has set before the change's own options were known. */
  private decided: ThrottleInput = {};
  private readonly givingUp = new Map<string, string>();
  /** Of the moves that this run may start: their nodes, and their order. */
  private readonly nodes = new Map<string, readonly string[]>();
  private known: readonly MoveToStart[] = [];
  private knownFrom = 0;
  onChange: () => void = () => undefined;
  onAbort: () => void = () => undefined;
  onGate: () => void = () => undefined;

  constructor(
    private readonly kind: string,
    resume?: ChangeResume,
  ) {
    if (!resume) return;
    this.planned = resume.plannedMoves;
    this.next = resume.next;
    this.done = resume.outcomes.done;
    this.skipped = resume.outcomes.skipped;
    this.rolledBack = resume.outcomes.rolledBack;
    this.control = resume.control;
    this.approved = resume.approved;
    this.again.push(...resume.again);
    this.passed.push(...resume.passed);
    for (const moveId of resume.backward) this.backward.add(moveId);
    for (const { moveId, error } of resume.failed) this.failed.set(moveId, error);
  }

  private touch(): void {
    this.version += 1;
    this.onChange();
  }

  setPhase(phase: ChangePhase): void {
    if (this.phase === phase) return;
    this.phase = phase;
    this.touch();
  }

  /** What the change's own options say, unless an operator has already said otherwise. */
  begin(options: ValidatedChange['options']): void {
    this.control = {
      paused: this.control.paused,
      concurrency: options.concurrency,
      nodeConcurrency: options.nodeConcurrency,
      documentsPerSecond: options.copyDocumentsPerSecond,
      ...this.decided,
    };
    this.approved = !options.approve;
  }

  /** The moves from `first` on that this run may start, in order. */
  know(first: number, moves: readonly MoveToStart[]): void {
    this.knownFrom = first;
    this.known = moves;
    for (const { moveId, nodes } of moves) this.nodes.set(moveId, nodes);
  }

  /** Whether this run has looked at everything that it knows of. */
  isPageOver(): boolean {
    return this.next < this.planned && this.next >= this.knownFrom + this.known.length;
  }

  /** The next move to start, or null where none may: paused, window full, or its nodes busy. */
  takeNext(): string | null {
    if (this.control.paused || this.running.size >= this.control.concurrency) return null;
    for (const waiting of [this.again, this.passed]) {
      const position = waiting.findIndex((id) => this.isFree(id));
      if (position >= 0) return this.startMove(waiting.splice(position, 1)[0]!);
    }
    while (this.next < this.planned && !this.isPageOver() && this.passed.length < LOOK_AHEAD) {
      const { moveId } = this.known[this.next - this.knownFrom]!;
      this.next += 1;
      if (this.isFree(moveId)) return this.startMove(moveId);
      this.passed.push(moveId);
    }
    return null;
  }

  private startMove(moveId: string): string {
    this.running.set(moveId, 'running');
    this.touch();
    return moveId;
  }

  private isFree(moveId: string): boolean {
    const most = this.control.nodeConcurrency;
    if (most === null) return true;
    const busy = (node: string) =>
      [...this.running.keys()].filter((id) => this.nodes.get(id)?.includes(node)).length;
    return (this.nodes.get(moveId) ?? []).every((node) => busy(node) < most);
  }

  hasWork(): boolean {
    return this.again.length > 0 || this.passed.length > 0 || this.next < this.planned;
  }

  /** Whether nothing runs, not even the cleaning up of a move that is given up. */
  isIdle(): boolean {
    return this.running.size === 0 && this.givingUp.size === 0;
  }

  isComplete(): boolean {
    return !this.hasWork() && this.isIdle() && this.failed.size === 0;
  }

  /** Where the moves stand, as a phase of the change. */
  standing(): ChangePhase {
    if (this.control.paused) return 'paused';
    if (!this.approved && [...this.running.values()].includes('awaiting-approval'))
      return 'awaiting-approval';
    return this.running.size === 0 && this.failed.size > 0 ? 'needs-attention' : 'moving';
  }

  get isRollback(): boolean {
    return this.kind === 'rollback';
  }

  get gate(): Gate {
    return { paused: this.control.paused, approved: this.approved };
  }

  /** A move says what it waits for, or that it goes on. */
  wait(moveId: string, what: string): void {
    if (!this.running.has(moveId)) return;
    this.running.set(moveId, what);
    this.touch();
  }

  end(moveId: string, outcome: MoveEnd): void {
    this.running.delete(moveId);
    this.givingUp.delete(moveId);
    if (outcome === 'done') this.done += 1;
    if (outcome === 'skipped') this.skipped += 1;
    if (outcome === 'rolled-back') {
      this.rolledBack += 1;
      if (this.backward.has(moveId)) this.done -= 1;
    }
    this.touch();
  }

  fail(moveId: string, error: string): void {
    this.running.delete(moveId);
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

  requirePaused(paused: boolean): void {
    this.requireOpen();
    if (this.control.paused !== paused)
      throw new Error(paused ? 'the change is not paused' : 'the change is paused already');
  }

  requireApproval(): void {
    this.requireOpen();
    if (this.approved) throw new Error('the change does not wait for an approval');
  }

  requireThrottle(input: ThrottleInput | null | undefined): void {
    this.requireOpen();
    const problem = throttleProblem(input);
    if (problem !== null) throw new Error(problem);
  }

  requireAtRest(moveId: string | undefined): void {
    this.requireOpen();
    if (typeof moveId !== 'string')
      throw new Error('name the move to roll back; the whole change is rolled back once it has ended');
    if (this.running.has(moveId) || this.givingUp.has(moveId) || this.again.includes(moveId))
      throw new Error(`move "${moveId}" is under way: wait for it`);
    if (this.failed.has(moveId)) throw new Error(`move "${moveId}" has failed: retry or skip it first`);
  }

  pause(paused: boolean): void {
    this.control = { ...this.control, paused };
    this.onGate();
    this.touch();
  }

  throttle(input: ThrottleInput): void {
    const { concurrency, nodeConcurrency, documentsPerSecond } = input;
    const set: ThrottleInput = {
      ...(concurrency !== undefined && { concurrency }),
      ...(nodeConcurrency !== undefined && { nodeConcurrency }),
      ...(documentsPerSecond !== undefined && { documentsPerSecond }),
    };
    this.decided = { ...this.decided, ...set };
    this.control = { ...this.control, ...set };
    this.touch();
  }

  approve(): void {
    this.approved = true;
    this.onGate();
    this.touch();
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

  /** Takes a move of this change back that has flipped. */
  takeBack(moveId: string): void {
    this.failed.delete(moveId);
    this.backward.add(moveId);
    this.again.push(moveId);
    this.touch();
  }

  /** From here on nothing is decided or started any more. */
  close(): void {
    this.ending = true;
    for (const id of this.again.splice(0)) this.failed.set(id, 'was to be tried again');
    this.passed.length = 0;
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
      passed: [...this.passed],
      outcomes: { done: this.done, skipped: this.skipped, rolledBack: this.rolledBack },
      failed: [...this.failed].map(([moveId, error]) => ({ moveId, error })),
      control: this.control,
      approved: this.approved,
      backward: [...this.backward],
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
        rolledBack: this.rolledBack,
        running: this.running.size,
        failed: failed.length,
      },
      control: this.control,
      approved: this.approved,
      running: [...this.running].map(([moveId, phase]) => ({ moveId, phase })),
      failed: failed.slice(0, 20).map(([moveId, error]) => ({ moveId, error })),
    };
  }
}
