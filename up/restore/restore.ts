// `miroir restore`: a look at the nodes behind a restored store, what it means, and the decision.
import { meilisearchError } from '../../shared/core/errors.js';
import { type DecidedShard, decideRestoration, type Restoration } from '../../shared/core/restoration.js';
import type { NodeId } from '../../shared/core/topology.js';
import { NodeClient, NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import type { Store } from '../../shared/io/store.js';
import type { RestoredState } from '../../shared/io/store-restored.js';
import type { Output } from '../output.js';
import { type Inspection, inspectNode, NodeNotReady } from './inspect.js';

export interface RestoreOptions {
  /** Nodes that are not asked: their documents are given up where another node has them. */
  without: readonly NodeId[];
  prefer: NodeId | null;
  nodeMasterKey: string | null;
  hash: (text: string) => bigint;
}

/** It cannot be decided yet; the message says what is in the way. */
export class RestoreBlocked extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RestoreBlocked';
  }
}

/** Looks at the nodes and says what accepting would mean. Changes nothing. */
export async function reportRestore(
  store: Pick<Store, 'readRestored'>,
  options: RestoreOptions,
  output: Output,
): Promise<void> {
  const { state, restoration } = await look(store, options);
  for (const line of describeRestoration(state, restoration, options)) output.line(line);
  output.line('Nothing was changed. `miroir restore --accept`, with the same options, goes on like this.');
}

/** Looks at the nodes again and carries the decision out. */
export async function acceptRestore(
  store: Pick<Store, 'readRestored' | 'acceptRestored'>,
  options: RestoreOptions,
  output: Output,
): Promise<void> {
  const { state, restoration, inspections } = await look(store, options);
  const failures = new Map(inspections.flatMap((inspection) => [...inspection.failures]));
  await store.acceptRestored({
    ...restoration,
    failures: [...failures]
      .filter(([seq]) => seq <= state.journalHead)
      .map(([seq, error]) => ({ seq, error })),
    notice: meilisearchError(
      'miroir_store_restored',
      `The state store was restored from a backup whose last task was ${state.journalHead}. Tasks from ` +
        `${state.journalHead + 1} to ${restoration.head - 1} are gone from the list; what they wrote may be there or not.`,
    ),
  });
  for (const line of describeRestoration(state, restoration, options)) output.line(line);
  output.line('Accepted. Start workers and proxies. Then:');
  if (restoration.shards.some(({ stale }) => stale.length > 0))
    output.line('  npx miroir-ctl rebalance start     copies anew what is not read');
  output.line('  npx miroir-ctl verify --repair     compares everything, settings included');
}

async function look(
  store: Pick<Store, 'readRestored'>,
  options: RestoreOptions,
): Promise<{ state: RestoredState; restoration: Restoration; inspections: Inspection[] }> {
  const state = await store.readRestored();
  if (state.restoredAt === null)
    throw new RestoreBlocked('This state store was not restored, or was accepted already.');
  const known = state.topology.nodes.map(({ id }) => id);
  const strange = [...options.without, ...(options.prefer === null ? [] : [options.prefer])].find(
    (id) => !known.includes(id),
  );
  if (strange !== undefined)
    throw new RestoreBlocked(`The backup knows no node "${strange}"; it knows ${known.join(', ')}.`);
  const inspections: Inspection[] = [];
  const troubles: string[] = [];
  for (const { id, url } of state.topology.nodes) {
    if (options.without.includes(id)) continue;
    const secrets = state.secrets[id];
    const adminKey = secrets?.adminKey ?? options.nodeMasterKey;
    const client = new NodeClient({ id, url, adminKey, dataKey: secrets?.dataKey ?? null });
    try {
      inspections.push(await inspectNode(client, state.topology, options.hash));
    } catch (error) {
      const expected =
        error instanceof NodeNotReady || error instanceof NodeUnreachable || error instanceof NodeRefusal;
      if (!expected) throw error;
      troubles.push(
        error instanceof NodeNotReady
          ? `node ${id} at ${url} ${error.message}`
          : `node ${id}: ${error.message}`,
      );
    } finally {
      await client.close();
    }
  }
  if (troubles.length > 0)
    throw new RestoreBlocked(
      `Not every node could be asked, so that nobody knows who has the newest documents:\n  ${troubles.join('\n  ')}\n` +
        'Mend them, or leave them out with `--without <node>`: their documents are then given up wherever another node has them.',
    );
  const restoration = decideRestoration({
    topology: state.topology,
    journalHead: state.journalHead,
    positions: new Map(state.streams.map(({ node, position }) => [node, position])),
    findings: inspections,
    preferred: options.prefer,
  });
  return { state, restoration, inspections };
}

/** What a decision means, for people. */
export function describeRestoration(
  { journalHead, topology }: Pick<RestoredState, 'journalHead' | 'topology'>,
  restoration: Restoration,
  { without }: Pick<RestoreOptions, 'without'>,
): string[] {
  const lines: string[] = [];
  const { highest, head, shards } = restoration;
  lines.push(`The backup ends with task ${journalHead}; new tasks begin at ${head + 1}.`);
  lines.push(
    highest === null || highest <= journalHead
      ? 'No node has seen a later task. What was accepted after the backup and had reached no node is lost.'
      : `Nodes have seen tasks up to ${highest}. What they wrote stays where the replica that is kept has it; these tasks ` +
          'are gone from the list, and what was accepted and had reached no node is lost.',
  );
  for (const { node, position } of restoration.nodes)
    if (position < journalHead)
      lines.push(`Node ${node} gets tasks ${position + 1} to ${journalHead} of the backup, which it lacks.`);
  for (const node of without)
    lines.push(
      `Node ${node} was not asked: it gets nothing of the backup, and is copied anew where another has its shards.`,
    );
  for (const uid of new Set(shards.map(({ index }) => index))) {
    const own = shards.filter(({ index }) => index === uid);
    const stale = own.filter((shard) => shard.stale.length > 0);
    lines.push(
      `Index ${uid}: ${own.length - stale.length} of ${own.length} shards equal on all their replicas.`,
    );
    for (const shard of stale) lines.push(`  ${describeShard(shard)}`);
    const documents = own.reduce((sum, { counts, inSync }) => sum + (counts[inSync[0] ?? ''] ?? 0), 0);
    lines.push(`  ${documents} documents are kept.`);
    const empty = own.filter(({ inSync }) => inSync.length === 0);
    if (empty.length > 0) lines.push(`  ${empty.length} shards have no replica at all.`);
  }
  for (const { uid } of restoration.deletedIndexes)
    lines.push(`Index ${uid} is on no node: it was deleted after the backup, and stays deleted.`);
  for (const { node, name } of restoration.unknownIndexes)
    lines.push(
      `Node ${node} holds ${name}, which the backup does not know: it is left alone and not served.`,
    );
  const gone = topology.nodes.length === 0 ? ['The backup knows no node.'] : [];
  return [...lines, ...gone];
}

function describeShard({ shard, inSync, stale, counts }: DecidedShard): string {
  const say = (node: NodeId) => `${node} (${counts[node] ?? 'unknown'} documents)`;
  return `shard ${shard}: ${inSync.map(say).join(', ')} kept; copied anew: ${stale.map(say).join(', ')}`;
}
