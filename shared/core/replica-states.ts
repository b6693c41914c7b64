// The life of a replica: which state may follow which. The store enforces this table, the tests walk it.
import type { NodeId, Replica, ReplicaState } from './topology.js';

/** `none` is the absence of a row. */
export type ReplicaStage = ReplicaState | 'none';

/**
 * Only two births exist: `none -> copying`, and a new index's replicas, which begin `in-sync` because they are empty
 * together. Giving up before the flip goes through `deleting`, never straight to `none`. The source of a flip is
 * retained even when it was demoted meanwhile.
 */
const TRANSITIONS: Readonly<Record<ReplicaStage, readonly ReplicaStage[]>> = {
  none: ['copying'],
  copying: ['joined', 'deleting'],
  joined: ['verified', 'in-sync', 'retained', 'deleting'],
  // Back to joined when its node answers otherwise than was promised: the flip then needs another verification.
  verified: ['in-sync', 'joined', 'deleting'],
  'in-sync': ['retained', 'joined'],
  retained: ['in-sync', 'deleting'],
  deleting: ['none'],
};

export const REPLICA_STAGES = Object.keys(TRANSITIONS) as readonly ReplicaStage[];

/**
 * Whether a replica may go from one state to the other. With `moveId` (the row's owner, null at rest) the owner is
 * checked too: a move's target must be verified before it is in-sync, a demoted replica (joined, no owner) must not
 * take the way of a move.
 */
export function canTransition(from: ReplicaStage, to: ReplicaStage, moveId?: string | null): boolean {
  if (!TRANSITIONS[from].includes(to)) return false;
  if (moveId === undefined || from !== 'joined') return true;
  if (to === 'in-sync' || to === 'retained') return moveId === null;
  if (to === 'verified') return moveId !== null;
  return true;
}

/** A replica that was demoted: it still receives deliveries and waits to be promoted, owned by no move. */
export function isDemoted(replica: Replica): boolean {
  return replica.state === 'joined' && replica.moveId === null;
}

/** What owns a replica whose node answered otherwise than was promised: `diverged/<task>`. */
export const DIVERGED = 'diverged/';

/** A replica whose content differs: nobody may read it before it has been copied anew. */
export function isDiverged(replica: Replica): boolean {
  return replica.moveId?.startsWith(DIVERGED) === true;
}

/** False when the step would take the last in-sync replica of a shard: no transaction may do that. */
export function keepsShardReadable(replicas: readonly Replica[], node: NodeId, to: ReplicaStage): boolean {
  if (to === 'in-sync') return true;
  return replicas.some((replica) => replica.state === 'in-sync' && replica.node !== node);
}
