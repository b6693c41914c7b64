import { describe, expect, it } from 'vitest';
import { judgeFleet } from '../../proxy/admin/status.js';
import { awayNodes, type NodeView, viewIndexes } from '../../proxy/admin/views.js';
import { sampleIndex, sampleNodes, sampleReplica, sampleTopology } from '../support/sample-topology.js';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

function node(id: string, stream: Partial<NonNullable<NodeView['stream']>> = {}): NodeView {
  return {
    id,
    url: `http://${id}.test`,
    zone: null,
    weight: 1,
    state: 'active',
    reachable: true,
    replicas: {},
    health: null,
    stream: {
      position: 10,
      lag: 0,
      lagMs: 0,
      holder: 'worker-1',
      reportedAt: new Date(nowMs).toISOString(),
      silentMs: 0,
      lastError: null,
      provisioned: true,
      ...stream,
    },
  };
}

function judge(nodes: NodeView[], indexes: ReturnType<typeof sampleIndex>[] = []) {
  const topology = sampleTopology(sampleNodes(nodes.map((one) => one.id)), indexes);
  return judgeFleet({
    topology,
    nodes,
    change: null,
    moves: [],
    healingPause: null,
    verification: null,
    nowMs,
  }).health;
}

describe('judgeFleet', () => {
  it('takes an idle stream and a fresh lag for healthy', () => {
    const quiet = node('a', { silentMs: 3_600_000 });
    const fresh = node('b', { silentMs: 3_600_000, lag: 1, lagMs: 20 });
    const busy = node('c', { silentMs: 900, lag: 500, lagMs: 120_000 });
    expect(judge([quiet, fresh, busy])).toEqual({ verdict: 'healthy', reasons: [] });
  });

  it('names a stream that nobody runs, and one that fails', () => {
    const stalled = node('a', { silentMs: 90_000, lag: 3, lagMs: 60_000 });
    const failing = node('b', { lastError: 'no space left on device' });
    expect(judge([stalled, failing]).reasons).toEqual([
      'the stream of node a has delivered nothing for 60 s while 3 entries wait',
      'the stream of node b fails: no space left on device',
    ]);
  });

  it('counts shards without enough in-sync replicas', () => {
    const index = sampleIndex([
      ['a', 'b'],
      ['a', sampleReplica('b', 'joined')],
      [sampleReplica('a', 'joined'), sampleReplica('b', 'copying', 'm')],
    ]);
    const single = sampleIndex([['a', sampleReplica('b', 'joined')]], { uid: 'other' });
    expect(judge([node('a'), node('b')], [index, single]).reasons).toEqual([
      '1 of 3 shards of index products have no in-sync replica on a node that is well: 2',
      '1 of 1 shards of index other have fewer than 2 in-sync replicas',
    ]);
  });

  it('names the shards whose last replica is on a node that does not answer: it is in-sync, and cannot be read', () => {
    const index = sampleIndex([['a'], ['b'], ['a', 'b'], ['b']], { replicationFactor: 1 });
    const away = { ...node('b'), reachable: false };
    expect(judge([node('a'), away], [index]).reasons).toEqual([
      'node b does not answer',
      '2 of 4 shards of index products have no in-sync replica on a node that is well: 1, 3',
    ]);
    // One that is back is lost for the watch a while longer, and is read already.
    const health = { state: 'lost' as const, since: '', reason: null };
    expect(awayNodes([{ ...node('b'), health }])).toEqual(new Set());
    expect(awayNodes([{ ...node('b', { lastError: 'bears no claim' }), health }])).toEqual(new Set(['b']));
    expect(viewIndexes(sampleTopology(sampleNodes(['a', 'b']), [index]), new Set(['b']))).toMatchObject([
      { unavailableShards: 2, unavailable: [1, 3], underReplicatedShards: 0 },
    ]);
  });
});
