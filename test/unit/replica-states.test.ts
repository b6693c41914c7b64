import { describe, expect, it } from 'vitest';
import {
  canTransition,
  keepsShardReadable,
  REPLICA_STAGES,
  type ReplicaStage,
} from '../../shared/core/replica-states.js';
import { sampleReplica } from '../support/sample-topology.js';

const ALLOWED = new Set([
  'none copying',
  'copying joined',
  'joined verified',
  'verified in-sync',
  'verified joined',
  'in-sync retained',
  'retained deleting',
  'deleting none',
  // giving up before the flip
  'copying deleting',
  'joined deleting',
  'verified deleting',
  // demotion, promotion, rollback
  'in-sync joined',
  'joined in-sync',
  'retained in-sync',
  // a source that was demoted before the flip
  'joined retained',
]);

describe('replica states', () => {
  it('allow exactly the transitions of the protocol', () => {
    const found = REPLICA_STAGES.flatMap((from) =>
      REPLICA_STAGES.filter((to) => canTransition(from, to)).map((to) => `${from} ${to}`),
    );
    expect(new Set(found)).toEqual(ALLOWED);
  });

  it('let a copied replica become readable only by verification, a demoted one by promotion', () => {
    expect(canTransition('joined', 'in-sync', 'move-1')).toBe(false);
    expect(canTransition('joined', 'verified', 'move-1')).toBe(true);
    expect(canTransition('joined', 'in-sync', null)).toBe(true);
    expect(canTransition('joined', 'verified', null)).toBe(false);
    expect(canTransition('joined', 'deleting', 'move-1')).toBe(true);
    expect(canTransition('joined', 'retained', 'move-1')).toBe(false);
    expect(canTransition('joined', 'retained', null)).toBe(true);
  });

  it('always lead back to none', () => {
    for (const start of REPLICA_STAGES) {
      const reached = new Set<ReplicaStage>([start]);
      for (const from of reached) {
        for (const to of REPLICA_STAGES) if (canTransition(from, to)) reached.add(to);
      }
      expect([start, reached.has('none')]).toEqual([start, true]);
    }
  });
});

describe('keepsShardReadable', () => {
  const replicas = [sampleReplica('a'), sampleReplica('b', 'joined')];
  it('refuses to take the last in-sync replica', () => {
    expect(keepsShardReadable(replicas, 'a', 'joined')).toBe(false);
    expect(keepsShardReadable(replicas, 'a', 'retained')).toBe(false);
    expect(keepsShardReadable(replicas, 'b', 'deleting')).toBe(true);
    expect(keepsShardReadable([...replicas, sampleReplica('c')], 'a', 'retained')).toBe(true);
  });
});
