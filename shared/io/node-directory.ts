// The clients of the topology's nodes, made once a URL and key and kept while these stay the same.
import type { NodeId, Topology } from '../core/topology.js';
import { NodeClient, type NodeClientOptions } from './node-client.js';
import type { NodeSecrets, Store } from './store.js';

export interface NodeDirectory {
  /** The client of a node; throws UnknownNode when the topology has none of that name. */
  client(id: NodeId): Promise<NodeClient>;
  close(): Promise<void>;
}

export class UnknownNode extends Error {
  constructor(id: NodeId) {
    super(`node "${id}" is not in the topology`);
    this.name = 'UnknownNode';
  }
}

interface Known {
  topology: Topology;
  secrets: Record<NodeId, NodeSecrets>;
}

/** `connect` makes the client of a node: over HTTP, or in a simulation to a node within this process. */
export function createNodeDirectory(
  store: Pick<Store, 'readEpoch' | 'readTopology' | 'readNodeSecrets'>,
  connect: (options: NodeClientOptions) => NodeClient = (options) => new NodeClient(options),
): NodeDirectory {
  const clients = new Map<NodeId, { url: string; secrets: NodeSecrets; client: NodeClient }>();
  let known: Known | null = null;

  return {
    async client(id) {
      const epoch = await store.readEpoch();
      if (known?.topology.epoch !== epoch)
        known = { topology: await store.readTopology(), secrets: await store.readNodeSecrets() };
      const node = known.topology.nodes.find((candidate) => candidate.id === id);
      if (!node) throw new UnknownNode(id);
      const secrets = known.secrets[id] ?? { adminKey: null, dataKey: null };
      const cached = clients.get(id);
      const same =
        cached?.url === node.url &&
        cached.secrets.adminKey === secrets.adminKey &&
        cached.secrets.dataKey === secrets.dataKey;
      if (same) return cached.client;
      const client = connect({ id, url: node.url, ...secrets });
      clients.set(id, { url: node.url, secrets, client });
      await cached?.client.close();
      return client;
    },
    async close() {
      await Promise.all([...clients.values()].map((entry) => entry.client.close()));
      clients.clear();
    },
  };
}
