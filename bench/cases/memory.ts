// The proxy while 100 MB of documents stream in: how much it keeps resident, and how fast it answers searches meanwhile,
// against the same node asked directly at the same time.
import { Readable } from 'node:stream';
import { request } from 'undici';
import type { Output } from '../../up/output.js';
import { loadSynsets } from '../../up/tour/corpus.js';
import { BenchFleet } from '../bench-fleet.js';
import { searchTexts, streamLines, toBatches } from '../corpus.js';
import { burst, httpTarget, type Target } from '../load.js';
import { median, percentile } from '../statistics.js';
import type { Outcome } from './search.js';

const INDEX = 'synsets';
const UPLOADS = 'uploads';

export async function measureMemory(quick: boolean, output: Output): Promise<Outcome> {
  const sizeBytes = quick ? 20_000_000 : 100_000_000;
  const synsets = await loadSynsets(10_000);
  const fleet = await BenchFleet.start({ nodeCount: 1, replicationFactor: 1, output });
  try {
    await fleet.fill(INDEX, toBatches(synsets, 5_000));
    await fleet.waitForTask(await fleet.write('POST', '/indexes', { uid: UPLOADS, primaryKey: 'id' }));
    const { node } = fleet.node(0);
    const path = `/indexes/${await fleet.physicalName(0, INDEX)}/search`;
    const direct = httpTarget('direct', node.url, path, node.key);
    const proxy = httpTarget('proxy', fleet.fleet.proxyUrl, `/indexes/${INDEX}/search`, null);
    // What any hop costs on this machine at this moment, for judging the ratio.
    const passThrough = httpTarget('pass-through', await fleet.startPassThrough(0), path, null);
    const targets = [direct, proxy, passThrough];
    const bodies = searchTexts(synsets, 300).map((q) => JSON.stringify({ q }));
    for (const target of targets) await burst(target, bodies, 4);

    // Twice: what is garbage of the first upload must not grow the second.
    const samples = new Map(targets.map((target) => [target.name, [] as number[]]));
    const startedMs = performance.now();
    let uploadMs = 0;
    for (let lap = 0; lap < 2; lap += 1) {
      const lapMs = performance.now();
      const upload = sendLines(fleet.fleet.proxyUrl, sizeBytes);
      await searchMeanwhile(targets, bodies, samples, upload);
      await upload;
      uploadMs = performance.now() - lapMs;
    }
    const { peakRssBytes, rssBytes } = await fleet.usage('proxy');
    await Promise.all(targets.map((target) => target.close()));
    const own = samples.get('proxy')!;
    const bare = samples.get('direct')!;
    const hop = samples.get('pass-through')!;
    return {
      measures: [
        {
          name: `most resident, ${sizeBytes / 1_000_000} MB streaming in`,
          value: peakRssBytes / 1_000_000,
          unit: 'MB',
          target: { most: 200 },
        },
        {
          name: 'search latency over direct meanwhile, median',
          value: median(own) / median(bare),
          unit: 'ratio',
          target: { most: 1.5 },
        },
        {
          name: 'search latency over the pass-through meanwhile, median',
          value: median(own) / median(hop),
          unit: 'ratio',
          target: null,
        },
        {
          name: 'search latency over direct meanwhile, p95',
          value: percentile(own, 0.95) / percentile(bare, 0.95),
          unit: 'ratio',
          target: null,
        },
      ],
      details: {
        'resident MB afterwards': rssBytes / 1_000_000,
        'second upload ms': uploadMs,
        'both uploads ms': performance.now() - startedMs,
        searches: own.length,
        'proxy ms': median(own),
        'proxy p95 ms': percentile(own, 0.95),
        'direct ms': median(bare),
        'direct p95 ms': percentile(bare, 0.95),
        'pass-through ms': median(hop),
        'pass-through over direct': median(hop) / median(bare),
      },
    };
  } finally {
    await fleet.stop();
  }
}

async function sendLines(url: string, sizeBytes: number): Promise<void> {
  const answer = await request(`${url}/indexes/${UPLOADS}/documents`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: Readable.from(streamLines(sizeBytes), { objectMode: false }),
    headersTimeout: 600_000,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 202) throw new Error(`the upload was answered ${answer.statusCode}: ${text}`);
}

/** Searches all in turn until the upload has been accepted. */
async function searchMeanwhile(
  targets: readonly Target[],
  bodies: readonly string[],
  samples: Map<string, number[]>,
  upload: Promise<void>,
): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  upload.then(end, end);
  for (let at = 0; !over; at += 1) {
    for (let step = 0; step < targets.length; step += 1) {
      const target = targets[(at + step) % targets.length]!;
      samples.get(target.name)!.push(await target.search(bodies[at % bodies.length]!));
    }
  }
}
