// Every point at which the code lets a worker be killed, by the test that kills it there (`@2`: the second time).
// test/unit/crash-points.test.ts holds these lists against the code.

/** While a node is added: crash-points.test.ts. */
export const ADDING_POINTS = [
  'nodes.claimed',
  'nodes.added',
  // Those of the nodes that are there already come first.
  'stream.taken@4',
  'index.created',
  'plan.saved',
  'snapshot.held',
  'snapshot.cleared',
  'snapshot.saved',
  'copy.chunk@2',
  'stream.copying',
  'join.requested',
  'stream.replayed',
  'join.done',
  'verify.compared',
  'verify.done',
  'flip.begin',
  'flip.committed',
  'flip.acknowledged',
  'delete.committed',
  'delete.deleted',
  'deliver.sent@5',
  'deliver.answered@5',
] as const;

/** While a node is removed: crash-points.test.ts. */
export const REMOVING_POINTS = ['nodes.removed'] as const;

/** While a change is taken back: rollback-crash.test.ts. */
export const ROLLBACK_POINTS = [
  'rollback.begun',
  'rollback.compared',
  'rollback.verified',
  'rollback.flip',
  'rollback.flipped',
  'rollback.acknowledged',
  'delete.committed',
  'delete.deleted',
] as const;

/** In streams, without a change: stream-crash.test.ts. */
export const STREAM_POINTS = [
  'fence.renamed',
  'index.dropped',
  'rebuild.index@2',
  'rebuild.indexes',
] as const;

/** In a verification: stream-crash.test.ts. */
export const VERIFICATION_POINTS = ['verification.item@3', 'verification.repaired'] as const;

/**
 * No proxy dies in these tests: one that gets no processor for three seconds refuses searches, as it should, and fails them
 * where no node gets any for fifteen. A busy machine may leave them without for as long.
 */
export const CALM_PROXY = { MIROIR_LEASE_TTL_MS: '20000', MIROIR_SEARCH_DEADLINE_MS: '60000' };
