// What replicas hold of one document, and which of them are wrong. Decided by evidence only: where two replicas claim
// different things with equal right, nobody guesses.
import type { NodeId } from './topology.js';

/** What one replica holds of a document. */
export interface Claim {
  node: NodeId;
  /** In-sync replicas are what searches are answered from, so that they alone can outvote each other. */
  inSync: boolean;
  /** The document's digest, or null where the replica does not have it. */
  value: string | null;
  /** The document does not bear its shard's mark: no entry of the journal can have written it. */
  foreign: boolean;
}

export type Evidence = 'foreign-mark' | 'in-sync' | 'majority' | 'operator';

export type Judgement =
  | { decided: true; value: string | null; wrong: NodeId[]; evidence: Evidence }
  | { decided: false };

/** Which replicas are wrong about a document. `trusted` is an operator's word for where evidence does not tell. */
export function judgeClaims(claims: readonly Claim[], trusted: NodeId | null = null): Judgement {
  const own = claims.filter((claim) => !claim.foreign);
  const [first] = own;
  if (first !== undefined && own.length < claims.length && own.every(({ value }) => value === first.value))
    return decide(claims, first.value, 'foreign-mark');
  const voters = own.filter((claim) => claim.inSync);
  const votes = new Map<string | null, number>();
  for (const { value } of voters) votes.set(value, (votes.get(value) ?? 0) + 1);
  const [best] = [...votes].sort((a, b) => b[1] - a[1]);
  if (best !== undefined && best[1] === voters.length) return decide(claims, best[0], 'in-sync');
  if (best !== undefined && voters.length >= 3 && best[1] * 2 > voters.length)
    return decide(claims, best[0], 'majority');
  const word = claims.find((claim) => claim.node === trusted && claim.inSync);
  return word === undefined ? { decided: false } : decide(claims, word.value, 'operator');
}

function decide(claims: readonly Claim[], value: string | null, evidence: Evidence): Judgement {
  const wrong = claims.filter((claim) => claim.value !== value).map((claim) => claim.node);
  return { decided: true, value, wrong, evidence };
}

export type Difference = 'missing' | 'extra' | 'different';

/** How a replica's claim differs from what is right, or null where it does not. */
export function differenceOf(value: string | null, right: string | null): Difference | null {
  if (value === right) return null;
  if (value === null) return 'missing';
  return right === null ? 'extra' : 'different';
}
