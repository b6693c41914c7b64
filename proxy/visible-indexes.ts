// The indexes that clients see: those whose creation has succeeded and that are not deleted.
import { indexNotFound, requireIndexUid } from '../shared/core/field-errors.js';
import { findIndex, type Topology, type TopologyIndex } from '../shared/core/topology.js';

/** The index that a read means; 404 for one that does not exist or is not there yet. */
export function requireVisibleIndex(topology: Topology, uid: string): TopologyIndex {
  const index = findIndex(topology, requireIndexUid(uid));
  if (index === undefined || !index.visible) throw indexNotFound(uid);
  return index;
}

/** All indexes that a client sees, by uid. */
export function visibleIndexes(topology: Topology): TopologyIndex[] {
  return topology.indexes
    .filter((index) => index.visible && index.deletedSeq === null)
    .sort((a, b) => (a.uid < b.uid ? -1 : 1));
}
