// Whether a change can be made of this topology: every refusal is a sentence that names what is wrong or missing.
import { activeNodes, applyEdits, type ChangeEdits, leavingNodes, type NewNode } from './change-edits.js';
import { findIndex, type NodeId, type Topology, type TopologyNode } from './topology.js';

export interface JudgeOptions {
  /** Do not refuse a change after which replicas lie in fewer zones. */
  allowFewerZones?: boolean;
}

/** Null when the change can be planned. Whether nodes answer and are free is found out when they are added. */
export function judgeEdits(
  topology: Topology,
  edits: ChangeEdits,
  options: JudgeOptions = {},
): string | null {
  return (
    judgeNames(edits) ??
    judgeNodes(topology, edits) ??
    judgeReplication(topology, edits) ??
    judgeCapacity(topology, edits) ??
    (options.allowFewerZones ? null : judgeZones(topology, edits))
  );
}

function judgeNames(edits: ChangeEdits): string | null {
  const coming: NewNode[] = [...edits.add, ...edits.replace];
  const ids = [...coming.map((node) => node.id), ...leavingNodes(edits), ...edits.set.map((node) => node.id)];
  const twin = findTwin(ids);
  if (twin !== undefined) return `Node \`${twin}\` is named twice. A change does one thing with a node.`;
  const twinUrl = findTwin(coming.map((node) => node.url));
  if (twinUrl !== undefined) {
    const [first, second] = coming.filter((node) => node.url === twinUrl);
    return `Nodes \`${first!.id}\` and \`${second!.id}\` have the same URL ${twinUrl}. One node has one id.`;
  }
  const index = findTwin(edits.replication.map((setting) => setting.index ?? ' '));
  if (index !== undefined) return `The replication of \`${index.trim() || 'new indexes'}\` is set twice.`;
  return null;
}

function findTwin(texts: readonly string[]): string | undefined {
  return texts.find((text, at) => texts.indexOf(text) !== at);
}

function judgeNodes(topology: Topology, edits: ChangeEdits): string | null {
  for (const node of [...edits.add, ...edits.replace]) {
    const problem = judgeNewNode(topology, node);
    if (problem !== null) return problem;
  }
  for (const id of [...leavingNodes(edits), ...edits.set.map((node) => node.id)]) {
    if (topology.nodes.some((node) => node.id === id)) continue;
    const known = topology.nodes.map((node) => `\`${node.id}\``).join(', ') || 'none';
    return `There is no node \`${id}\`. The fleet's nodes are: ${known}.`;
  }
  return null;
}

/** One that a dead run has left `joining`, or that is drained, may be taken (again). */
function judgeNewNode(topology: Topology, node: NewNode): string | null {
  const known = topology.nodes.find((other) => other.id === node.id);
  const mayReturn = known && known.url === node.url && ['joining', 'drained'].includes(known.state);
  if (known && !mayReturn)
    return (
      `Node \`${node.id}\` is already in the fleet (${known.state}, at ${known.url}). ` +
      'Choose another id, or remove that node first.'
    );
  const holder = topology.nodes.find((other) => other.id !== node.id && other.url === node.url);
  return holder === undefined
    ? null
    : `Nodes \`${holder.id}\` and \`${node.id}\` have the same URL ${node.url}. One node has one id.`;
}

function judgeReplication(topology: Topology, edits: ChangeEdits): string | null {
  for (const { index } of edits.replication) {
    if (index === null || findIndex(topology, index)) continue;
    const known = topology.indexes.filter((one) => one.deletedSeq === null).map((one) => `\`${one.uid}\``);
    return `There is no index \`${index}\`. The fleet's indexes are: ${known.join(', ') || 'none'}.`;
  }
  return null;
}

function judgeCapacity(topology: Topology, edits: ChangeEdits): string | null {
  const active = new Set(activeNodes(topology));
  const leaving = [...edits.remove, ...edits.drain].filter((id) => active.has(id));
  // Too few nodes are no reason against a change that takes none away and asks for no more.
  if (leaving.length === 0 && edits.replication.length === 0) return null;
  const after = applyEdits(topology, edits);
  const left = activeNodes(after).length;
  let factor = 0;
  let needing = '';
  const newIndex = { uid: null, deletedSeq: null, replicationFactor: after.replicationFactor };
  for (const { uid, deletedSeq, replicationFactor } of [...after.indexes, newIndex])
    if (deletedSeq === null && replicationFactor > factor) {
      factor = replicationFactor;
      needing = uid === null ? 'a new index' : `index \`${uid}\``;
    }
  if (left >= factor) return null;
  const missing = factor - left;
  const cannot =
    leaving.length === 0
      ? 'Cannot keep so many replicas'
      : `Cannot take ${leaving.map((id) => `node \`${id}\``).join(', ')} away`;
  return (
    `${cannot}: ${left} active ${left === 1 ? 'node' : 'nodes'} would be left, and ${needing} keeps ${factor} ` +
    `${factor === 1 ? 'replica' : 'replicas'} of each shard, each on a node of its own. ` +
    `Add ${missing} more ${missing === 1 ? 'node' : 'nodes'} first with \`miroir-ctl node add\`.`
  );
}

/** A change must not quietly bring all replicas of a shard into fewer zones than they can lie in now. */
function judgeZones(topology: Topology, edits: ChangeEdits): string | null {
  const after = applyEdits(topology, edits);
  const most = Math.max(
    0,
    ...after.indexes.filter((index) => index.deletedSeq === null).map((index) => index.replicationFactor),
  );
  const before = zonesOf(topology);
  const then = zonesOf(after);
  if (then.size >= Math.min(most, before.size)) return null;
  const gone = [...before].filter((zone) => !then.has(zone)).map((zone) => `\`${zone}\``);
  const own = gone.some((zone) => zone.startsWith('`node '))
    ? 'A node without a zone counts as one of its own. '
    : '';
  return (
    `Replicas would lie in ${then.size} ${then.size === 1 ? 'zone' : 'zones'} instead of ` +
    `${Math.min(most, before.size)}: no active node would be left in ${gone.join(', ')}. ${own}` +
    'Add a node there first, or allow it with `--allow-fewer-zones` (`allowFewerZones`).'
  );
}

/** The zones that replicas may lie in; a node without one is a zone of its own. */
function zonesOf(topology: Topology): Set<string> {
  const active = topology.nodes.filter((node) => node.state === 'active');
  return new Set(active.map(zoneOf));
}

function zoneOf(node: TopologyNode): string | NodeId {
  return node.zone ?? `node ${node.id}`;
}
