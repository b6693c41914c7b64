// What a change makes of the topology: the edits that its input asks for, and the topology with them applied, on which
// its moves are planned.
import type { ChangeOptions } from './change-options.js';
import { normalizeNodeUrl } from './node-address.js';
import type { NodeId, Topology, TopologyNode } from './topology.js';

export type ChangeKind =
  | 'add'
  | 'remove'
  | 'drain'
  | 'replace'
  | 'set'
  | 'set-replication'
  | 'rebalance'
  | 'rollback'
  /** Missing and diverged replicas are copied anew, surplus ones go; nothing else moves. */
  | 'heal';

export interface NewNode {
  id: NodeId;
  url: string;
  zone?: string | null;
  weight?: number;
}

/** A node that takes the place of another: its zone and weight too, where none are given. */
export interface Replacement extends NewNode {
  replaces: NodeId;
}

export interface NodeSetting {
  id: NodeId;
  zone?: string | null;
  weight?: number;
}

export interface ReplicationSetting {
  /** The uid of an index, or null for the replication factor of indexes to come. */
  index: string | null;
  factor: number;
}

export interface ChangeEdits {
  add: NewNode[];
  /** Emptied, and out of the fleet at the end. */
  remove: NodeId[];
  /** Emptied, and kept. */
  drain: NodeId[];
  replace: Replacement[];
  set: NodeSetting[];
  replication: ReplicationSetting[];
}

/** The input of the workflow `topologyChange`. Never a key: it is readable by everyone who may read workflows. */
export interface ChangeRequest {
  kind: ChangeKind;
  /** Of `add`, `replace` and `set` objects, of `remove` and `drain` ids. */
  nodes?: readonly (NewNode | Replacement | NodeSetting | NodeId)[];
  /** Of `set-replication`. */
  replication?: readonly ReplicationSetting[];
  /** Of `rebalance`: several edits in one change. */
  edits?: Partial<ChangeEdits>;
  /** Of `rebalance`: the id or name of a saved plan, run as it is. */
  plan?: string;
  /** Of `rollback`: a whole change, or one move. */
  change?: string;
  move?: string;
  /** Of `heal`: why it was started. */
  cause?: string;
  /** Who asks for it, for the record. */
  by?: string;
  options?: ChangeOptions;
}

/** The edits of an input whose shape has been judged, URLs in their one spelling. */
export function editsOf(input: ChangeRequest): ChangeEdits {
  const { kind, nodes = [] } = input;
  const given: Partial<ChangeEdits> = { ...input.edits };
  if (kind === 'add') given.add = nodes as NewNode[];
  if (kind === 'remove') given.remove = nodes as NodeId[];
  if (kind === 'drain') given.drain = nodes as NodeId[];
  if (kind === 'replace') given.replace = nodes as Replacement[];
  if (kind === 'set') given.set = nodes as NodeSetting[];
  if (kind === 'set-replication') given.replication = [...(input.replication ?? [])];
  const normalized = <N extends NewNode>(node: N): N => ({ ...node, url: normalizeNodeUrl(node.url) });
  return {
    add: (given.add ?? []).map(normalized),
    remove: given.remove ?? [],
    drain: given.drain ?? [],
    replace: (given.replace ?? []).map(normalized),
    set: given.set ?? [],
    replication: given.replication ?? [],
  };
}

/** The nodes that a change brings, a replacement with the zone and the weight of the node whose place it takes. */
export function comingNodes(topology: Topology, edits: ChangeEdits): NewNode[] {
  const after = applyEdits(topology, edits);
  return [...edits.add, ...edits.replace].map(({ id }) => {
    const { url, zone, weight } = after.nodes.find((node) => node.id === id)!;
    return { id, url, zone, weight };
  });
}

/** The nodes that give up everything they hold. */
export function leavingNodes(edits: ChangeEdits): NodeId[] {
  return [...edits.remove, ...edits.drain, ...edits.replace.map((node) => node.replaces)];
}

/** Those of them that leave the fleet at the end. */
export function releasedNodes(edits: ChangeEdits): NodeId[] {
  return [...edits.remove, ...edits.replace.map((node) => node.replaces)];
}

/** Who takes whose place, where a change does nothing but replace nodes; else undefined. */
export function pureReplacement(edits: ChangeEdits): ReadonlyMap<NodeId, NodeId> | undefined {
  const { add, remove, drain, set, replication, replace } = edits;
  const others = add.length + remove.length + drain.length + set.length + replication.length;
  if (replace.length === 0 || others > 0) return undefined;
  return new Map(replace.map((node) => [node.replaces, node.id]));
}

/** The topology as it is when the moves of a change begin: what leaves is draining, what comes is active. */
export function applyEdits(topology: Topology, edits: ChangeEdits): Topology {
  const leaving = new Set(leavingNodes(edits));
  const nodes = new Map(topology.nodes.map((node) => [node.id, node]));
  const put = (id: NodeId, more: Partial<TopologyNode>) => {
    const node = nodes.get(id);
    if (node) nodes.set(id, { ...node, ...more });
  };
  for (const node of [...edits.add, ...edits.replace]) {
    const replaced = 'replaces' in node ? nodes.get(node.replaces as NodeId) : undefined;
    const { zone = null, weight = 1 } = replaced ?? nodes.get(node.id) ?? {};
    nodes.set(node.id, {
      ...{ id: node.id, url: node.url, state: 'active' },
      ...{ zone: node.zone === undefined ? zone : node.zone, weight: node.weight ?? weight },
      placementKey: replaced ? (replaced.placementKey ?? replaced.id) : null,
    });
  }
  for (const { id, zone, weight } of edits.set)
    put(id, { ...(zone !== undefined && { zone }), ...(weight !== undefined && { weight }) });
  for (const id of leaving) put(id, { state: 'draining' });
  const factors = new Map(edits.replication.map(({ index, factor }) => [index, factor]));
  return {
    ...topology,
    replicationFactor: factors.get(null) ?? topology.replicationFactor,
    nodes: [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    indexes: topology.indexes.map((index) =>
      index.deletedSeq === null && factors.has(index.uid)
        ? { ...index, replicationFactor: factors.get(index.uid)! }
        : index,
    ),
  };
}

/** The nodes that may receive and keep replicas. */
export function activeNodes(topology: Topology): NodeId[] {
  return topology.nodes.filter((node) => node.state === 'active').map((node) => node.id);
}

/** In a few words: `add n4, drain n2, movies keeps 3 replicas`. */
export function describeEdits(edits: ChangeEdits): string {
  const settings = ({ zone, weight }: NodeSetting) =>
    [weight !== undefined && `weight ${weight}`, zone !== undefined && `zone ${zone ?? 'none'}`].filter(
      Boolean,
    );
  return [
    ...edits.add.map((node) => `add ${node.id}`),
    ...edits.remove.map((id) => `remove ${id}`),
    ...edits.drain.map((id) => `drain ${id}`),
    ...edits.replace.map((node) => `replace ${node.replaces} by ${node.id}`),
    ...edits.set.map((node) => `set ${node.id} ${settings(node).join(', ')}`),
    ...edits.replication.map(({ index, factor }) => `${index ?? 'new indexes'}: ${factor} replicas`),
  ].join(', ');
}
