// The tour: real data, a writer and a searcher, a node more, a worker killed half-way, a node less, and then every
// document, replica and answer is checked.
import { writeFile } from 'node:fs/promises';
import type { Topology } from '../../shared/core/topology.js';
import { Api } from '../admin-api.js';
import { addNodes, type ChangeView, describeProgress, drainNode, waitForChange } from '../changes.js';
import type { Fleet } from '../fleet.js';
import type { Output } from '../output.js';
import { checkDocuments, checkReplicas, waitForTasks } from './checks.js';
import { type City, loadCities, loadSynsets, type Synset, shuffle } from './corpus.js';
import { createModel, type Document, type Model } from './model.js';
import { CITY_SETTINGS, cityQuery, WORD_SETTINGS, wordQuery } from './queries.js';
import { createRandom } from './random.js';
import { type ReadCounts, startReader } from './reader.js';
import { applyOperations, createReferenceIndex, enqueue, loadDocuments, settle } from './reference.js';
import { type ChangeResult, findFailures, formatReport, type TourResult } from './report.js';
import { emptyCounts, type SearchCounts, searchOnce, startSearcher } from './searcher.js';
import { type KillResult, killHalfway } from './worker-kill.js';
import { startWriter } from './writer.js';

export interface TourOptions {
  fleet: Fleet;
  output: Output;
  jsonFile: string | null;
}

const WORDS = 'words';
const CITIES = 'cities';
const LOADED_SYNSETS = 14_000;
const FRESH_SYNSETS = 4_000;
const LOADED_CITIES = 8_000;
const BATCH = 2_000;
const COPY_CHUNK_DOCUMENTS = 50;
/** Moves at the same time: more than by default, since a tour should not take long. */
const CONCURRENCY = 4;
const CHANGE_DEADLINE_MS = 900_000;
const TASKS_DEADLINE_MS = 300_000;
const FINAL_COMPARISONS = 200;
const ADDED_NODE = 'n4';
const DRAINED_NODE = 'n2';

interface Stage {
  fleet: Fleet;
  output: Output;
  proxy: Api;
  admin: Api;
  reference: Api;
  synsets: Synset[];
  cities: City[];
  words: Model;
}

/** Runs the tour on a fleet that is up; answers whether everything held. */
export async function runTour({ fleet, output, jsonFile }: TourOptions): Promise<boolean> {
  const startedAt = performance.now();
  output.step('The tour');
  const synsets = shuffle(await loadSynsets(LOADED_SYNSETS + FRESH_SYNSETS), createRandom(3));
  const cities = await loadCities(LOADED_CITIES);
  const referenceNode = await fleet.startReference();
  const stage: Stage = {
    fleet,
    output,
    proxy: fleet.userApi(),
    admin: fleet.adminApi(),
    reference: new Api(referenceNode.url, referenceNode.key),
    synsets,
    cities,
    words: createModel(),
  };
  try {
    const result = await runSteps(stage, startedAt);
    const failures = findFailures(result);
    output.line('');
    for (const line of formatReport(result)) output.line(line);
    output.line('');
    for (const trouble of listTroubles(result)) output.warn(`  ${trouble}`);
    if (failures.length === 0)
      output.step('Nothing was lost, nothing was incomplete, and every answer agreed.');
    else for (const failure of failures) output.warn(`FAILED: ${failure}`);
    if (jsonFile !== null) {
      await writeFile(
        jsonFile,
        `${JSON.stringify({ passed: failures.length === 0, failures, ...result }, null, 2)}\n`,
      );
    }
    return failures.length === 0;
  } finally {
    await Promise.all([stage.proxy.close(), stage.admin.close(), stage.reference.close()]);
    await referenceNode.child?.stop();
  }
}

async function runSteps(stage: Stage, startedAt: number): Promise<TourResult> {
  const { fleet, output, proxy, reference, words } = stage;
  await load(stage);
  output.step('2. A writer and a searcher start, and go on during all that follows');
  const random = createRandom(20_260_726);
  const duringChanges = emptyCounts();
  const writesBefore = { requests: words.requests, writes: words.writes };
  const writer = startWriter({
    api: proxy,
    indexUid: WORDS,
    model: words,
    random: createRandom(7),
    fresh: stage.synsets.slice(LOADED_SYNSETS) as unknown as Document[],
    pauseMs: 120,
  });
  const searcher = startSearcher({
    proxy,
    reference,
    indexUid: CITIES,
    nextQuery: () => cityQuery(stage.cities, random),
    counts: duringChanges,
    onTrouble: (trouble) => output.warn(`   ${trouble}`),
    pauseMs: 20,
  });
  const reads: ReadCounts = { checked: 0, stale: 0, examples: [] };
  const reader = startReader({ api: proxy, indexUid: WORDS, model: words, counts: reads });
  let killed: KillResult;
  const changes: ChangeResult[] = [];
  try {
    const added = await addFourthNode(stage, duringChanges);
    killed = added.killed;
    changes.push(added.change, await drain(stage, duringChanges));
  } finally {
    await Promise.all([writer.stop(), searcher.stop(), reader.stop()]);
  }
  output.step('5. Everything settles; every document, replica and answer is checked');
  const failedTasks = await waitForTasks(proxy, TASKS_DEADLINE_MS, (open) =>
    output.status(`${open} tasks are open`),
  );
  await applyOperations(reference, WORDS, words.takeOperations());
  const afterwards = await compareWords(stage);
  const cityModel = createModel();
  cityModel.acknowledge({ kind: 'add', documents: stage.cities as unknown as Document[] }, 0);
  output.status('reading every document');
  const documents = {
    [WORDS]: await checkDocuments(proxy, WORDS, words),
    [CITIES]: await checkDocuments(proxy, CITIES, textIds(cityModel)),
  };
  output.status('asking every node, shard by shard');
  const topology = await stage.admin.json<Topology>('GET', '/_miroir/topology');
  const replicas = await checkReplicas(topology, fleet.nodes);
  return {
    nodeProgram: fleet.program?.kind ?? 'meilisearch',
    documentsLoaded: LOADED_SYNSETS + stage.cities.length,
    writes: {
      acknowledgedRequests: words.requests - writesBefore.requests,
      acknowledgedDocuments: words.writes - writesBefore.writes,
      sentAgain: writer.retries,
      failedTasks,
    },
    documents,
    replicas: { ...replicas, replicationFactor: topology.replicationFactor },
    searches: { duringChanges, afterwards },
    reads,
    changes,
    kill: killed,
    seconds: (performance.now() - startedAt) / 1_000,
  };
}

async function load({ output, proxy, reference, synsets, cities, words }: Stage): Promise<void> {
  output.step(
    `1. ${(LOADED_SYNSETS + cities.length).toLocaleString('en-US')} documents of WordNet and GeoNames go in`,
  );
  const loaded = synsets.slice(0, LOADED_SYNSETS) as unknown as Document[];
  for (const [uid, settings] of [
    [WORDS, WORD_SETTINGS],
    [CITIES, CITY_SETTINGS],
  ] as const) {
    await enqueue(proxy, 'POST', '/indexes', { uid, primaryKey: 'id' });
    await settle(proxy, await enqueue(proxy, 'PATCH', `/indexes/${uid}/settings`, settings));
    await createReferenceIndex(reference, uid, 'id', settings);
  }
  const intoReference = (async () => {
    await loadDocuments(reference, WORDS, loaded, BATCH);
    await loadDocuments(reference, CITIES, cities, BATCH);
  })();
  intoReference.catch(() => {});
  const startedAt = performance.now();
  await loadDocuments(proxy, WORDS, loaded, BATCH, (sent, taskUid) => {
    words.acknowledge({ kind: 'add', documents: loaded.slice(words.documents.size, sent) }, taskUid);
    output.status(`${WORDS}: ${sent} documents sent`);
  });
  await loadDocuments(proxy, CITIES, cities, BATCH, (sent) =>
    output.status(`${CITIES}: ${sent} documents sent`),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  output.line(`   searchable on two nodes each after ${seconds.toFixed(1)} s`);
  words.takeOperations();
  output.status('loading the reference node');
  await intoReference;
}

async function addFourthNode(
  stage: Stage,
  counts: SearchCounts,
): Promise<{ change: ChangeResult; killed: KillResult }> {
  const { fleet, output, admin } = stage;
  output.step(`3. A fourth node joins, ${COPY_CHUNK_DOCUMENTS} documents a chunk; the worker dies half-way`);
  const node = await fleet.startNode(ADDED_NODE);
  const startedAt = performance.now();
  const id = await addNodes(admin, [node], {
    retentionMs: 0,
    copyChunkDocuments: COPY_CHUNK_DOCUMENTS,
    concurrency: CONCURRENCY,
  });
  const killed = await killHalfway({ admin, fleet, output, changeId: id });
  const change = await waitForChange(admin, id, CHANGE_DEADLINE_MS, follow(stage, counts));
  return { change: finish(change, startedAt), killed };
}

async function drain(stage: Stage, counts: SearchCounts): Promise<ChangeResult> {
  stage.output.step(`4. Node ${DRAINED_NODE} is drained, sources are deleted at once`);
  const startedAt = performance.now();
  const id = await drainNode(stage.admin, DRAINED_NODE, { retentionMs: 0, concurrency: CONCURRENCY });
  const change = await waitForChange(stage.admin, id, CHANGE_DEADLINE_MS, follow(stage, counts));
  return finish(change, startedAt);
}

function follow({ output, words }: Stage, counts: SearchCounts): (change: ChangeView) => void {
  return (change) => {
    const searches = `${counts.identical}/${counts.compared} answers identical, ${counts.failed} failed`;
    output.status(`   ${describeProgress(change)}; ${words.writes} writes acknowledged; ${searches}`);
  };
}

function finish(change: ChangeView, startedAt: number): ChangeResult {
  if (change.status !== 'done') {
    const errors = change.moves.flatMap((move) =>
      move.lastError === null ? [] : [`${move.id}: ${move.lastError}`],
    );
    if (change.error !== null) errors.unshift(change.error);
    throw new Error(`the change (${change.kind}) is ${change.status}: ${errors.slice(0, 3).join('; ')}`);
  }
  return {
    kind: change.kind,
    moves: change.moves.length,
    documentsCopied: change.moves.reduce((sum, move) => sum + move.documentsCopied, 0),
    documentsMinimum: change.plannedDocuments,
    seconds: (performance.now() - startedAt) / 1_000,
  };
}

async function compareWords({ proxy, reference, synsets, output }: Stage): Promise<SearchCounts> {
  const counts = emptyCounts();
  const random = createRandom(11);
  for (let at = 0; at < FINAL_COMPARISONS; at += 1) {
    await searchOnce(
      { proxy, reference, indexUid: WORDS, nextQuery: () => ({}), counts },
      wordQuery(synsets, random),
    );
    output.status(`${at + 1} of ${FINAL_COMPARISONS} answers compared`);
  }
  return counts;
}

/** Cities have numbers as ids; documents are compared by their text. */
function textIds(model: Model): Model {
  const documents = new Map([...model.documents].map(([id, document]) => [String(id), document]));
  return { ...model, documents };
}

function listTroubles(result: TourResult): string[] {
  return [
    ...Object.values(result.documents).flatMap((check) => check.examples),
    ...result.replicas.examples,
    ...result.reads.examples,
    ...result.searches.duringChanges.troubles,
    ...result.searches.afterwards.troubles,
  ];
}
