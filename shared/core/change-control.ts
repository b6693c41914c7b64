// What an operator may set while a change runs: held or not, how much at a time. Pure, for workflows judge it too.

export interface ChangeControl {
  /** No move starts, no chunk is copied, nothing flips. */
  paused: boolean;
  /** Moves at the same time in all. */
  concurrency: number;
  /** Moves at the same time that read from or write to one node; null for no limit. */
  nodeConcurrency: number | null;
  /** Shared by all copies of the change, on all workers; null for no limit. */
  documentsPerSecond: number | null;
}

/** Of a throttle what is to change; null takes a limit away. */
export interface ThrottleInput {
  concurrency?: number;
  nodeConcurrency?: number | null;
  documentsPerSecond?: number | null;
}

export const MOST_MOVES_AT_ONCE = 64;

/** Why the throttle is refused, as a sentence for the operator, or null. */
export function throttleProblem(input: ThrottleInput | null | undefined): string | null {
  const { concurrency, nodeConcurrency, documentsPerSecond } = input ?? {};
  if (concurrency === undefined && nodeConcurrency === undefined && documentsPerSecond === undefined)
    return 'give at least one of concurrency, nodeConcurrency and documentsPerSecond';
  if (concurrency !== undefined && !isCount(concurrency))
    return `concurrency must be a whole number from 1 to ${MOST_MOVES_AT_ONCE}`;
  if (nodeConcurrency !== undefined && nodeConcurrency !== null && !isCount(nodeConcurrency))
    return `nodeConcurrency must be a whole number from 1 to ${MOST_MOVES_AT_ONCE}, or null for no limit`;
  if (documentsPerSecond !== undefined && documentsPerSecond !== null && !(documentsPerSecond > 0))
    return 'documentsPerSecond must be a number above 0, or null for no limit';
  return null;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_MOVES_AT_ONCE;
}

export function describeControl(control: ChangeControl): string {
  const { concurrency, nodeConcurrency, documentsPerSecond } = control;
  return [
    `${concurrency} moves at a time`,
    ...(nodeConcurrency === null ? [] : [`${nodeConcurrency} a node`]),
    documentsPerSecond === null ? 'copies as fast as they can' : `${documentsPerSecond} documents/s in all`,
  ].join(', ');
}
