// The store's part for nodes that come back without what they held: recognised, taken out of in-sync, built anew.
import type { NodeId } from '../core/topology.js';

/** A shard of which the node held the only in-sync replica. */
export interface LostShard {
  indexUid: string;
  shard: number;
}

export interface LossStore {
  /** Why the node is to be built anew, or null; `accepted` once an operator has given up what only it held. */
  readLoss(node: NodeId): Promise<{ reason: string; accepted: boolean } | null>;
  /**
   * The node has lost what it held: its replicas leave in-sync where another one is there, and are marked to be copied
   * anew; copies to and from it begin again; its indexes get names that nothing on the node has, so that nobody is
   * answered by emptiness. Idempotent. Answers the shards that nobody else has in-sync. Throws StaleGeneration.
   */
  declareLoss(node: NodeId, generation: number, reason: string): Promise<LostShard[]>;
  /** Its indexes are there again, empty. Throws StaleGeneration. */
  finishRebuild(node: NodeId, generation: number): Promise<void>;
  /**
   * An operator gives up what only this node held. Refused for a node that has lost nothing, and, unless `force`, while
   * another node has a replica that may still come back; with it these replicas are copied anew from the empty ones.
   */
  acceptLoss(node: NodeId, force: boolean): Promise<LostShard[]>;
}
