// Brings the nodes that `miroir up` started or was given into the fleet, and waits until they hold their shards.
import { addNodes, describeProgress, type FleetNodeView, listFleetNodes, waitForChange } from './changes.js';
import type { Fleet } from './fleet.js';
import type { LocalNode } from './nodes.js';
import type { Output } from './output.js';

const JOIN_DEADLINE_MS = 24 * 3_600_000;

/** Adds the nodes that the fleet does not know and that were never taken out of it. */
export async function joinNodes(fleet: Fleet, output: Output): Promise<void> {
  const api = fleet.adminApi();
  const { folder, nodes } = fleet;
  try {
    const known = await listFleetNodes(api);
    const { missing, takenOut } = chooseJoining(nodes, known, await folder.readJoined());
    for (const { id, url } of takenOut) {
      output.line(`Left out: ${id}, which was taken out of the fleet; \`miroir-ctl node add ${id}=${url}\``);
    }
    if (missing.length > 0) {
      output.line(`Adding:   ${missing.map((node) => node.id).join(', ')}`);
      const id = await addNodes(api, missing);
      const change = await waitForChange(api, id, JOIN_DEADLINE_MS, (view) =>
        output.status(describeProgress(view)),
      );
      if (change.status !== 'done') {
        throw new Error(`the nodes could not be added: ${describeProgress(change)} (${change.status})`);
      }
    }
    await folder.rememberJoined(nodes.map((node) => node.url));
  } finally {
    await api.close();
  }
}

/** Which nodes are to be added, and which an operator has removed. A known id at another URL is refused. */
export function chooseJoining(
  nodes: readonly LocalNode[],
  known: readonly FleetNodeView[],
  joinedOnce: readonly string[],
): { missing: LocalNode[]; takenOut: LocalNode[] } {
  const unknown = nodes.filter((node) => {
    if (known.some((other) => other.url === node.url)) return false;
    const clash = known.find((other) => other.id === node.id);
    if (clash) throw new Error(`node ${node.id} is known at ${clash.url}, not at ${node.url}`);
    return true;
  });
  // An empty fleet forgets: its store is new, and there is nobody who could have taken a node out of it.
  const isTakenOut = (node: LocalNode) => known.length > 0 && joinedOnce.includes(node.url);
  return {
    missing: unknown.filter((node) => !isTakenOut(node)),
    takenOut: unknown.filter(isTakenOut),
  };
}
