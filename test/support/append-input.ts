// The append of an entry to an index as it stands, for tests of the store and of streams.
import type { EntryMeta } from '../../shared/core/entries.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { AppendInput } from '../../shared/io/store.js';

export function appendInput(
  requestId: string,
  uid: string,
  meta: EntryMeta,
  index: TopologyIndex | undefined,
  more: Partial<AppendInput>,
): AppendInput {
  return {
    requestId,
    indexUid: uid,
    meta,
    stagingId: null,
    expected: { incarnation: index?.incarnation ?? null, primaryKey: index?.primaryKey ?? null },
    createIndex: null,
    setPrimaryKey: null,
    failure: null,
    details: null,
    ...more,
  };
}
