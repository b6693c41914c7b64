// A fleet that heals itself: a dead node's shards are copied elsewhere and what is too much goes when it is back; what was
// changed behind Miroir's back is found and repaired while documents are written.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '../../shared/core/topology.js';
import type { VerificationItem, VerificationRow } from '../../shared/io/store-verifications.js';
import { useCluster } from '../support/cluster.js';
import { expectWhole, Traffic } from '../support/traffic.js';

const SHARDS = 4;
const LIMIT_MS = 180_000;

describe('a fleet of four nodes', () => {
  const cluster = useCluster({
    nodes: 4,
    replicationFactor: 2,
    shardCount: SHARDS,
    env: {
      MIROIR_DEMOTE_AFTER_MS: '500',
      MIROIR_NODE_DOWN_AFTER_MS: '500',
      MIROIR_NODE_RECOVER_AFTER_MS: '500',
      MIROIR_HEAL_AFTER_MS: '1500',
      MIROIR_RETENTION_MS: '0',
    },
  });
  let traffic: Traffic;

  beforeAll(async () => {
    traffic = new Traffic(cluster(), 300);
    await traffic.load();
    traffic.start(31);
  }, 600_000);
  afterAll(async () => {
    await traffic?.close();
  });

  /** Of each shard the nodes that are in-sync, and all others with their states. */
  async function replicas(): Promise<{ inSync: string[]; others: string[] }[]> {
    const topology = await cluster().admin<Topology>('GET', '/_miroir/topology');
    return topology.indexes
      .filter((index) => index.deletedSeq === null)
      .flatMap((index) =>
        index.shards.map((shard) => ({
          inSync: shard.filter(({ state }) => state === 'in-sync').map(({ node }) => node),
          others: shard
            .filter(({ state }) => state !== 'in-sync')
            .map(({ node, state }) => `${node} ${state}`),
        })),
      );
  }

  const settled = (what: string, isSettled: (shards: Awaited<ReturnType<typeof replicas>>) => boolean) =>
    cluster().until(what, LIMIT_MS, async () => (isSettled(await replicas()) ? true : null));

  const isWhole = (shards: Awaited<ReturnType<typeof replicas>>) =>
    shards.every(({ inSync, others }) => inSync.length === 2 && others.length === 0);

  async function verify(
    input: object,
  ): Promise<{ verification: VerificationRow; findings: VerificationItem[] }> {
    const started = await cluster().admin<{ verificationId: string }>('POST', '/_miroir/verify', input);
    return cluster().until('the verification', LIMIT_MS, async () => {
      const path = `/_miroir/verify/${started.verificationId}`;
      const answer = await cluster().request<{ verification: VerificationRow; findings: VerificationItem[] }>(
        path,
        {
          headers: { authorization: `Bearer ${cluster().adminKey}` },
        },
      );
      return answer.status === 200 && answer.body.verification.status !== 'running' ? answer.body : null;
    });
  }

  it('copies the shards of a dead node elsewhere, and takes away what is too much when it is back', async () => {
    await cluster().kill('node-2');
    await settled('two in-sync replicas without node-2', (shards) =>
      shards.every(({ inSync }) => inSync.length === 2 && !inSync.includes('node-2')),
    );
    const { change, health } = await cluster().admin<{
      change: { kind: string };
      health: { reasons: string[] };
    }>('GET', '/_miroir/status');
    expect(change.kind).toBe('heal');
    expect(health.reasons.join()).toContain('node node-2 is lost');
    await cluster().restart('node-2');
    await settled('two replicas of each shard', isWhole);
    const nodes = await cluster().admin<{ nodes: { id: string; health: { state: string } }[] }>(
      'GET',
      '/_miroir/nodes',
    );
    expect(nodes.nodes.map(({ health }) => health.state)).toEqual(Array(4).fill('healthy'));
  }, 600_000);

  it('finds documents that were changed on a node, and repairs them under writes', async () => {
    const notes = Array.from({ length: 120 }, (_, at) => ({
      id: `note-${at}`,
      title: `note ${at}`,
      round: 0,
    }));
    await cluster().write('/indexes/notes/documents', { body: notes });
    const topology = await cluster().admin<Topology>('GET', '/_miroir/topology');
    const index = topology.indexes.find(({ uid }) => uid === 'notes')!;
    const node = index.shards[0]!.find(({ state }) => state === 'in-sync')!.node;
    const { url, masterKey } = cluster().nodes.get(node)!;
    const headers = { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' };
    const documents = `${url}/indexes/${index.physicalNames[node]}/documents`;
    const fetched = await fetch(`${documents}/fetch`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ filter: '_miroir IN ["!!!!"]', limit: 1 }),
    });
    const [held] = ((await fetched.json()) as { results: { id: string }[] }).results;
    const forged = await fetch(documents, {
      method: 'POST',
      headers,
      body: JSON.stringify([
        { id: held!.id, title: 'forged' },
        { id: 'alien', title: 'of nobody' },
      ]),
    });
    expect(forged.status).toBe(202);
    const { taskUid } = (await forged.json()) as { taskUid: number };
    await cluster().until('the forged document', LIMIT_MS, async () => {
      const answer = await fetch(`${url}/tasks/${taskUid}`, { headers });
      return ((await answer.json()) as { status: string }).status === 'succeeded' ? true : null;
    });

    // Every document but the forged one is written again and again meanwhile.
    const others = notes.filter(({ id }) => id !== held!.id);
    let round = 0;
    let verified = false;
    const verification = verify({ index: 'notes', repair: true }).finally(() => {
      verified = true;
    });
    while (!verified) {
      round += 1;
      const body = others.map((note) => ({ ...note, round }));
      expect((await cluster().write('/indexes/notes/documents', { body })).status).toBe('succeeded');
    }
    const { verification: found, findings } = await verification;
    expect(found.status).toBe('done');
    expect(found.totals).toMatchObject({ different: 0, unchecked: 0, undecided: 0, differentDocuments: 1 });
    expect(findings).toMatchObject([
      { kind: 'strays', node, status: 'repaired' },
      {
        kind: 'shard',
        shard: 0,
        status: 'repaired',
        detail: { wrong: [{ node, evidence: 'foreign-mark' }] },
      },
    ]);
    await settled('two replicas of each shard', isWhole);
    await traffic.stop();
    expect((await verify({})).findings).toEqual([]);
    const read = await cluster().request<{ results: { id: string; round: number }[] }>(
      '/indexes/notes/documents?limit=1000',
    );
    const expected = notes.map((note) => (note.id === held!.id ? note : { ...note, round }));
    const byId = (left: { id: string }, right: { id: string }) => left.id.localeCompare(right.id);
    expect(read.body.results.sort(byId)).toEqual(expected.sort(byId));
    expect(traffic.tally.wrong).toEqual([]);
    expect(await traffic.check()).toEqual(expectWhole(traffic.model, 3 * SHARDS));
  }, 600_000);
});
