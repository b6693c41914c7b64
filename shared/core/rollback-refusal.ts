// Why a change, or a move, of which no source is kept has no way back, and what to do instead.

interface Moved {
  sourceNode: string | null;
  flippedEpoch: number | null;
}

/** Of a change by its moves, or of one move. */
export function describeNoWayBack(moves: readonly Moved[]): string {
  const flipped = moves.filter(({ flippedEpoch }) => flippedEpoch !== null);
  if (flipped.length > 0 && flipped.every(({ sourceNode }) => sourceNode === null))
    return (
      'it added replicas and took none away, so that there is no source to go back to. ' +
      'Take them away with the opposite change: the replication factor as it was.'
    );
  return 'no source of it is kept any more. Make the opposite change instead; `--retention` says how long sources are kept.';
}
