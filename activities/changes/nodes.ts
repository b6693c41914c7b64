// Nodes come and go: probed, claimed, given their indexes; at the end emptied and released.
import type { NodeId } from '../../shared/core/topology.js';
import { NodeClient, NodeRefusal, NodeUnreachable } from '../../shared/io/node-client.js';
import type { NodeSecrets } from '../../shared/io/store.js';
import type { ChangeNode } from '../../workflows/messages.js';
import type { Beat } from '../beat.js';
import { claimNode, obtainDataKey, readClaim, releaseClaim } from '../claim.js';
import type { ActivityDeps } from '../deps.js';
import { finalFailure } from '../failures.js';

/** Probes all nodes before the first is claimed, so that a refusal leaves nothing behind. */
export async function addNodes(
  deps: ActivityDeps,
  changeId: string,
  nodes: readonly ChangeNode[],
  beat: Beat,
): Promise<void> {
  const topology = await deps.store.readTopology();
  const secrets = await deps.store.readNodeSecrets();
  const fresh = nodes.filter((node) => !topology.nodes.some((known) => known.id === node.id));
  for (const node of fresh) {
    beat.report({ phase: 'probing', node: node.id });
    await withClient(deps, node, secrets[node.id], async (client) => {
      await probe(client, node, topology.clusterId, beat);
      await refuseForeignIndexes(
        client,
        node,
        topology.indexes.map((index) => index.uid),
      );
    });
  }
  for (const node of fresh) {
    beat.report({ phase: 'claiming', node: node.id });
    await withClient(deps, node, secrets[node.id], async (client, adminKey) => {
      const owner = await claimNode(client, { clusterId: topology.clusterId, node: node.id });
      requireOwn(node, topology.clusterId, owner);
      const dataKey = await obtainDataKey(client);
      await deps.faults.reach('nodes.claimed');
      await deps.store.addNode(node, { adminKey, dataKey }, `change ${changeId} adds node ${node.id}`);
    });
    await deps.faults.reach('nodes.added');
  }
}

async function withClient(
  deps: ActivityDeps,
  node: ChangeNode,
  known: NodeSecrets | undefined,
  use: (client: NodeClient, adminKey: string | null) => Promise<void>,
): Promise<void> {
  const adminKey = known?.adminKey ?? deps.options.nodeMasterKey;
  const client = new NodeClient({ id: node.id, url: node.url, adminKey, dataKey: null, connections: 2 });
  try {
    await use(client, adminKey);
  } catch (error) {
    // It answers, and says no: trying again would say no again. A 5xx may pass: Temporal tries the step again.
    if (error instanceof NodeRefusal && error.status < 500)
      throw invalid(`node "${node.id}" at ${node.url} refuses to join: ${error.message} (${error.code})`);
    throw error;
  } finally {
    await client.close();
  }
}

function invalid(message: string) {
  return finalFailure('InvalidInput', message);
}

const PROBES = 5;

async function probe(client: NodeClient, node: ChangeNode, clusterId: string, beat: Beat): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.json({ method: 'GET', path: '/health', signal: beat.signal });
      const claim = await readClaim(client);
      if (claim) requireOwn(node, clusterId, claim);
      return;
    } catch (error) {
      if (error instanceof NodeRefusal && (error.status === 401 || error.status === 403)) {
        throw invalid(
          error.status === 401
            ? `node "${node.id}" at ${node.url} asks for its master key: set MIROIR_NODE_KEY for \`miroir-ctl node add\`, or nodeMasterKey`
            : `node "${node.id}" at ${node.url} refuses the key it was given: ${error.message}`,
        );
      }
      if (!(error instanceof NodeUnreachable)) throw error;
      if (attempt >= PROBES)
        throw invalid(
          `node "${node.id}" at ${node.url} does not answer: ${error.message}. Start it, or correct the URL`,
        );
      await beat.sleep(400);
    }
  }
}

function requireOwn(node: ChangeNode, clusterId: string, owner: { clusterId: string; node: NodeId }): void {
  if (owner.clusterId === clusterId && owner.node === node.id) return;
  throw invalid(
    owner.clusterId === clusterId
      ? `the node at ${node.url} is this fleet's node "${owner.node}" already: one node cannot have a second id "${node.id}"`
      : `the node at ${node.url} is claimed by the fleet "${owner.clusterId}" as "${owner.node}": remove it there first`,
  );
}

async function refuseForeignIndexes(
  client: NodeClient,
  node: ChangeNode,
  uids: readonly string[],
): Promise<void> {
  const { results } = await client.json<{ results: { uid: string }[] }>({
    method: 'GET',
    path: '/indexes?limit=1000',
    admin: true,
  });
  const foreign = results.find(({ uid }) =>
    uids.some(
      (known) => uid === known || (/^--\d+-\d+$/.test(uid.slice(known.length)) && uid.startsWith(known)),
    ),
  );
  if (foreign)
    throw invalid(
      `node "${node.id}" at ${node.url} has an index "${foreign.uid}" of its own, which the fleet has under this name too: delete it there, or take an empty node`,
    );
}

/** Waits until the nodes' streams have created every index, then lets them receive replicas. */
export async function awaitProvisioned(
  deps: ActivityDeps,
  changeId: string,
  ids: readonly NodeId[],
  beat: Beat,
): Promise<void> {
  for (;;) {
    const streams = await deps.store.readStreams();
    const waiting = ids.filter((id) => !streams.find((stream) => stream.node === id)?.provisioned);
    if (waiting.length === 0) break;
    const errors = streams
      .filter((stream) => waiting.includes(stream.node))
      .map((stream) => stream.lastError);
    beat.report({ phase: 'provisioning', waiting, errors });
    await beat.sleep(50);
  }
  for (const id of ids)
    await deps.store.setNodeState(id, 'active', `change ${changeId}: node ${id} is ready`);
}

/** Takes emptied nodes out of the topology and gives them back as they came: without indexes of ours or a claim. */
export async function releaseNodes(
  deps: ActivityDeps,
  changeId: string,
  ids: readonly NodeId[],
): Promise<void> {
  for (const id of ids) {
    const topology = await deps.store.readTopology();
    if (!topology.nodes.some((node) => node.id === id)) continue;
    const client = await deps.nodes.client(id);
    const names = topology.indexes.flatMap((index) => index.physicalNames[id] ?? []);
    await deps.store.removeNode(id, `change ${changeId} removes node ${id}`);
    await deps.faults.reach('nodes.removed');
    try {
      for (const name of names)
        await client.request({ method: 'DELETE', path: `/indexes/${name}`, admin: true });
      await releaseClaim(client);
    } catch (error) {
      // It is out of the fleet already, and an unreachable node cannot be cleaned: its claim keeps it from harm.
      deps.log.warn(
        { node: id },
        `node ${id} was removed, but could not be emptied: ${(error as Error).message}`,
      );
    }
  }
}
