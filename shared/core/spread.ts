// The order of a plan's moves: no node is a hot spot, as source or as target, at any point of the plan.
import type { PlannedMove } from './plan.js';

/**
 * Orders moves so that each node's share of them is spread evenly over the whole plan. Moves that restore lost
 * redundancy come first, what is only taken away comes last.
 */
export function spreadMoves(moves: readonly PlannedMove[]): PlannedMove[] {
  const restoring = moves.filter((move) => move.sourceNode === null);
  const exchanging = moves.filter((move) => move.sourceNode !== null && move.kind === 'copy');
  const dropping = moves.filter((move) => move.kind === 'drop');
  return [...spread(restoring), ...spread(exchanging), ...spread(dropping)];
}

function spread(moves: PlannedMove[]): PlannedMove[] {
  const bySource = positionsWithin(moves, (move) => move.copyFrom);
  const alternating = sortBy(moves, bySource);
  const byTarget = positionsWithin(alternating, (move) => move.targetNode);
  return sortBy(alternating, byTarget);
}

/** For the i-th of a group's g moves (i + 0.5) / g: sorting by it interleaves groups of any sizes evenly. */
function positionsWithin(moves: readonly PlannedMove[], groupOf: (move: PlannedMove) => string): number[] {
  const sizes = new Map<string, number>();
  for (const move of moves) sizes.set(groupOf(move), (sizes.get(groupOf(move)) ?? 0) + 1);
  const seen = new Map<string, number>();
  return moves.map((move) => {
    const rank = seen.get(groupOf(move)) ?? 0;
    seen.set(groupOf(move), rank + 1);
    return (rank + 0.5) / sizes.get(groupOf(move))!;
  });
}

function sortBy(moves: readonly PlannedMove[], keys: readonly number[]): PlannedMove[] {
  return moves
    .map((move, at) => ({ move, key: keys[at]! }))
    .sort((a, b) => a.key - b.key)
    .map((entry) => entry.move);
}
