// What a failure says: the reason at its root, and which kind of refusal it is.
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** The type that an activity gave its failure, or null. */
export function failureType(error: unknown): string | null {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? (cause.type ?? null) : null;
}

/** The innermost message: "Activity task failed" helps nobody. */
export function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}
