// Ingest through Miroir against the same documents sent to the node itself: until every task has succeeded.
import { type NodeClient, requireSuccess } from '../../shared/io/node-client.js';
import type { Output } from '../../up/output.js';
import { loadSynsets } from '../../up/tour/corpus.js';
import { BenchFleet } from '../bench-fleet.js';
import { toBatches } from '../corpus.js';
import { median } from '../statistics.js';
import type { Outcome } from './search.js';

/** One node, RF 1; a fresh index each time, made before the clock starts. */
export async function measureIngest(quick: boolean, output: Output): Promise<Outcome> {
  const documents = await loadSynsets(quick ? 10_000 : 40_000);
  const batches = toBatches(documents, quick ? 2_000 : 4_000);
  const fleet = await BenchFleet.start({ nodeCount: 1, replicationFactor: 1, output });
  try {
    const { client } = fleet.node(0);
    const own: number[] = [];
    const direct: number[] = [];
    const rounds = quick ? 3 : 5;
    // The first round warms both up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      const uid = `ingest-${round}`;
      const runs = [
        async () => own.push(await throughProxy(fleet, `${uid}-own`, batches)),
        async () => direct.push(await toNode(client, `${uid}-direct`, batches)),
      ];
      if (round % 2 === 1) runs.reverse();
      for (const run of runs) await run();
    }
    own.shift();
    direct.shift();
    return {
      measures: [
        {
          name: 'throughput over direct',
          value: median(direct.map((ms, round) => ms / own[round]!)),
          unit: 'ratio',
          target: { least: 0.85 },
        },
      ],
      details: {
        documents: documents.length,
        'direct ms': median(direct),
        'through Miroir ms': median(own),
      },
    };
  } finally {
    await fleet.stop();
  }
}

async function throughProxy(fleet: BenchFleet, uid: string, batches: readonly string[]): Promise<number> {
  await fleet.waitForTask(await fleet.write('POST', '/indexes', { uid, primaryKey: 'id' }));
  const startedMs = performance.now();
  const tasks: number[] = [];
  for (const batch of batches) tasks.push(await fleet.write('POST', `/indexes/${uid}/documents`, batch));
  for (const task of tasks) await fleet.waitForTask(task);
  return performance.now() - startedMs;
}

async function toNode(client: NodeClient, uid: string, batches: readonly string[]): Promise<number> {
  const create = {
    method: 'POST',
    path: '/indexes',
    body: JSON.stringify({ uid, primaryKey: 'id' }),
  } as const;
  requireSuccess(client.id, await client.waitTask(await client.enqueue(create)));
  const startedMs = performance.now();
  const tasks: number[] = [];
  for (const body of batches) {
    tasks.push(await client.enqueue({ method: 'POST', path: `/indexes/${uid}/documents`, body }));
  }
  for (const task of tasks) requireSuccess(client.id, await client.waitTask(task));
  return performance.now() - startedMs;
}
