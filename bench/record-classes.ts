// Records queries of every class of the exactness comparison: what one real Meilisearch answers, and every question that
// Miroir's own routes ask three parts of the same documents. Run by `npm run record`.
import { nodeSettings } from '../shared/core/settings.js';
import { SHARD_FIELD, shardMark } from '../shared/core/topology.js';
import type { NodeClient, NodeRequest } from '../shared/io/node-client.js';
import { CLASSES } from './exactness/classes.js';
import { type Document, toText } from './exactness/documents.js';
import { drawQuery } from './exactness/query-class.js';
import { fairSettings } from './exactness/reference.js';
import { buildWorlds, loadCorpora, PRIMARY_KEY, type World } from './exactness/worlds.js';
import {
  askProxy,
  type ClassRecording,
  PART_NODES,
  partName,
  partOf,
  proxyOver,
  questionOf,
  type RecordedAsk,
  SHARD_COUNT,
} from './recorded-fleet.js';

const DOCUMENTS = 320;
const QUERIES = 2;
const SEED = 1;

/** Loads all worlds into a node, each whole and in parts, and asks every class. */
export async function recordClasses(
  node: NodeClient,
  hash: (text: string) => bigint,
): Promise<ClassRecording> {
  const worlds = buildWorlds(await loadCorpora(DOCUMENTS), SEED);
  for (const world of worlds.values()) await loadWorld(node, hash, world);
  const indexes = [...worlds.values()].map(({ name, settings }) => ({ uid: name, settings }));
  let asked: [string, number, string][] = [];
  const send = async (request: NodeRequest): Promise<{ status: number; text: string }> => {
    const { status, body } = await node.request({ ...request, admin: true });
    return { status, text: body.toString('latin1') };
  };
  const app = await proxyOver(indexes, async (part, request) => {
    const { status, text } = await send(request);
    asked.push([questionOf(part, request), status, text]);
    return { status, text };
  });
  const asks: RecordedAsk[] = [];
  for (const kind of CLASSES) {
    for (let at = 0; at < QUERIES; at += 1) {
      const ask = drawQuery(kind, worlds.get(kind.world)!, SEED, at);
      const { method, path, body } = ask;
      const one = await send({ method, path, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      asked = [];
      await askProxy(app, ask);
      const text = Buffer.from(one.text, 'latin1').toString();
      asks.push({ class: kind.name, only: at, ask, one: { status: one.status, text }, asked });
    }
  }
  await app.close();
  return { indexes, asks };
}

async function loadWorld(node: NodeClient, hash: (text: string) => bigint, world: World): Promise<void> {
  const { name, documents, settings } = world;
  const shardOf = (document: Document): number =>
    Number(hash(String(document[PRIMARY_KEY])) % BigInt(SHARD_COUNT));
  const marked = documents.map((document) => ({ ...document, [SHARD_FIELD]: shardMark(shardOf(document)) }));
  await load(node, name, fairSettings(world), documents, documents);
  for (const part of PART_NODES) {
    const own = marked.filter((document) => partOf(shardOf(document)) === part);
    const hidden = { ...nodeSettings(settings, PRIMARY_KEY), searchCutoffMs: 600_000 };
    await load(node, partName(name, part), hidden, own, marked);
  }
}

/** Puts documents into a new index that knows the fields of all in one order. */
async function load(
  node: NodeClient,
  uid: string,
  settings: Record<string, unknown>,
  documents: readonly Document[],
  all: readonly Document[],
): Promise<void> {
  const run = async (method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: string): Promise<void> => {
    const task = await node.waitTask(
      await node.enqueue({ method, path, body, admin: true }),
      undefined,
      true,
    );
    if (task.status !== 'succeeded') throw new Error(`${method} ${path}: ${task.error?.message}`);
  };
  const text = (list: readonly Document[]): string => `[${list.map(toText).join(',')}]`;
  await run('POST', '/indexes', JSON.stringify({ uid, primaryKey: PRIMARY_KEY }));
  await run('PATCH', `/indexes/${uid}/settings`, JSON.stringify(settings));
  await run('POST', `/indexes/${uid}/documents`, text([Object.assign({}, ...all, all[0]) as Document]));
  await run('DELETE', `/indexes/${uid}/documents`);
  await run('POST', `/indexes/${uid}/documents`, text(documents));
}
