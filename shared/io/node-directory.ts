// The clients of the topology's nodes, made once a URL and key and kept while they stay the same.
import type { NodeId, Topology } from '../core/topology.js';
import { NodeClient } from './node-client.js';
import type { Store } from './store.js';

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

export function createNodeDirectory(store: Store): NodeDirectory {
  const clients = new Map<NodeId, { fingerprint: string; client: NodeClient }>();
  let known: { epoch: number; topology: Topology; at: number } | null = null;

  return {
    async client(id) {
      const epoch = await store.readEpoch();
      if (known?.epoch !== epoch) known = { epoch, topology: await store.readTopology(), at: epoch };
      const node = known.topology.nodes.find((candidate) => candidate.id === id);
      if (!node) throw new UnknownNode(id);
      const cached = clients.get(id);
      if (cached && cached.fingerprint.startsWith(`${node.url} `) && cached.fingerprint.endsWith(` ${epoch}`))
        return cached.client;
      const secrets = (await store.readNodeSecrets())[id] ?? { adminKey: null, dataKey: null };
      const identity = `${node.url} ${secrets.adminKey ?? ''} ${secrets.dataKey ?? ''}`;
      if (cached?.fingerprint.startsWith(`${identity} `)) {
        cached.fingerprint = `${identity} ${epoch}`;
        return cached.client;
      }
      const client = new NodeClient({ id, url: node.url, ...secrets });
      clients.set(id, { fingerprint: `${identity} ${epoch}`, client });
      await cached?.client.close();
      return client;
    },
    async close() {
      await Promise.all([...clients.values()].map((entry) => entry.client.close()));
      clients.clear();
    },
  };
}
